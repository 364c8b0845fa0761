"""All randomness of the package: a generator that is a function of (seed, where we are).

No random state is ever saved: a resumed run asks for the same stream again and gets the same numbers.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

Where = int | str


def derive(seed: int, *where: Where) -> int:
    """A 63-bit seed for one place of one run: SHA-256 of the seed and the place's name."""
    text = "/".join(f"{type(part).__name__}:{part}" for part in (int(seed), *where))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def stream(seed: int, *where: Where) -> torch.Generator:
    """A fresh CPU `torch.Generator` for `(seed, *where)`, e.g. `stream(7, generation, "ask")`.

    Drawn on the CPU and moved, so the numbers are the same on every device.
    """
    return torch.Generator().manual_seed(derive(seed, *where))


def sent(drawn: Tensor, device: torch.device | None) -> Tensor:
    """A tensor of the CPU, such as a draw, on `device` (None: as it is); the host does not wait for a GPU's work.

    Safe from ordinary memory: CUDA has copied it to a buffer of its own when the call returns. Apple's may not have.
    """
    return drawn if device is None else drawn.to(device, non_blocking=device.type != "mps")

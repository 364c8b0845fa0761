"""Where the networks run, where the search runs, and what this machine is."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL
import safetensors
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from zeuxis import __version__
from zeuxis.errors import BadInput

CPU = torch.device("cpu")
WORTH_A_GPU = 2**17  # genes of a population; at 64 x 512 a CPU was twice as fast, at 64 x 9,216 half as fast


def search_device(genes: int, device: torch.device) -> torch.device:
    """Where the search lives whose populations have `genes` numbers, when the networks live on `device`.

    A GPU takes longer to start its kernels than the host to breed a few latents, so it has the large ones only.
    """
    return device if genes >= WORTH_A_GPU else CPU


def choose_device(name: str) -> torch.device:
    """ "auto" is the first of cuda, mps and cpu that is there. BadInput for a device this machine has not."""
    if name == "auto":
        return torch.device(next((kind for kind in ("cuda", "mps") if _available(kind)), "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"Expected a device like auto, cpu, cuda, cuda:1 or mps, got {name[:40]!r}.") from error
    if not _available(device.type, device.index or 0):
        raise BadInput(f"This machine has no device {name!r}. Use auto or cpu.")
    return device


def _available(kind: str, index: int = 0) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available() and index < torch.cuda.device_count()
    return kind == "cpu" or (kind == "mps" and torch.backends.mps.is_available())


def software(*packages: str) -> dict[str, str]:
    """Versions of what the numbers and the files depend on; `packages` are those that this run needs besides."""
    return {
        "zeuxis": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "safetensors": safetensors.__version__,
        "pillow": PIL.__version__,
        **{package: importlib.metadata.version(package) for package in packages},
    }


def machine(device: torch.device) -> dict[str, str | int]:
    """What the run runs on: type of system, processor, device, threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "device": str(device),
        "device_name": name,
        "threads": torch.get_num_threads(),
    }


def cpu_name(info: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name as the system gives it."""
    try:
        lines = info.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


@contextmanager
def shapes_only() -> Iterator[None]:
    """Within it, networks are built without memory (the meta device) and without first weights."""
    with torch.device("meta"), NoFirstWeights():
        yield


class NoFirstWeights(TorchFunctionMode):
    """Within it, networks are built without drawing first weights, for those that are filled from a file anyway.

    On the meta device a draw imports torch's compiler, and elsewhere an orthogonal start is a decomposition of every
    weight: a second of each start, for nothing.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """`function(*args, **kwargs)`, or something of its shape where it draws."""
        given = dict(kwargs or {})
        if function in (torch.randn, torch.rand):
            given.pop("generator", None)
            return torch.empty(*args, **given)
        if function is torch.linalg.qr:  # of nn.init.orthogonal_
            return args[0], args[0][: args[0].shape[1]]
        if function in (Tensor.normal_, Tensor.uniform_) or getattr(function, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return function(*args, **given)

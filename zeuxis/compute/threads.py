"""Threads: how many compute, how they wait for one another, and whether the machine has cores to spare for them."""

from __future__ import annotations

import os

import zeuxis

SPARE = 0.3  # a load that is so much above a whole number of cores still leaves the rest of them idle


def cores() -> int:
    """Cores of this machine."""
    return os.cpu_count() or 1


def load() -> float:
    """Processes that ran or waited for a core, the mean of the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def busy() -> str:
    """A sentence when more processes want a core than there are, else ""."""
    now = load()
    if now <= cores():
        return ""
    return f"This machine is busy (load {now:.1f} on {cores()} cores), so expect this to take longer."


def wait_policy() -> str:
    """How threads wait that have nothing to do: "passive" (they sleep), or "active" (they spin)."""
    return "active" if zeuxis.SPINNING else os.environ.get("OMP_WAIT_POLICY", "").lower() or "active"


def late() -> str:
    """A sentence when threads spin beside other programs because torch was imported before this package, else ""."""
    if not (zeuxis.SPINNING and busy()):
        return ""
    return (
        "torch was imported before zeuxis, so its threads spin while they wait, which is many times slower on a busy "
        "machine. Import zeuxis first, or set OMP_WAIT_POLICY=PASSIVE."
    )


def choose_threads(kept: int | None = None) -> tuple[int, str]:
    """Set torch's threads and say why: as OMP_NUM_THREADS or an earlier part of the run has it, else the idle cores.

    Two threads that do not both get a core wait for one another at every layer: ten times slower than one thread.
    """
    import torch

    if os.environ.get("OMP_NUM_THREADS"):
        return torch.get_num_threads(), "as OMP_NUM_THREADS says"
    count, why = kept, "as when the training began"
    if count is None:
        now = load()
        count = max(1, min(cores(), int(cores() - now + SPARE)))
        why = f"{cores()} cores with a load of {now:.1f}"
    torch.set_num_threads(count)
    return count, why

"""The entry point. `python -m zeuxis` is `zeuxis`."""

from __future__ import annotations

import os
import signal
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    """An interrupt while Python still imports: nothing has begun that would have to end in order."""
    os.write(2, b"\nInterrupted.\n")
    os._exit(130)


def main() -> None:
    """`zeuxis`, interrupted without a traceback from the first import on."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:  # nohup
            signal.signal(getattr(signal, name), _leave)
    from zeuxis.cli.main import main as command

    command()


if __name__ == "__main__":
    main()

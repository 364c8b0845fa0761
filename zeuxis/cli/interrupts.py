"""Ctrl-C and SIGTERM: the first one lets the generation under way end, a second one stops at once."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Within `with`: while `gentle`, the first signal only sets `asked`; any other raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.gentle = False
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        gentle = self.gentle and not self.asked
        self.asked = True
        if not gentle:
            raise KeyboardInterrupt

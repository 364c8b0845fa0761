"""Beside the pictures that are bred: what was learnt of the picks, locks, the way on and the way back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from zeuxis.studio.pages.common import VALUE, Tag, button, show
from zeuxis.studio.state import Bench

MOST_STEPS = 24  # of the history that are shown
Do = Callable[[Callable[[Bench], Any]], Awaitable[Any]]


class Aside:
    """The column of one tab. `do` acts on the breeding; `compare` begins pairs, `evolve` a search."""

    def __init__(self, do: Do, compare: Callable[[], Any], evolve: Callable[[], Any], weigh: Any) -> None:
        self.do = do
        with Tag("section", "", "zx-card", aria_label="What was learnt"):
            Tag("h2", "What was learnt of your picks", "zx-h")
            self.learnt = Tag("p", "", "", aria_live="polite")
            Tag("label", "What counts when children are chosen", "zx-label", for_="weight")
            weight = Tag("input", "", "zx-range", type="range", id="weight", min=0, max=1, step=0.1, value=0.5)
            weight.on("change", weigh, js_handler=VALUE)
            with Tag("div", "", "zx-ends", aria_hidden="true"):
                Tag("span", "the words")
                Tag("span", "your taste")
            with Tag("div", "", "zx-bar"):
                button("Compare pairs", compare, "", "p")
                button("Forget", lambda: do(lambda bench: bench.breeding.forget()))
        with Tag("section", "", "zx-card", aria_label="Locks") as self.locking:
            Tag("h2", "Keep as it is", "zx-h")
            self.locks = Tag("div", "", "zx-chips")
        with Tag("section", "", "zx-card", aria_label="Search on"):
            Tag("h2", "Search on from the favourites", "zx-h")
            Tag("p", "A search by the words, beginning around the pictures that you favour.", "zx-soft")
            button("Search on", evolve, "", "e")
        with Tag("section", "", "zx-card", aria_label="History"):
            Tag("h2", "Steps", "zx-h")
            self.history = Tag("div", "", "zx-chips")

    def update(self, bench: Bench) -> None:
        """Show the breeding as it is now."""
        self.learnt.set_text(bench.learnt())
        self._update_locks(bench)
        self._update_history(bench)

    def _update_locks(self, bench: Bench) -> None:
        names = bench.breeding.variation.locks
        show(self.locking, bool(names))
        self.locks.clear()
        with self.locks:
            for name in names:
                pressed = "true" if name in bench.family.table.locks else "false"
                button(name, lambda name=name: self.do(lambda b: b.breeding.lock(name)), aria_pressed=pressed)

    def _update_history(self, bench: Bench) -> None:
        steps = bench.family.generations()[-MOST_STEPS:]
        here = max((step for step in steps if step <= bench.family.at), default=0)
        self.history.clear()
        with self.history:
            for step in steps:
                table = bench.family.tables[step]
                text = f"{table.generation} {table.about}"
                go = lambda step=step: self.do(lambda b: b.family.branch(step))  # noqa: E731
                button(text, go, aria_pressed="true" if step == here else "false", aria_label=f"Go to step {text}")

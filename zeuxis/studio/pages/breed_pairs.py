"""Two pictures of a breeding, one of which is preferred: two keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from zeuxis.studio.pages.common import Tag, button, show, tried
from zeuxis.studio.state import Bench, Studio


class Pairs:
    """The pair of one tab; `do` acts on the breeding, `over` is told when there are enough."""

    def __init__(
        self, studio: Studio, do: Callable[[Callable[[Bench], Any]], Awaitable[Any]], over: Callable[[], Any]
    ) -> None:
        self.studio, self.do = studio, do
        with Tag("section", "", "zx-card", aria_label="Which do you prefer?") as self.box:
            Tag("h2", "Which do you prefer?", "zx-h")
            Tag("p", "Click it, or press the left or right arrow.", "zx-soft")
            with Tag("div", "", "zx-pair"):
                self.two = []
                for key in ("ArrowLeft", "ArrowRight"):
                    one = Tag("button", "", "cell", type="button", data_key=key)
                    with one:
                        one.image = Tag("img", "", alt="")  # type: ignore[attr-defined]
                    one.on("click", lambda one=one: self._prefer(one))
                    self.two.append(one)
            button("Enough", over, "", "p")
        show(self.box, False)

    @property
    def shown(self) -> bool:
        """Whether a pair is asked for now."""
        return bool(self.box.visible)

    def turn(self) -> None:
        """Show two pictures, or no longer."""
        show(self.box, not self.shown)
        if self.shown:
            self.next()

    def next(self) -> None:
        """The picture that is best by now, and one that may be better."""
        bench = self.studio.bench
        if bench is None or len(bench.family.table.shown) < 2:
            return
        pair = tried(bench.breeding.pair)
        if pair is None:
            return
        for one, number in zip(self.two, pair, strict=True):
            one.number = number  # type: ignore[attr-defined]
            one.props["aria-label"] = f"Prefer picture {number}"
            one.image.props["src"] = f"/bred/{bench.key}/{number}.jpg"  # type: ignore[attr-defined]

    async def _prefer(self, one: Any) -> None:
        other = next(two for two in self.two if two is not one)
        await self.do(lambda bench: bench.breeding.prefer(one.number, other.number))  # type: ignore[attr-defined]
        self.next()

"""A picture is dropped: verified where Zeuxis made it, else an image prompt."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from zeuxis.studio.dropped import LIMITS, Dropped
from zeuxis.studio.pages.common import Tag, away, button, code_line, page, say, tried
from zeuxis.studio.state import Studio

NAMES = """document.querySelectorAll('.q-uploader__input').forEach((e) => {
    e.setAttribute('aria-label', 'Choose a picture'); e.tabIndex = -1; })"""  # it has no name of its own
CHOOSE = "() => document.querySelector('.q-uploader__input').click()"  # at once: browsers open it for a click only


def open_page(studio: Studio) -> None:
    """Everything on the page."""
    with page("/open", "everywhere"):
        Opened(studio)


class Opened:
    """One tab: where to drop, and what was dropped last."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        Tag("h1", "Open a picture", "zx-h")
        about = "A picture that Zeuxis made is drawn again from what its file says and compared, pixel by pixel. With "
        Tag("p", about + "any other you can search for pictures like it. Nothing leaves this computer.", "zx-soft")
        with Tag("div", "", "zx-drop"):
            self.upload = ui.upload(
                label="Drop a picture here, or",
                auto_upload=True,
                max_file_size=LIMITS.bytes,
                on_upload=self._dropped,
                on_rejected=lambda: say(f"Expected a picture file of at most {LIMITS.bytes:,} bytes.", "warning"),
            )
            self.upload.props('accept="image/*" flat aria-label="Drop a picture here"')
            choose = Tag("button", "Choose a picture", "zx-btn main", type="button")
            choose.on("click", js_handler=CHOOSE)
        ui.timer(0.2, lambda: ui.run_javascript(NAMES), once=True)
        self.result = Tag("div", "", "zx-stack", aria_live="polite")
        if studio.dropped is not None:
            self._show(studio.dropped)

    async def _dropped(self, event: Any) -> None:
        if event.file.size() > LIMITS.bytes:
            say(f"Expected a picture of at most {LIMITS.bytes:,} bytes.", "warning")
            return
        data = await event.file.read()
        self.result.clear()
        with self.result:
            Tag("p", "Drawing it again …", "zx-soft")
        found = await away(self.studio.take, data)
        self.upload.reset()
        self.result.clear()
        if found is not None:
            self._show(found)

    def _show(self, found: Dropped) -> None:
        kind = {True: "good", False: "bad", None: ""}[found.agrees]
        with self.result:
            Tag("p", found.said, f"zx-note {kind}", role="status", data_agrees=str(found.agrees))
            with Tag("div", "", "zx-cols"):
                with Tag("div", "", "zx-best"):
                    Tag("img", "", src=f"/dropped/saved.png?{found.path.stem}", alt="The picture that was dropped")
                    if found.agrees is False:
                        Tag("p", "as it was dropped", "zx-soft")
                        Tag("img", "", src=f"/dropped/drawn.png?{found.path.stem}", alt="The picture drawn again")
                        Tag("p", "drawn again", "zx-soft")
                with Tag("div", "", "zx-stack"):
                    if found.info is None:
                        self._photo(found)
                    else:
                        self._ours(found)

    def _photo(self, found: Dropped) -> None:
        Tag("p", "Search for pictures that look like it:")
        button("Search with it as the prompt", partial(self._start, "", image_prompt=(str(found.path),)), "main")

    def _ours(self, found: Dropped) -> None:
        info = found.info
        assert info is not None
        score = "" if info.score is None else f", score {info.score:.3f}"
        Tag("h2", info.prompt[:300], "zx-h")
        Tag("p", f"Seed {info.seed}, generation {info.generation}{score}, {len(info.latent)} genes")
        Tag("p", f"Generator {info.generator}, weights {info.sha256[:16]}…, Zeuxis {info.version}", "zx-soft")
        with Tag("div", "", "zx-bar"):
            path = (str(found.path),)
            button("Search on from it", partial(self._start, info.prompt, start_from=path), "main")
            button("The same words and seed", partial(self._start, info.prompt, seed=info.seed))
            button("The same words", partial(self._start, info.prompt))
        code_line(found.command)

    def _start(self, prompt: str, **fields: Any) -> None:
        if tried(partial(self.studio.live.start, prompt, **fields)) is not None:
            ui.navigate.to("/")

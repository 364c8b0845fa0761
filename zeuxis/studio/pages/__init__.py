"""The pages of the studio, one file each. They read and call `zeuxis.studio.state`; all text is shown as text."""

from __future__ import annotations

from nicegui import ui

from zeuxis.studio.pages.breed import breed_page
from zeuxis.studio.pages.gallery import gallery_page
from zeuxis.studio.pages.open import open_page
from zeuxis.studio.pages.pictures import add_pictures
from zeuxis.studio.pages.plots import plots_page
from zeuxis.studio.pages.queue import queue_page
from zeuxis.studio.pages.results import add_results
from zeuxis.studio.pages.search import search_page
from zeuxis.studio.state import Studio


def register(studio: Studio) -> None:
    """Pages and pictures of this studio, as routes of NiceGUI's application."""
    ui.page("/")(lambda: search_page(studio))
    ui.page("/breed")(lambda: breed_page(studio))
    ui.page("/gallery")(lambda: gallery_page(studio))
    ui.page("/open")(lambda: open_page(studio))
    ui.page("/queue")(lambda: queue_page(studio))

    @ui.page("/plots")
    def plots(show: str = "") -> None:
        plots_page(studio, show)

    add_pictures(studio)
    add_results(studio)

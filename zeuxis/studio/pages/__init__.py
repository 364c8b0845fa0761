"""The pages of the studio, one file each. They read and call `zeuxis.studio.state`; all text is shown as text."""

from __future__ import annotations

from nicegui import ui

from zeuxis.studio.pages.breed import breed_page
from zeuxis.studio.pages.gallery import gallery_page
from zeuxis.studio.pages.open import open_page
from zeuxis.studio.pages.pictures import add_pictures
from zeuxis.studio.pages.search import search_page
from zeuxis.studio.state import Studio


def register(studio: Studio) -> None:
    """Pages and pictures of this studio, as routes of NiceGUI's application."""
    ui.page("/")(lambda: search_page(studio))
    ui.page("/breed")(lambda: breed_page(studio))
    ui.page("/gallery")(lambda: gallery_page(studio))
    ui.page("/open")(lambda: open_page(studio))
    add_pictures(studio)

"""Pages on paper: nothing is cut at the edge of a sheet, whatever scheme the screen has."""

import shutil

import pytest

from zeuxis.report.evaluation import Page, Section, TableView, write_page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed", exc_type=ImportError)
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: apt-get install chromium")
SHEET = {"width": 718, "height": 1047}  # CSS pixels of A4 within margins of a centimetre
CUT = """() => [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 ||
  (e.clientWidth && e.scrollWidth > e.clientWidth + 1)).map(e => e.outerHTML.slice(0, 100))"""


def test_a_wide_table_is_not_cut_on_paper(tmp_path):
    columns = ("generator", "runs", *(f"measure {k}" for k in range(6)))
    rows = tuple((name, "8", *["0.4949 (0.4559 to 0.5291)"] * 6) for name in ("pocket", "pocket-products"))
    section = Section("All phrases", tables=(TableView("All phrases", columns, rows),))
    path = write_page(tmp_path, Page("Zeuxis", "A wide table", ("A sentence.",), (section,), "zeuxis evaluate"))
    assert path.read_text(encoding="utf-8").count("All phrases") == 1  # a table does not repeat its section's heading
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport=SHEET, color_scheme="dark")
        page.goto(path.as_uri())
        assert page.evaluate(CUT) != []  # on a screen it scrolls
        page.emulate_media(media="print")
        assert page.evaluate(CUT) == []
        ink = "getComputedStyle(document.querySelector('td')).color"
        assert page.evaluate(ink) == "rgb(0, 0, 0)"
        browser.close()

"""Journeys through a large gallery: search, scroll, marks, selection, comparison, export."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from browsing import LONG, loaded, needs_browser, shot, status, watched
from PIL import Image
from serving import start, stop
from stock import stock

pytestmark = needs_browser()
SIZES = [1000, pytest.param(25_000, marks=pytest.mark.long)]
SEEN = 160  # cells that may be in the page at once


@pytest.fixture(scope="module", params=SIZES)
def large(request, tmp_path_factory):
    """(address, pictures) of a studio with so many pictures."""
    place = tmp_path_factory.mktemp("large")
    stock(place / "runs", request.param)
    port, process, _ = start(place)
    yield f"http://127.0.0.1:{port}", request.param, place
    stop(process)


@pytest.fixture
def wall(browser, large):
    """The gallery's page, which fails the test for an error in it."""
    wrong = []
    page = watched(browser, large[0], wrong)
    page.goto(f"{large[0]}/gallery")
    page.wait_for_function("n => Number(document.querySelector('#wall')?.dataset.total ?? 0) >= n", arg=large[1] - 100)
    loaded(page, 20)
    yield page
    page.context.close()
    assert wrong == []


def cells(page):
    return page.locator("#wall .cell")


def total(page):
    return int(page.inner_text("[role=status]").split()[0].replace(",", ""))


def found(page, words, phrase):
    page.fill("input[name=text]", words)
    page.press("input[name=text]", "Enter")
    first = "document.querySelector('#wall .cell')?.getAttribute('aria-label') ?? ''"
    few = "document.querySelector('#wall').dataset.total <= 64"
    page.wait_for_function(f"p => {few} && ({first}).includes(p)", arg=phrase, timeout=LONG)


def test_gallery_search_among_thousands(wall, large):
    page = wall
    assert total(page) >= large[1] - 100 and 20 <= cells(page).count() <= SEEN
    found(page, "giraffe green", "a green giraffe")
    assert status(page, "^64 pictures")
    page.fill("input[name=text]", "giraffe zebra")  # all the words have to be there
    page.press("input[name=text]", "Enter")
    page.wait_for_selector("text=No picture fits")
    page.fill("input[name=text]", "")
    page.select_option("select[name=sort]", "score")
    page.wait_for_function("document.querySelector('#wall .cell')?.title.includes('score')")
    status(page, r"\d,\d{3} pictures")
    loaded(page, 20)
    titles = [one.get_attribute("title") for one in cells(page).all()[:16]]
    scores = [float(title.partition("score ")[2].partition(",")[0]) for title in titles]
    assert scores == sorted(scores, reverse=True)
    page.fill("input[name=judged]", "101")
    page.press("input[name=judged]", "Tab")
    page.wait_for_selector("text=No picture fits")
    page.fill("input[name=judged]", "")
    page.fill("input[name=until]", "2001-01-01")
    page.press("input[name=until]", "Tab")
    page.wait_for_selector("text=No picture fits")
    page.wait_for_function("document.querySelectorAll('#wall .cell').length === 0")
    page.fill("input[name=until]", "")
    page.press("input[name=until]", "Tab")
    loaded(page, 20)


@pytest.mark.long
def test_scrolling_shows_every_picture_and_keeps_few(wall):
    page = wall
    for share in (0.1, 0.5, 0.52, 0.9, 1.0, 0.0):
        page.evaluate("s => scrollTo(0, s * document.documentElement.scrollHeight)", share)
        loaded(page, 8)
        assert cells(page).count() <= SEEN
    page.keyboard.press("Tab")
    cells(page).nth(0).focus()
    page.keyboard.press("End")
    last = f"picture {total(page)} of"
    page.wait_for_function(f"document.activeElement.getAttribute('aria-label').includes('{last}')")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("PageUp")
    loaded(page, 8)
    assert page.evaluate("document.activeElement.classList.contains('cell')")
    page.keyboard.press("Home")
    page.wait_for_function("document.activeElement.getAttribute('aria-label').includes('picture 1 of')")


def visit(browser, address, wrong, asked):
    """See the first screen in a new browser profile, and all that is drawn around it; what is asked for until then."""
    page = watched(browser, address, wrong)
    page.on("request", lambda request: asked.append(request.url.removeprefix(address)))
    page.goto(f"{address}/gallery")
    loaded(page, 20)
    page.wait_for_function("[...document.querySelectorAll('#wall .cell img')].every(one => one.naturalWidth > 0)")
    page.context.close()


@pytest.mark.parametrize("cold", [True, False])
def test_the_first_screen_needs_few_requests(browser, large, cold):
    """A new browser profile; thumbnails that are made on the way, or are there. What counts is what a busy machine does
    not change: a request for each picture made the first screen take three times as long.
    """
    wrong, asked = [], []
    thumbnails = large[2] / "runs" / ".studio" / "thumbnails"
    if cold:
        while thumbnails.exists():  # the pages of other tests may still have some made
            shutil.rmtree(thumbnails, ignore_errors=True)
    else:
        visit(browser, large[0], wrong, [])
    visit(browser, large[0], wrong, asked)
    pictures = [url for url in asked if url.startswith(("/items/", "/drawn/", "/thumb/"))]
    drawn = sum(url.startswith("/drawn/") for url in pictures)
    assert wrong == [] and len(pictures) <= 8 and not any(url.startswith("/thumb/") for url in pictures), pictures
    assert drawn > 0 if cold else drawn == 0, pictures


@pytest.mark.long
def test_stars_rejections_and_comparison(wall, tmp_path):
    page = wall
    found(page, "giraffe", "a green giraffe")
    loaded(page, 20)
    cells(page).nth(5).focus()
    page.keyboard.press("s")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.wait_for_selector("#wall .cell.rejected")
    assert "rejected" in cells(page).nth(6).get_attribute("class")
    page.select_option("select[name=show]", "starred")
    assert status(page, "^1 picture,")
    page.wait_for_selector("#wall .cell >> text=★")
    page.select_option("select[name=show]", "")
    assert status(page, "^63 pictures")
    loaded(page, 20)
    cells(page).nth(0).focus()
    page.keyboard.press("s")  # no star again
    for place in (1, 2):
        cells(page).nth(place).click()
    page.wait_for_selector("text=2 selected")
    page.keyboard.press("v")
    page.wait_for_selector(".zx-split img")
    shot(page, "compare-two")
    page.keyboard.press("m")
    page.wait_for_selector(".zx-twice figure")
    assert page.locator(".zx-twice img:visible").count() == 2
    page.keyboard.press("Escape")
    page.wait_for_selector(".zx-dialog", state="detached")
    cells(page).nth(8).click(modifiers=["Shift"])
    page.wait_for_selector("text=8 selected")
    page.keyboard.press("v")
    page.wait_for_selector(".zx-many figure >> nth=7")
    shot(page, "compare-many")
    assert "judge" in page.inner_text(".zx-many") and "a green giraffe" in page.inner_text(".zx-many")
    with page.expect_download() as got:
        page.click("text=Save as a sheet")
    sheet = Image.open(io.BytesIO(got.value.path().read_bytes()))
    assert sheet.format == "PNG" and sheet.width > 3 * 256
    page.keyboard.press("Escape")


def test_a_selection_is_exported(wall):
    page = wall
    found(page, "giraffe", "a green giraffe")
    loaded(page, 20)
    cells(page).nth(0).click()
    cells(page).nth(2).click(modifiers=["Shift"])
    page.wait_for_selector("text=3 selected")
    shot(page, "gallery-selected")
    got = {}
    for kind in ("zip", "sheet", "video", "way", "2x", "4x"):
        page.select_option("select[name=kind]", kind)
        with page.expect_download(timeout=LONG) as download:
            page.click("button:text-is('Export')")
        got[kind] = (download.value.suggested_filename, download.value.path().read_bytes())
    names = zipfile.ZipFile(io.BytesIO(got["zip"][1])).namelist()
    assert len(names) == 4 and names[-1] == "pictures.json"
    large = zipfile.ZipFile(io.BytesIO(got["4x"][1]))
    assert Image.open(io.BytesIO(large.read(large.namelist()[0]))).width == 128
    assert len(json.loads(large.read("pictures.json"))) == 3
    way = Image.open(io.BytesIO(got["way"][1]))
    assert way.format == "WEBP" and 50 < way.n_frames <= 60 and got["way"][0].endswith(".webp")
    assert got["video"][0].endswith((".webp", ".mp4")) and np.asarray(Image.open(io.BytesIO(got["sheet"][1]))).ndim == 3
    page.keyboard.press("a")
    page.wait_for_selector("text=/6[34] selected/")  # one of them may be rejected
    page.click("text=Clear")
    page.wait_for_selector("text=Click to select")


def test_a_deleted_run_comes_back(wall, large):
    page = wall
    before = total(page)
    cells(page).nth(0).click()
    page.wait_for_selector("text=1 selected")
    page.click("text=Delete the run")
    status(page, f"^({before - 64:,}|{before - 63:,}) pictures")  # one of them may be rejected
    page.click("text=Undo the deletion")
    status(page, f"^{before:,} pictures")

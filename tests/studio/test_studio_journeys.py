"""Journeys through the studio in a real browser: watch and stop, breed and undo, a plane, drop, two tabs, reload."""

import io
import re
import time

import numpy as np
import pytest
from browsing import begin, needs_browser, shot, status, watched
from PIL import Image

from zeuxis.run import RunFolder
from zeuxis.studio.journal import NAME

pytestmark = needs_browser()
WORDS = "<img src=x onerror=\"document.title='owned'\"> a red disc"


def until(fits, seconds=90):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end
        time.sleep(0.05)


def generation(page, pattern="generation"):
    return int(re.search(r"generation (\d+)", status(page, pattern))[1])


def test_type_watch_stop(page, studio, place):
    begin(page, studio, WORDS)
    status(page, r"generation ([3-9]|\d\d)")
    assert page.locator("#sheet .cell:visible").count() == 16
    assert "owned" not in page.title() and page.locator("img[src=x]").count() == 0
    page.click("text=Stop")
    said = status(page, "^Stopped")
    folder = RunFolder(next(path for path in (place / "runs").iterdir() if "img-src" in path.name))
    assert f"generation {folder.generations - 1} of" in said
    assert folder.summary()["generations"] == folder.generations and folder.best_image.exists()
    assert folder.prompt == WORDS and page.inner_text("code").startswith("zeuxis generate --generator toy")


@pytest.mark.long
def test_two_tabs_show_the_same_run(page, browser, studio):
    begin(page, studio, "a white square")
    wrong = []
    other = watched(browser, studio, wrong)
    other.goto(studio)
    other.wait_for_selector("#sheet .cell:visible")
    assert "a white square" in status(other, r"generation \d")
    other.locator("#sheet .cell").nth(1).click()
    page.wait_for_selector("text=1 picked")
    other.click("text=Stop")
    assert status(page, "^Stopped") == status(other, "^Stopped")
    other.context.close()
    assert wrong == []


@pytest.mark.long
def test_reload_in_the_middle_of_a_run(page, studio, place):
    begin(page, studio, "a black ring")
    first = generation(page, r"generation [2-9]")
    page.reload()
    again = generation(page, r"generation \d")
    page.wait_for_selector("#sheet .cell:visible")
    page.goto("about:blank")  # nobody watches
    run = RunFolder(next(path for path in (place / "runs").iterdir() if "a-black-ring" in path.name))
    until(lambda: run.generations > again + 3)
    page.goto(studio)
    last = generation(page, r"generation \d")
    assert first <= again < last and "a black ring" in page.inner_text("[role=status]")
    page.keyboard.press("Tab")  # out of the text field: keys are its own there
    page.click("text=Stop")
    status(page, "^Stopped")


def test_pick_breed_undo(page, studio, place):
    begin(page, studio, "a red disc", "3")
    status(page, "^Done")
    page.locator("#sheet .cell").nth(0).click()
    page.locator("#sheet .cell").nth(2).click()
    page.wait_for_selector("text=2 picked")
    page.click("text=Breed by hand")
    status(page, "generation 0 · click")
    cells = page.locator(".zx-grid .cell:visible")
    assert cells.count() == 12
    first = [cell.get_attribute("aria-label") for cell in cells.all()]
    cells.nth(1).click()
    status(page, "1 favoured")
    cells.nth(3).focus()
    page.keyboard.press("Enter")
    status(page, "2 favoured")
    assert page.inner_text("code").startswith("zeuxis replay")
    page.keyboard.press("c")
    status(page, "generation 1")
    children = [cell.get_attribute("aria-label") for cell in cells.all()]
    assert children[:2] == [first[1], first[3]] and all("cross" in c or "mutate" in c for c in children[2:])
    cells.nth(5).dblclick()
    page.wait_for_selector(".zx-dialog >> text=Family")
    assert "against its best parent" in page.inner_text(".zx-dialog:visible")
    page.keyboard.press("Escape")
    page.wait_for_selector(".zx-dialog", state="detached")
    page.keyboard.press("u")
    status(page, "generation 0 · 2 favoured")
    page.keyboard.press("Control+z")
    status(page, "generation 0 · 1 favoured")
    page.keyboard.press("y")
    status(page, "generation 0 · 2 favoured")
    assert [cell.get_attribute("aria-label") for cell in cells.all()] == first
    bred = [path for path in (place / "runs").iterdir() if (path / NAME).exists() and "a-red-disc" in path.name]
    assert [len(list((path / "kept").iterdir())) for path in bred] == [2]


@pytest.mark.long
def test_plane_zoom_and_back(page, studio, place):
    page.goto(f"{studio}/breed")
    page.fill("input[name=prompt]", "a purple square")
    page.press("input[name=prompt]", "Enter")
    status(page, "purple square · generation 0")
    cells = page.locator(".zx-grid .cell:visible")
    cells.nth(2).focus()
    for key in ("Enter", "ArrowRight", "Enter", "ArrowRight", "Enter"):
        page.keyboard.press(key)  # quickly: no pick is lost
    status(page, "3 favoured")
    page.keyboard.press("n")
    status(page, "generation 1 · plane through")
    assert cells.count() == 25 and "made by plane" in cells.nth(0).get_attribute("aria-label")
    shot(page, "plane-light")
    corner = cells.nth(6).get_attribute("aria-label")
    cells.nth(12).focus()
    for key in ("ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == corner
    page.keyboard.press("Enter")
    status(page, "4 favoured")
    page.keyboard.press("+")
    status(page, "generation 2 · plane")
    assert cells.nth(12).get_attribute("aria-label") == corner
    page.keyboard.press("-")
    status(page, "generation 3 · plane")
    page.keyboard.press("u")
    status(page, "generation 2 · plane")
    assert cells.nth(12).get_attribute("aria-label") == corner
    cells.nth(12).dblclick()
    page.wait_for_selector(".zx-dialog >> text=Made by plane of")
    page.keyboard.press("Escape")
    page.wait_for_selector(".zx-dialog", state="detached")
    page.keyboard.press("c")
    status(page, "generation 3 · click")
    assert cells.count() == 12


def test_drop_verify(page, studio, place, tmp_path):
    begin(page, studio, "a blue square", "1")
    status(page, "^Done")
    folder = next(path for path in (place / "runs").iterdir() if "a-blue-square" in path.name)
    page.goto(f"{studio}/open")
    page.wait_for_selector("input[type=file]", state="attached")
    page.set_input_files("input[type=file]", folder / "images" / "best.png")
    page.wait_for_selector("[data-agrees=True]")
    assert "Verified" in page.inner_text("main") and "a blue square" in page.inner_text("main h2")
    photo = io.BytesIO()
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(photo, "JPEG")
    page.set_input_files(
        "input[type=file]", {"name": "../../../evil.jpg", "mimeType": "image/jpeg", "buffer": photo.getvalue()}
    )
    page.wait_for_selector("text=Search with it as the prompt")
    assert not list(place.rglob("*evil*"))
    page.set_input_files("input[type=file]", {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_selector("text=Expected a readable")

"""Journeys through the studio in a real browser: type, watch and stop; pick, breed and undo; drop and verify."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from serving import start, stop

from zeuxis.run import RunFolder
from zeuxis.studio.journal import NAME

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed", exc_type=ImportError)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: apt-get install chromium")
LONG = 40_000  # milliseconds: test machines are busy
WORDS = "<img src=x onerror=\"document.title='owned'\"> a red disc"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("journeys")


@pytest.fixture(scope="module")
def studio(place):
    port, process, _ = start(place)
    yield f"http://127.0.0.1:{port}"
    stop(process)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, studio):
    """A page that fails the test for an error in it and for any request to elsewhere."""
    context = browser.new_context(viewport={"width": 1200, "height": 850}, reduced_motion="reduce")
    wrong = []
    made = context.new_page()
    made.set_default_timeout(LONG)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
    made.on("request", lambda request: wrong.append(request.url) if foreign(request.url, studio) else None)
    yield made
    context.close()
    assert wrong == []


def foreign(url, studio):
    return not url.startswith((studio, studio.replace("http", "ws"), "data:", "blob:"))


def status(page, pattern):
    """Wait until the line that says where things are fits."""
    fits = "p => new RegExp(p).test(document.querySelector('[role=status]')?.innerText ?? '')"
    try:
        page.wait_for_function(fits, arg=pattern, timeout=LONG)
    except playwright.TimeoutError:
        raise AssertionError(f"{pattern}, got {page.inner_text('main')[:1500]}") from None
    return page.inner_text("[role=status]")


def begin(page, studio, words, generations="100000"):
    page.goto(studio)
    page.wait_for_function("document.activeElement?.name === 'prompt'")
    page.keyboard.type(words)
    page.click("summary")
    page.select_option("select[name=generator]", "toy")
    page.fill("input[name=population]", "16")
    page.fill("input[name=generations]", generations)
    page.press("input[name=prompt]", "Enter")
    return status(page, r"generation \d")


def test_type_watch_stop(page, browser, studio, place):
    begin(page, studio, WORDS)
    first = int(re.search(r"generation (\d+)", status(page, r"generation ([3-9]|\d\d)"))[1])
    assert page.locator("#sheet .cell:visible").count() == 16
    assert "owned" not in page.title() and page.locator("img[src=x]").count() == 0
    other = browser.new_page()
    other.goto(studio)
    other.wait_for_selector("#sheet .cell:visible", timeout=LONG)
    assert WORDS in status(other, "generation")
    page.goto("about:blank")  # nobody watches
    other.close()
    page.goto(studio)
    again = int(re.search(r"generation (\d+)", status(page, "generation"))[1])
    assert again > first
    page.click("text=Stop")
    said = status(page, "^Stopped")
    folder = RunFolder(next(path for path in (place / "runs").iterdir() if (path / "run.json").exists()))
    assert f"generation {folder.generations - 1} of" in said
    assert folder.summary()["generations"] == folder.generations and folder.best_image.exists()
    assert folder.prompt == WORDS and page.inner_text("code").startswith("zeuxis generate --generator toy")


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
    bred = next(path for path in (place / "runs").iterdir() if (path / NAME).exists())
    assert len(list((bred / "kept").iterdir())) == 2


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


def test_gallery_phone_and_dark(browser, studio):
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{studio}/gallery")
    page.wait_for_selector(".zx-wall .cell:visible", timeout=LONG)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for path in ("/gallery", "/", "/breed", "/open"):
        page.goto(studio + path)
        page.wait_for_selector("main", timeout=LONG)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        named = "[...document.querySelectorAll('button, a, input, select')].filter(e => e.offsetParent && !(e.innerText"
        named += ".trim() || e.ariaLabel || e.title || e.labels?.length || e.placeholder)).map(e => e.outerHTML)"
        assert [one for one in page.evaluate(named) if "q-" not in one] == [], path
    page.keyboard.press("?")
    page.wait_for_selector("text=this sheet")
    page.keyboard.press("Escape")
    page.wait_for_selector(".q-dialog", state="detached")
    page.keyboard.press("d")
    page.wait_for_function("c => getComputedStyle(document.body).backgroundColor !== c", arg=dark)
    context.close()

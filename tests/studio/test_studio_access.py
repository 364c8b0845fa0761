"""The studio by keyboard alone, on a phone, at 200 %, in the dark, and heard: names, focus, contrast."""

import itertools
from pathlib import Path

import pytest
from browsing import LONG, begin, connected, faultless, loaded, needs_browser, shot, status, watched

pytestmark = needs_browser()
PAGES = ("/", "/breed", "/gallery", "/open", "/queue", "/plots")
LOOK = (Path(__file__).parent / "looked_at.js").read_text()
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
TWICE = {"viewport": {"width": 600, "height": 425}, "device_scale_factor": 2}  # a window of 1200 x 850 at 200 %
CUT = """() => [...document.querySelectorAll('button, a, input, select, p, h1, h2, label, img, code')].filter(e => {
  const r = e.getBoundingClientRect(), s = getComputedStyle(e);
  if (!e.checkVisibility() || r.width < 2 || e.closest('.zx-skip, .zx-heard, .zx-layer, .q-uploader, .zx-scroll')) {
    return false;
  }
  return r.left < -1 || r.right > innerWidth + 1 || (s.overflowX !== 'visible' && e.tagName === 'BUTTON' &&
    e.scrollWidth > e.clientWidth + 1);
}).map(e => e.outerHTML.slice(0, 160))"""


@pytest.fixture(scope="module")
def filled(browser, studio):
    """The studio after a search and with a breeding, so that no page is empty."""
    page = watched(browser, studio, [])
    begin(page, studio, "a red disc on a white ground", "6", "24")
    status(page, "^Done")
    for place in (0, 3):
        page.locator("#sheet .cell").nth(place).click()
    page.wait_for_selector("text=2 picked")
    page.click("text=Breed by hand")
    status(page, "generation 0 · click")
    page.locator(".zx-grid .cell:visible").nth(1).click()
    status(page, "1 favoured")
    page.context.close()
    return studio


@pytest.fixture
def opened(browser, filled):
    """How to open a page with what a device is; each fails the test for an error in it."""
    made, wrong = [], []

    def open_it(path, **how):
        page = watched(browser, filled, wrong, **how)
        made.append(page)
        page.goto(filled + path)
        connected(page)
        if path == "/gallery":
            loaded(page, 3)
        return page

    yield open_it
    for page in made:
        page.context.close()
    assert wrong == []


def views(first, second):
    """Every page as `first`, the one with most on it as `second` too; the other pages so behind the marker `long`."""
    usual = [pytest.param(path, *first) for path in PAGES] + [pytest.param("/breed", *second)]
    return usual + [pytest.param(path, *second, marks=pytest.mark.long) for path in PAGES if path != "/breed"]


@pytest.mark.parametrize("path, scheme", views(["dark"], ["light"]))
def test_names_focus_and_contrast(opened, path, scheme):
    page = opened(path, color_scheme=scheme)
    shot(page, f"{path.strip('/') or 'search'}-{scheme}")
    faultless(page, LOOK)
    page.evaluate("document.activeElement.blur()")
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        here, ring = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
              return [e.outerHTML.slice(0, 120), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]; }"""
        )
        if here.startswith("<body") or here in seen:
            break
        seen.add(here)
        assert ring or "q-" in here, f"no focus to be seen: {here}"
    assert len(seen) > 5


@pytest.mark.parametrize("path, device, name", views([PHONE, "phone"], [TWICE, "twice"]))
def test_on_a_phone_and_at_200_percent(opened, path, device, name):
    page = opened(path, color_scheme="dark" if name == "phone" else "light", **device)
    shot(page, f"{path.strip('/') or 'search'}-{name}")
    faultless(page, CUT)
    assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"], path


def test_a_screenshot_of_a_phone_shows_pictures(opened):
    import io

    import numpy as np
    from PIL import Image

    def seen(of):
        return np.asarray(Image.open(io.BytesIO(of.screenshot())).convert("RGB"))

    page = opened("/gallery", **PHONE)
    page.locator("#wall").scroll_into_view_if_needed()
    one = page.locator("#wall .cell").nth(7)  # not below the bar, which stays at the top
    picture, inside = seen(page), seen(one)
    assert picture.shape == (1480, 720, 3)
    page.add_style_tag(content="#wall img { visibility: hidden }")
    assert (picture != seen(page)).any(axis=-1).mean() > 0.1  # whichever colours the pictures have
    assert (inside != seen(one)).any(axis=-1).mean() > 0.5


def test_light_and_dark_are_remembered_and_the_sheet_of_keys(opened):
    page = opened("/gallery", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.keyboard.press("?")
    page.wait_for_selector("text=this sheet")
    page.keyboard.press("Escape")
    page.wait_for_selector(".q-dialog", state="detached")
    page.keyboard.press("d")
    page.wait_for_function(f"c => {ground} !== c", arg=dark)
    page.reload()
    page.wait_for_function(f"c => {ground} !== c", arg=dark)


def test_by_keyboard_only(page, filled):
    page.goto(filled)
    page.wait_for_function("document.activeElement?.name === 'prompt'")
    page.keyboard.type("a yellow ring")
    for _ in itertools.repeat(None, 12):  # to the settings and into them
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.localName") == "summary":
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    for _ in range(10):  # to the first that begins with this letter, to the next
        page.keyboard.press("t")
        if page.evaluate("document.activeElement.value") == "toy":
            break
    page.keyboard.press("/")  # it is a key of a select, not of the page
    page.focus("input[name=prompt]")
    page.keyboard.press("Enter")
    status(page, r"a yellow ring.*generation [2-9]|generation [2-9].*a yellow ring")
    page.keyboard.press("Tab")
    page.keyboard.press(".")
    status(page, "^Stopped|^Done")
    page.keyboard.press("h")
    page.wait_for_url("**/breed")
    status(page, "generation 0 · click")
    tab_to(page, ".zx-grid .cell")
    for key in ("Enter", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    status(page, "2 favoured")
    page.keyboard.press("c")
    status(page, "generation 1")
    page.keyboard.press("Control+z")
    status(page, "generation 0 · 2 favoured")
    page.keyboard.press("3")
    page.wait_for_url("**/gallery")
    loaded(page, 10)
    tab_to(page, "#wall .cell")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=1 selected")
    page.keyboard.press("s")
    page.wait_for_selector("#wall .cell >> text=★")
    page.keyboard.press("o")
    page.wait_for_selector(".zx-dialog >> text=zeuxis replay", timeout=LONG)
    page.keyboard.press("Escape")
    page.wait_for_selector(".zx-dialog", state="detached")
    page.wait_for_function("document.activeElement.matches('#wall .cell')")
    page.keyboard.press("Escape")
    page.wait_for_selector("text=Click to select")


def tab_to(page, selector):
    for _ in itertools.repeat(None, 40):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"40 times Tab did not lead to {selector}")

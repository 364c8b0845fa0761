"""A browser for the journeys through the studio, and what all of them do."""

import shutil
from pathlib import Path

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LONG = 90_000  # milliseconds: test machines are busy


def needs_browser():
    """Skip a module where there is no browser to go through it."""
    pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed", exc_type=ImportError)
    return pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: apt-get install chromium")


def foreign(url, studio):
    return not url.startswith((studio, studio.replace("http", "ws"), "data:", "blob:"))


def watched(browser, studio, wrong, **how):
    """A page that puts into `wrong` each error in it and each request to elsewhere."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 850}, "reduced_motion": "reduce"} | how)
    made = context.new_page()
    made.set_default_timeout(LONG)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
    made.on("request", lambda request: wrong.append(request.url) if foreign(request.url, studio) else None)
    return made


def status(page, pattern):
    """Wait until the line that says where things are fits."""
    from playwright.sync_api import TimeoutError

    fits = "p => new RegExp(p).test(document.querySelector('[role=status]')?.innerText ?? '')"
    try:
        page.wait_for_function(fits, arg=pattern, timeout=LONG)
    except TimeoutError:
        raise AssertionError(f"{pattern}, got {page.inner_text('main')[:1500]}") from None
    return page.inner_text("[role=status]")


def begin(page, studio, words, generations="100000", population="16"):
    """Type a phrase, choose a small search and begin it."""
    page.goto(studio)
    page.wait_for_function("document.activeElement?.name === 'prompt'")
    page.keyboard.type(words)
    page.click("summary")
    page.select_option("select[name=generator]", "toy")
    page.fill("input[name=population]", population)
    page.fill("input[name=generations]", generations)
    page.press("input[name=prompt]", "Enter")
    return status(page, rf": {words}.*generation \d")  # of this search, not of the one before


def loaded(page, least=1):
    """Wait until all cells of the wall that are in view show their pictures."""
    page.wait_for_function(
        """least => {
          const cells = [...document.querySelectorAll('#wall .cell')].filter(c => {
            const r = c.getBoundingClientRect(); return r.bottom > 0 && r.top < innerHeight; });
          return cells.length >= least && cells.every(c => c.firstChild.complete && c.firstChild.naturalWidth > 0);
        }""",
        arg=least,
        timeout=LONG,
    )


def connected(page):
    """Wait until the page hears of the server, so that all that comes after its first sight is there."""
    page.wait_for_selector("main")
    page.wait_for_function("window.socket?.connected && window.did_handshake", timeout=LONG)


def faultless(page, script):
    """Wait until the faults that a script finds in the page are none; an error with those that stay."""
    from playwright.sync_api import TimeoutError

    try:
        page.wait_for_function(f"() => ({script})().length === 0", timeout=20_000)
    except TimeoutError:
        raise AssertionError(page.evaluate(script)) from None


def shot(page, name):
    """A screenshot, where a folder for them is named in the environment."""
    import os

    if folder := os.environ.get("ZEUXIS_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")

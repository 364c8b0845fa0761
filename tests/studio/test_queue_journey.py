"""The queue in a real browser: by keyboard alone, a server that is killed in the middle, and what came out of it."""

import signal

import pytest
from browsing import LONG, needs_browser, shot, status, watched
from serving import start, stop

from zeuxis.run import RunFolder

pytestmark = needs_browser()
LONG_RUN, SHORT_RUN = "100000", "3"
TAGGED = "a green disc <b>x</b>"


def put(page, words, generations, keys="Shift+Enter"):
    """Type a phrase and put it into the queue."""
    page.fill("input[name=generations]", generations)
    page.fill("input[name=prompt]", words)
    page.press("input[name=prompt]", keys)
    page.wait_for_selector(".q-notification >> text=In the queue")  # not the link that counts what waits


def rows(page, many):
    """The titles of what runs and waits, once they are so many."""
    found = "[aria-label='What runs and waits'] .zx-item"
    page.wait_for_function(f'n => document.querySelectorAll("{found}").length === n', arg=many)
    return [row.get_attribute("aria-label").split(",")[0] for row in page.locator(found).all()]


def stop_by_key(page, words):
    """Press the key on what runs until it was heard: a row that is drawn anew at that very moment hears nothing."""
    from playwright.sync_api import TimeoutError

    now = page.locator(".zx-item.now", has_text=words)
    for _ in range(60):
        if now.count():
            now.focus()
            page.keyboard.press("c")
        try:
            now.wait_for(state="detached", timeout=5000)
            return
        except TimeoutError:
            continue
    raise AssertionError(f"{words} runs on")


def form(page, address):
    page.goto(address)
    page.wait_for_function("document.activeElement?.name === 'prompt'")
    page.click("summary")
    page.select_option("select[name=generator]", "toy")
    page.fill("input[name=population]", "8")
    page.fill("input[name=more]", "scorer=toy judge=toy augment=0")


@pytest.fixture
def wrong():
    found = []
    yield found
    assert found == []


@pytest.mark.long  # test_queue_pages.py has the page without a browser, test_runner.py the kill
@pytest.mark.timeout(900)  # two studios and four runs
def test_queue_by_keyboard_through_a_kill(browser, tmp_path, wrong):
    port, process, _ = start(tmp_path)
    address = f"http://127.0.0.1:{port}"
    page = watched(browser, address, wrong)
    form(page, address)
    for words, generations in (("a red disc", LONG_RUN), ("a blue disc", SHORT_RUN), (TAGGED, SHORT_RUN)):
        put(page, words, generations)
        status(page, "a red disc")  # it has begun: what comes to the front comes after it
    put(page, "a white disc", SHORT_RUN, "Control+Shift+Enter")
    assert page.input_value("input[name=population]") == "8"
    page.keyboard.press("Escape")
    page.goto(f"{address}/queue")
    assert rows(page, 4) == ["a red disc", "a white disc", "a blue disc", TAGGED]
    page.locator(".zx-item").nth(2).focus()
    page.keyboard.press("Shift+ArrowDown")
    page.wait_for_function("document.activeElement.getAttribute('aria-label')?.includes('place 3 of 3')")
    assert rows(page, 4)[2:] == [TAGGED, "a blue disc"]
    page.keyboard.press("f")
    page.wait_for_function("document.activeElement.getAttribute('aria-label')?.includes('place 1 of 3')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    assert rows(page, 3) == ["a red disc", "a blue disc", TAGGED]
    page.wait_for_function("document.querySelector('.zx-item.now')?.innerText.match(/generation ([3-9]|\\d\\d)/)")
    shot(page, "queue")
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    page.context.close()
    runs = [path for path in (tmp_path / "runs").iterdir() if (path / "run.json").exists()]
    assert len(runs) == 1 and not (runs[0] / "summary.json").exists()
    before = RunFolder(runs[0]).generations

    port, process, _ = start(tmp_path)
    address = f"http://127.0.0.1:{port}"
    page = watched(browser, address, wrong)
    try:
        page.goto(f"{address}/queue")
        page.wait_for_selector(".zx-item.now")
        assert "a red disc" in page.inner_text(".zx-item.now")
        page.wait_for_function("document.querySelector('.zx-item.now')?.innerText.match(/generation \\d/)")
        stop_by_key(page, "a red disc")
        page.wait_for_selector("text=Nothing waits", timeout=3 * LONG)  # two runs, with their models and reports
        assert RunFolder(runs[0]).generations >= before
        assert sorted(path.name for path in (tmp_path / "runs").iterdir() if "red" in path.name) == [runs[0].name]
        page.wait_for_selector(f".zx-item:has-text('{TAGGED}') .zx-state.good")
        page.locator(".zx-item:has-text('green')").focus()
        page.keyboard.press("o")
        shot(page, "queue-open")
        page.wait_for_selector(".zx-dialog >> text=Best score")
        page.wait_for_function("document.querySelector('.zx-dialog img')?.naturalWidth > 0")
        page.keyboard.press("Escape")
        page.wait_for_selector(".zx-dialog", state="detached")
        page.keyboard.press("?")
        page.wait_for_selector("text=Keys: queue")
        page.keyboard.press("Escape")
        assert "Nothing running, 0 waiting" in status(page, "0 waiting")
        page.context.close()
    finally:
        stop(process)

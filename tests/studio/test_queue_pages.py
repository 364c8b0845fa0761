"""The pages of queue, plots and presets by NiceGUI's simulation of a user: what they do, without a browser."""

import asyncio
import warnings

import pytest

pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
pytestmark = pytest.mark.usefixtures("modules_stay")

FORM = {
    "prompt": "a red disc <b>", "generator": "toy", "search": "ga", "generations": "3", "population": "8", "seed": "1",
    "more": "scorer=toy judge=toy augment=0",
}  # fmt: skip
AXES = {"x-field": "words", "x-values": "red, blue", "y-field": "population", "y-values": "8, 12", "seeds": "2"}


def visit(studio, journey):
    """Let a simulated user go through the pages of a studio."""
    from nicegui.testing import user_simulation

    from zeuxis.studio.pages import register

    async def going():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other packages, which are looked at while the server starts
            async with user_simulation() as user:
                user.javascript_rules.clear()
                register(studio)
                await journey(user)

    asyncio.run(going())


@pytest.fixture
def studio(tmp_path):
    from zeuxis.studio.state import Studio
    from zeuxis.workflows import Outputs

    made = Studio(tmp_path)
    made.live.outputs, made.plots.executor = Outputs(report=False, top=0), "local"
    yield made
    made.close()


async def until(user, said, seconds=90):
    """Wait until something is to be seen: timers and threads of the pages take their time on a busy machine."""
    for _ in range(20 * seconds):
        try:
            await user.should_see(said, retries=1)
        except AssertionError:
            await asyncio.sleep(0.05)
            continue
        return
    raise AssertionError(said)


def press(user, text):
    """Click the button with this text."""
    found = user.find(text)
    found.elements = {one.parent_slot.parent for one in found.elements if one.tag == "span"}
    found.trigger("click")


def named(user, label):
    """The element with a name for screen readers."""
    from zeuxis.studio.pages.common import Tag

    found = user.find(kind=Tag)
    found.elements = {one for one in found.elements if one.props.get("aria-label") == label}
    assert found.elements, label
    return found


def test_a_search_is_queued_moved_cancelled_and_carried_out(studio):
    async def journey(user):
        await user.open("/")
        user.find("Add to the queue").trigger("click", FORM)
        user.find("Add to the queue").trigger("click", FORM | {"prompt": "a blue disc"})
        user.find("Front").trigger("click", FORM | {"prompt": "a green disc"})
        user.find("Add to the queue").trigger("click", FORM | {"more": "augment=x"})
        await until(user, "Expected --augment to be a whole number")
        await until(user, "3 waiting in the queue")
        assert [item.title for item in studio.queue.items] == ["a green disc", "a red disc <b>", "a blue disc"]
        assert studio.queue.items[1].fields["scorer"] == ["toy"] and studio.queue.items[1].fields["seed"] == 1
        await user.open("/queue")
        await until(user, "Nothing running, 3 waiting.")
        named(user, "Earlier: a blue disc").click()
        named(user, "To the front: a blue disc").click()
        assert [item.title for item in studio.queue.ahead()] == ["a blue disc", "a green disc", "a red disc <b>"]
        named(user, "Cancel: a green disc").click()
        await until(user, "cancelled")
        press(user, "Pause")
        await until(user, "the queue is paused")
        studio.runner.start()
        press(user, "Go on")
        await until(user, "Nothing waits. Shift+Enter")
        named(user, "Open: a red disc <b>").click()
        await until(user, "Best score")
        await until(user, "zeuxis replay")
        named(user, "Again: a green disc").click()
        await until(user, "Nothing waits. Shift+Enter")
        assert {item.state for item in studio.queue.items} == {"done"}
        press(user, "Clear this list")
        assert studio.queue.items == ()

    visit(studio, journey)


def test_damage_and_another_studio_are_said_on_the_page(tmp_path):
    from zeuxis.studio.state import Studio

    first = Studio(tmp_path)
    first.enqueue("a red disc", generator="toy")
    first.close()
    path = tmp_path / ".studio" / "queue" / "queue.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    damaged, beside = Studio(tmp_path), Studio(tmp_path)

    async def journey(user):
        await user.open("/queue")
        await until(user, "The queue's file was damaged: 1 entry was lost")

    async def other(user):
        await user.open("/queue")
        await until(user, "This queue belongs to another studio")
        await user.open("/")
        user.find("Add to the queue").trigger("click", FORM)
        await until(user, "is being written by process")

    visit(damaged, journey)
    visit(beside, other)
    damaged.close()
    beside.close()


def test_a_plot_is_checked_made_shown_and_saved(studio):
    async def journey(user):
        await user.open("/plots")
        from zeuxis.studio.pages.common import Tag

        form = user.find(kind=Tag)
        form.elements = {one for one in form.elements if one.tag == "form"}
        for wrong, said in (
            ({"y-values": "8, many"}, "--population to be a whole number"),
            ({"y-values": ""}, "for each axis what varies and its values"),
            ({"x-field": "serach"}, "Did you mean search"),
            ({"more": "scorer=nope"}, "nope"),
        ):
            form.trigger("submit", FORM | AXES | wrong)
            await until(user, said)
        assert studio.plots.names() == []
        form.trigger("submit", FORM | AXES)
        while not studio.queue.items:
            await asyncio.sleep(0.1)
        name = studio.plots.names()[0]
        await user.open(f"/plots?show={name}")
        await until(user, "0 of 8 runs, waits in the queue")
        studio.runner.start()
        await until(user, "8 of 8 runs, done")
        await until(user, "across: “red” · down: population · the best of 2 seeds")
        named(user, next(one for one in labels(user) if one.startswith("blue, 12: score"))).trigger("pick")
        await until(user, "Its folder")
        for word, start in (("picture", b"\x89PNG"), ("page", b"<!doctype"), ("table", "“red”".encode())):
            press(user, f"Save as {word}" if word != "table" else "Save the table")
            saved = await user.download.next()
            assert saved.content.startswith(start)
        await user.open("/plots?show=../../etc")
        await until(user, "All plots")

    def labels(user):
        from zeuxis.studio.pages.common import Tag

        return [str(one.props.get("aria-label")) for one in user.find(kind=Tag).elements]

    visit(studio, journey)


def test_presets_are_saved_loaded_renamed_and_deleted(studio):
    async def journey(user):
        await user.open("/")
        press(user, "Presets")
        await until(user, "None yet.")
        from zeuxis.studio.pages.common import Tag

        form = user.find(kind=Tag)
        form.elements = {one for one in form.elements if one.tag == "form" and "id" not in one.props}
        form.trigger("submit", [FORM, {"name": "../x"}])
        await until(user, "Expected a name")
        form.trigger("submit", [FORM, {"name": "My disc"}])
        await until(user, "My disc is saved.")
        form.trigger("submit", [FORM | AXES, {"name": "A plot"}])
        await until(user, "A plot over X: words, Y: population")
        form.trigger("submit", [FORM | AXES | {"y-values": ""}, {"name": "Half a plot"}])
        await until(user, "for each axis what varies and its values")
        named(user, "Load A plot").click()
        await until(user, "A plot is in the form.")
        press(user, "Presets")
        named(user, "Delete My disc").click()
        await until(user, "My disc is deleted.")
        press(user, "Bring My disc back")
        await until(user, "My disc is back.")
        named(user, "Load My disc").click()
        await until(user, "My disc is in the form.")

    visit(studio, journey)
    axes = studio.presets.axes("A plot")
    assert axes.x.values == "red, blue" and axes.y.field == "population" and axes.seeds == 2
    assert studio.presets.names() == ["A plot", "My disc"] and studio.presets.axes("My disc") is None
    fields = studio.presets.load("My disc")
    assert fields["prompt"] == ("a red disc <b>",) and fields["seed"] == 1 and fields["precision"] == "fp32"

"""Pages by NiceGUI's own simulation of a user: what they say, without a browser."""

import asyncio
import warnings

import pytest

pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
pytestmark = pytest.mark.usefixtures("modules_stay")


def test_pages_say_what_can_be_done(tmp_path):
    from nicegui.testing import user_simulation

    from zeuxis.studio.pages import register
    from zeuxis.studio.state import Studio

    async def journey():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other packages, which are looked at while the server starts
            async with user_simulation() as user:
                register(studio)
                await user.open("/")
                await user.should_see("A phrase in, a bred population of pictures out")
                await user.should_see("Settings")
                await user.open("/breed")
                await user.should_see("Type a phrase to draw pictures")
                await user.open("/gallery")
                await user.should_see("No pictures yet")
                await user.open("/open")
                await user.should_see("Nothing leaves this computer")

    studio = Studio(tmp_path)
    try:
        asyncio.run(journey())
    finally:
        studio.close()

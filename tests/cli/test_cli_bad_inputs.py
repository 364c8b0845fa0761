"""Every command with places that cannot be written and files that cannot be read: a sentence and a known exit code."""

import importlib
import os
import random
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import zeuxis.generators.choose
from zeuxis.cli.main import COMMANDS, LONGEST, app
from zeuxis.storage import files
from zeuxis.tools import sheets

EXIT_CODES = (0, 2, 3, 130)
TOY = ("--generator", "toy")
GOOD = Path(__file__).parents[2] / "docs/images/gallery.png"
RUN = ("a red disc", "--config", "toy-ga", "--population", "4", "--generations", "1", "--precision", "fp32")


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def one_sentence(result):
    """The message of a command that failed as it should."""
    text = result.output.strip()
    assert result.exit_code in EXIT_CODES, (result.exit_code, text, result.exception)
    assert "Traceback" not in text and "This should not have happened" not in text
    said = text.partition("Error: ")[2] or text
    assert len(said) <= LONGEST + 10, said
    assert ".." not in said.replace("...", "").replace("../", "") or "/.." in said, said
    return said


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """A picture that replay and arithmetic read."""
    folder = tmp_path_factory.mktemp("picture")
    assert zeuxis_("sample", *TOY, "--seeds", "1", "--out", folder / "s.png", "--each").exit_code == 0
    return folder / "s/seed0001.png"


@pytest.fixture(scope="session")
def bad(tmp_path_factory):
    """Name -> a path that holds no picture, no run, no network and no data set."""
    folder = tmp_path_factory.mktemp("bad")
    found = {
        name: folder / f"{name}.png" for name in ("missing", "empty", "noise", "folder", "pipe", "loop", "huge", "text")
    }
    found["empty"].touch()
    found["noise"].write_bytes(random.Random(0).randbytes(50_000))
    found["folder"].mkdir()
    os.mkfifo(found["pipe"])
    found["loop"].symlink_to("loop.png")
    with found["huge"].open("wb") as file:
        file.truncate(2**40)  # sparse: no disk is used
    found["text"].write_text("neither fish nor flesh\n" * 10)
    found["no text"] = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.png"))
    found["long"] = folder / f"{'n' * 300}.png"
    found["below a file"] = found["text"] / "x.png"
    for path in found.values():
        if len(path.name) < 200 and path.parent == folder:
            path.with_name(f"{path.name}.toml").symlink_to(path.name)  # the same as a recipe
    return found


READERS = {
    "replay": lambda path: ["replay", path],
    "arithmetic": lambda path: ["arithmetic", f"'{path}' + '{path}'"],
    "show": lambda path: ["show", path],
    "show --report": lambda path: ["show", path, "--report"],
    "resume": lambda path: ["resume", path],
    "convert": lambda path: ["convert", path],
    "train --data": lambda path: ["train", "pocket-judge", "--data", path, "--out", "out"],
    "train RECIPE": lambda path: ["train", f"{path}.toml", "--data", ".", "--out", "out"],
    "generate --image": lambda path: ["generate", *RUN, "--image", path, "--dry-run"],
    "generate --generator": lambda path: ["generate", *RUN, "--generator", path],
    "generate --scorer": lambda path: ["generate", *RUN, "--scorer", path],
    "generate --judge": lambda path: ["generate", *RUN, "--judge", path],
    "generate --config": lambda path: ["generate", "a disc", "--config", path, "--dry-run"],
    "metrics": lambda path: ["metrics", path, path],
    "translate": lambda path: ["translate", path, "--generator", path],
    "project": lambda path: ["project", path, *TOY],
    "project --generator": lambda path: ["project", GOOD, "--generator", path],
    "describe": lambda path: ["describe", path],
    "describe --scorer": lambda path: ["describe", GOOD, "--scorer", path],
    "generate --start-from": lambda path: ["generate", *RUN, "--start-from", path],
    "generate --prompts": lambda path: ["generate", "--prompts", path, "--generator", "nowhere"],
    "demo": lambda path: ["demo", path],
    "experiment": lambda path: ["experiment", path, "--out", "out"],
    "experiment show": lambda path: ["experiment", "show", path],
    "compare --generator": lambda path: ["compare", "--phrase", "a disc", "--generator", path, "--out", "out"],
    "evaluate --generator": lambda path: ["evaluate", "leakage", "--generator", path, "--out", "out"],
    "evaluate --classifier": lambda path: ["evaluate", "fooling", "--classifier", path, "--out", "out"],
    "evaluate --real": lambda path: ["evaluate", "fooling", "--real", path, "--out", "out"],
    "evaluate --judge": lambda path: ["evaluate", "searches", "--judge", path, "--out", "out"],
    "bank build": lambda path: ["bank", "build", path],
    "sample --generator": lambda path: ["sample", "--generator", path],
    "mix --generator": lambda path: ["mix", "--generator", path],
    "interpolate --generator": lambda path: ["interpolate", "--generator", path],
    "models info": lambda path: ["models", "info", path],
    "models path": lambda path: ["models", "path", path],
    "models verify": lambda path: ["models", "verify", path],
    "demo --data": lambda path: ["demo", "probe", "--data", path, "--out", "out"],
    "list": lambda path: ["list", path],
}
BAD = ("missing", "empty", "noise", "folder", "pipe", "loop", "huge", "text", "no text", "long", "below a file")


@pytest.mark.parametrize("kind", BAD)
def test_every_command_says_in_a_sentence_what_it_cannot_read(kind, bad):
    for command, words in READERS.items():
        result = zeuxis_(*words(bad[kind]))
        assert result.exit_code in (2, 3), (command, result.exit_code, result.output, result.exception)
        assert one_sentence(result), command


# places that cannot be written

WRITERS = {
    "sample": ("file", lambda out, png: ["sample", *TOY, "--out", out]),
    "mix": ("file", lambda out, png: ["mix", "--out", out]),
    "interpolate": ("film", lambda out, png: ["interpolate", *TOY, "--out", out]),
    "arithmetic": ("file", lambda out, png: ["arithmetic", f"{png} + {png}", "--out", out]),
    "replay --save": ("file", lambda out, png: ["replay", png, "--save", out]),
    "generate": ("folder", lambda out, png: ["generate", *RUN, "--out", out]),
    "generate --dry-run": ("folder", lambda out, png: ["generate", *RUN, "--out", out, "--dry-run"]),
    "compare": ("folder", lambda out, png: ["compare", "--phrase", "a disc", *TOY, "--out", out]),
    "evaluate": ("folder", lambda out, png: ["evaluate", "similarity", *TOY, "--phrase", "a disc", "--out", out]),
    "metrics": ("folder", lambda out, png: ["metrics", ".", ".", "--out", out]),
    "project": ("folder", lambda out, png: ["project", png, *TOY, "--out", out]),
    "generate --prompts": ("folder", lambda out, png: ["generate", "a {red|blue} disc", *RUN[1:], "--out", out]),
    "translate": ("file", lambda out, png: ["translate", png, "--generator", png, "--out", out]),
    "train": ("folder", lambda out, png: ["train", "pocket-judge", "--data", ".", "--out", out]),
    "demo": ("folder", lambda out, png: ["demo", "saturation", "--out", out]),
}
ENDING = {"file": ".png", "film": ".gif", "folder": ""}


def nowhere(place, kind):
    """Name -> a place where no such file or folder can be."""
    end = ENDING[kind]
    (place / "a file").write_text("x")
    os.mkfifo(place / f"pipe{end}")
    (place / f"loop{end}").symlink_to(f"loop{end}")
    (place / f"folder{end}" / "in").mkdir(parents=True)
    there = place / f"folder{end}" if kind != "folder" else place / "a file"
    return {
        "below a file": place / f"a file/x{end}",
        "another kind is there": there,
        "a pipe": place / f"pipe{end}",
        "a loop": place / f"loop{end}",
        "below a loop": place / f"loop{end}/x{end}",
        "a long name": place / f"{'n' * 260}{end}",
        "a long folder": place / ("n" * 260) / f"x{end}",
        "empty": "",
        **({"not for users": Path(f"/proc/x{end}")} if Path("/proc/self").exists() else {}),
    }


@pytest.mark.parametrize("command", list(WRITERS))
def test_a_place_that_cannot_be_written_is_refused_before_any_model_is_loaded(command, place, picture, monkeypatch):
    def loaded(*args, **kwargs):
        raise AssertionError("a model was loaded first")

    kind, words = WRITERS[command]
    places = nowhere(place, kind)
    names = ("zeuxis.generators.choose", "zeuxis.run.prepare", "zeuxis.tools.replay")
    for module in [importlib.import_module(name) for name in names]:  # all first: one takes it from another
        monkeypatch.setattr(module, "make_generator", loaded)
    before = sorted(path.name for path in place.rglob("*"))
    for name, out in places.items():
        result = zeuxis_(*words(out, picture))
        assert result.exit_code == 2, (name, result.exit_code, result.output, result.exception)
        said = one_sentence(result)
        assert "resume" not in said and said.count("Cannot write") <= 1, (name, said)
    assert sorted(path.name for path in place.rglob("*")) == before  # nothing half-written


@pytest.mark.parametrize("command", list(WRITERS))
def test_an_ending_that_no_file_of_this_kind_has_is_refused(command, picture):
    kind, words = WRITERS[command]
    if kind != "folder":
        for ending in ("", ".bmp", ".png.txt", "."):
            result = zeuxis_(*words(f"x{ending}", picture))
            assert result.exit_code == 2 and "Expected a file .", result.output
            assert not list(Path().iterdir())


@pytest.mark.parametrize("what", ["file", "/proc/x", "loop"])
def test_a_cache_that_cannot_be_is_said(what, place, monkeypatch):
    (place / "file").write_text("x")
    (place / "loop").symlink_to("loop")
    monkeypatch.setenv("ZEUXIS_CACHE", str(place / what))
    monkeypatch.setattr("zeuxis.hub.download.check_contact", lambda url: None)
    for words in (["bank", "build", "toy"], ["models", "pull", "biggan-deep-128"]):
        result = zeuxis_(*words)
        assert result.exit_code == 2 and "ZEUXIS_CACHE" in one_sentence(result)
    for words in (["models", "list"], ["bank", "list"]):
        assert zeuxis_(*words).exit_code == 0


def test_a_name_that_is_no_text_is_a_name(place):
    out = Path(os.fsdecode(b"\xff\xfe.png"))
    assert zeuxis_("sample", *TOY, "--seeds", "1", "--out", out).exit_code == 0 and out.is_file()


# what other packages raise


class ConnectError(Exception):
    """As httpx has it: no OSError."""


RAISED = {
    "no memory": (MemoryError(), "memory"),
    "no memory on the device": (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "memory"),
    "no memory for torch": (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory"),
    "a full disk": (OSError(28, "No space left on device"), "No space left on device|disk is full"),
    "a picture": (Image.UnidentifiedImageError("cannot identify image file"), "cannot identify image file"),
}


@pytest.mark.parametrize("kind", list(RAISED))
def test_what_other_packages_raise_is_a_sentence(kind, picture, place, monkeypatch):
    error, words = RAISED[kind]

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("zeuxis.generators.toy.ToyGenerator.render", fail)
    commands = [["sample", *TOY], ["interpolate", *TOY], ["replay", picture], ["arithmetic", f"{picture} + {picture}"]]
    commands += [["generate", *RUN, "--out", "run"], ["bank", "build", "toy", "--scorer", "pocket", "--images", "16"]]
    for command in commands:
        result = zeuxis_(*command)
        assert result.exit_code == 2 and re.search(words, one_sentence(result)), (command, result.output)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(ending, place, monkeypatch):
    def full(handle, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.calls, "write", full)
    result = zeuxis_("sample", *TOY, "--seeds", "1", "--out", f"x{ending}")
    assert result.exit_code == 2 and "disk is full" in one_sentence(result)
    assert list(place.iterdir()) == []


def test_a_fault_of_ours_names_itself_and_can_be_looked_into(monkeypatch):
    def wrong(*args, **kwargs):
        raise KeyError("latent")

    monkeypatch.setattr(sheets, "parse_seeds", wrong)
    result = zeuxis_("sample")
    assert result.exit_code == 1 and "KeyError: 'latent'" in result.output and "Traceback" not in result.output
    monkeypatch.setenv("ZEUXIS_DEBUG", "1")
    assert isinstance(zeuxis_("sample").exception, KeyError)


def test_every_command_is_walked():
    walked = {words.split()[0] for words in (*READERS, *WRITERS)}
    assert set(COMMANDS) - walked <= {"list", "doctor", "studio"}  # the last serves until it is stopped: tests/studio
    assert zeuxis.generators.choose  # patched above by its name


def test_a_run_whose_disk_fills_up_says_so_once_and_how_to_go_on(place, monkeypatch):
    real, count = files.calls.write, [0]

    def full(handle, data):
        count[0] += 1
        if count[0] > 12:
            raise OSError(28, "No space left on device")
        return real(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(files.calls, "write", full)
        result = zeuxis_("generate", *RUN, "--generations", "20", "--out", "run")
    assert result.exit_code == 2 and result.output.count("the disk is full") == 1
    assert "What was written before is safe. Go on with: zeuxis resume run" in result.output
    assert zeuxis_("resume", "run", "--quiet").exit_code == 0


def test_a_run_that_never_began_is_not_to_be_resumed(place, monkeypatch):
    def full(handle, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.calls, "write", full)
    result = zeuxis_("generate", *RUN, "--out", "run")
    assert result.exit_code == 2 and "disk is full" in result.output and "resume" not in result.output

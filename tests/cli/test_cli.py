"""The command line as a user meets it: what each command prints, writes, refuses, and exits with."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

import zeuxis.cli.progress
from zeuxis.cli.main import COMMANDS, app
from zeuxis.cli.options import parse_options
from zeuxis.cli.running import Interrupts
from zeuxis.cli.show import sparkline
from zeuxis.config import RunConfig
from zeuxis.prompts.auto import settle
from zeuxis.report.commands import flag, generate_command
from zeuxis.run import RunFolder
from zeuxis.storage.lock import RunLock

PROMPT = "a red disc on blue"
FAST = ("--precision", "fp32")  # no time spent on the gate
TOY = ("--config", "toy-ga", "--population", "6", "--generations", "3", "--view-every", "2", "--seed", "7", *FAST)


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """What `zeuxis generate` printed, and its folder."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    return zeuxis_("generate", PROMPT, *TOY, "--out", folder, "--gif"), folder


@pytest.fixture
def copy(done, tmp_path):
    """A copy of the finished run that a test may spoil."""
    return shutil.copytree(done[1], tmp_path / "copy")


def log(folder):
    """Generation -> its bytes in the log."""
    return {path.name: path.read_bytes() for path in sorted((folder / "log").iterdir())}


# help


def test_help_is_quick_and_imports_no_network():
    code = (
        "import resource, sys; from typer.testing import CliRunner; from zeuxis.cli.main import app\n"
        "print(CliRunner().invoke(app, ['--help']).output, resource.getrusage(resource.RUSAGE_SELF).ru_utime)\n"
        "for words in (['list', 'configs'], ['list', 'recipes'], ['generate', '--help'], ['train', '--help']):\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(name in result.stdout for name in COMMANDS)
    assert float(result.stdout.split()[-1]) < 1.0  # seconds of processor time


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_shows_two_examples(name):
    result = zeuxis_(name, "--help")
    assert result.exit_code == 0
    assert len(re.findall(rf"^ +zeuxis {name} ", result.output, re.MULTILINE)) == 2


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_flag_is_documented(name):
    flags = set(re.findall(r"^ +(--[a-z0-9-]+)", zeuxis_(name, "--help").output, re.MULTILINE)) - {"--help"}
    page = (Path(__file__).parent.parent.parent / "docs/cli.md").read_text(encoding="utf-8")
    section = page.partition(f"## zeuxis {name}\n")[2].partition("\n## ")[0]
    assert section and {word for word in flags if f"`{word}" not in section} == set()


def test_defaults_and_meanings_come_from_the_configuration():
    text = " ".join(zeuxis_("generate", "--help").output.split())
    for name in RunConfig.model_fields:
        field = RunConfig.model_fields[name]
        assert field.description in text and (name == "prompt" or flag(name) in text)
    assert f"images per generation (default: {RunConfig().population})" in text


def test_version():
    assert zeuxis_("--version").output.startswith("zeuxis 0.")


def test_a_mistyped_command_is_answered_with_the_nearest():
    result = zeuxis_("genrate")
    assert result.exit_code == 2 and "Did you mean 'generate'?" in result.output


# generate


def test_generate_writes_everything_and_says_where(done):
    result, folder = done
    assert result.exit_code == 0, result.output
    for name in ("images/final.png", "images/best.png", "curve.png", "report.html", "top/01.png", "best.gif"):
        assert (folder / name).stat().st_size > 100
    assert "images/s" in result.output and "of 6 pictures recognised" in result.output and "seed 7" in result.output
    assert f"first pictures: {folder / 'images/generation-000000.png'}" in result.output
    assert f"zeuxis resume {folder}" in result.output


def test_off_a_terminal_there_is_a_plain_line_every_few_generations(done):
    lines = [line for line in done[0].output.splitlines() if line.startswith("generation")]
    assert [line.split()[1] for line in lines] == ["0/3", "2/3", "3/3"]
    assert all("best" in line and "judge" in line for line in lines)


def test_on_a_terminal_there_is_a_bar(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    result = zeuxis_("generate", PROMPT, *TOY, "--out", tmp_path / "run")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", result.output)
    assert result.exit_code == 0
    assert "generation 3/3" in text and re.search(r"best 0\.\d{4} +\d+ images/s", text) and " left" in text


def test_without_out_a_new_folder_is_made_and_quiet_prints_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = zeuxis_("generate", PROMPT, *TOY, "--generations", "0", "--top", "0", "--quiet")
    assert result.exit_code == 0
    (folder,) = Path("runs").iterdir()
    assert result.output == f"{folder}\n" and (folder / "report.html").exists()


def test_a_dry_run_prints_the_configuration_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = zeuxis_("generate", PROMPT, *TOY, "--option", "tournament=3", "--judge", "none", "--dry-run")
    config = RunConfig.model_validate_json(result.output)
    assert config.prompt == (PROMPT,) and config.options == {"tournament": 3} and config.judge is None
    assert list(tmp_path.iterdir()) == []


def test_single_flags_stand_before_the_named_config():
    words = ("--config", "toy-de", "--search", "random", "--dry-run")
    config = RunConfig.model_validate_json(zeuxis_("generate", PROMPT, *words).output)
    assert (config.generator, config.search, config.population) == ("toy", "random", RunConfig().population)


def test_a_new_seed_each_time():
    first, second = (json.loads(zeuxis_("generate", PROMPT, "--dry-run").stdout)["seed"] for _ in range(2))
    assert first != second


def test_the_same_command_on_a_finished_folder_keeps_its_seed(done):
    result = zeuxis_("generate", PROMPT, *(word for word in TOY if word not in ("--seed", "7")), "--out", done[1])
    assert result.exit_code == 0 and "seed 7" in result.output


CONFIGS = [
    RunConfig(prompt=(PROMPT,), seed=3),
    RunConfig(prompt=("-red", "it's blue: 5", "émail 🎨:0.5"), negative=("green:0.5",), generator="toy", seed=1),
    RunConfig(prompt=("x",), judge=None, options={"F": 0.5, "strategy": "rand/1/bin"}, search="de", templates=False),
    RunConfig(prompt=("x",), scorer=("toy", "pocket:0.5"), target=-0.25, realism=-1.5, strict=True, budget=100),
]


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_the_command_that_a_report_gives_is_that_configuration(config):
    words = shlex.split(generate_command(config))
    assert words[:2] == ["zeuxis", "generate"]
    result = zeuxis_("generate", "--dry-run", *words[2:])
    assert result.exit_code == 0, result.output
    assert RunConfig.model_validate_json(result.stdout) == settle(config)[0]


def test_options_are_numbers_where_they_look_like_numbers():
    assert parse_options(["a=1", "b=0.5", "c=1e-3", "d=sbx", "e=x=y"]) == {
        **{"a": 1, "b": 0.5, "c": 0.001},
        **{"d": "sbx", "e": "x=y"},
    }


# what is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--generator", "toys"], "Did you mean toy?"),
        (["--config", "toy-gaa"], "Did you mean toy-ga"),
        (["--search", "gaa"], "Did you mean ga"),
        (["--scorer", "tpy"], "Did you mean toy"),
        (["--judge", "tox"], "Did you mean toy"),
        (["--population", "0"], "population"),
        (["--population", "many"], "--population"),
        (["--precision", "fp8"], "precision"),
        (["--device", "abacus"], "Expected a device"),
        (["--option", "tournament"], "key=value"),
        (["--option", "bogus=1"], "bogus"),
        (["--search", "de", "--population", "3"], "population of"),
        (["--image", "nowhere.png"], "nowhere.png"),
        (["--negatve", "x"], "--negative"),
        (["--seed", "-1"], "seed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_generate_refuses_what_cannot_work(words, said, tmp_path):
    result = zeuxis_("generate", PROMPT, *TOY, *words, "--out", tmp_path / "run")
    assert result.exit_code == 2 and said in result.output and "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "prompt", [[""], [" "], [], ["red:1e9"], ["red |"], ["\ud800"], ["green:-1"], ["xyzzy"]], ids=repr
)
def test_generate_refuses_prompts_that_say_nothing(prompt, tmp_path):
    result = zeuxis_("generate", *prompt, *TOY, "--out", tmp_path / "run")
    assert result.exit_code == 2 and "Error: " in result.output


def test_weights_that_are_not_there_are_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_POCKET", str(tmp_path))
    result = zeuxis_("generate", PROMPT, "--out", tmp_path / "run")
    assert result.exit_code == 3 and not (tmp_path / "run").exists()


def test_a_missing_extra_is_said_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    result = zeuxis_("generate", PROMPT, *TOY, "--out", tmp_path / "run", "--mp4")
    assert result.exit_code == 3 and "zeuxis[video]" in result.output and not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["show", "resume", "replay"])
def test_a_path_that_is_not_there_is_refused(command, tmp_path):
    result = zeuxis_(command, tmp_path / "nowhere")
    assert result.exit_code == 2 and "nowhere" in result.output and "Expected" in result.output


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    result = zeuxis_("generate", PROMPT, *TOY, "--out", tmp_path)
    assert result.exit_code == 2 and "thesis.txt" in result.output


def test_a_run_that_is_being_written_is_refused(copy):
    lock = RunLock(copy)
    result = zeuxis_("resume", copy, "--generations", "9")
    lock.release()
    assert result.exit_code == 2 and f"is being written by process {os.getpid()}" in result.output


@pytest.mark.parametrize("command", ["show", "resume"])
def test_a_damaged_run_is_refused(command, copy):
    path = copy / "run.json"
    path.write_text(path.read_text().replace('"seed": 7', '"seed": 8'))
    result = zeuxis_(command, copy)
    assert result.exit_code == 2 and "damaged" in result.output


# show


def test_show_prints_facts_history_and_files(done):
    result = zeuxis_("show", done[1])
    assert result.exit_code == 0
    assert all(word in result.output for word in (PROMPT, "best score", "sha256", "▁", "report.html", "best.gif"))
    rows = re.findall(r"^ +(\d+) +[\d.-]+ ", result.output, re.MULTILINE)
    assert rows == ["0", "2", "3"]


def test_show_report_writes_the_report_again(copy):
    (copy / "report.html").unlink()
    (copy / "curve.png").unlink()
    assert zeuxis_("show", copy, "--report").exit_code == 0
    assert (copy / "report.html").exists() and (copy / "curve.png").exists()


def test_show_says_how_to_finish_what_is_not_finished(copy):
    (copy / "summary.json").unlink()
    result = zeuxis_("show", copy)
    assert (
        result.exit_code == 0 and f"Not finished: 4 of 4 generations. Go on with: zeuxis resume {copy}" in result.output
    )


def test_a_sparkline_goes_from_the_lowest_to_the_highest():
    assert sparkline([0.0, 0.5, 1.0, float("nan")]) == "▁▅█ " or sparkline([0.0, 0.5, 1.0, float("nan")]) == "▁▄█ "
    assert sparkline([3.0, 3.0]) == "▁▁" and len(sparkline(list(range(1000)), 60)) == 60


# replay


def test_replay_says_that_the_pixels_agree(done, tmp_path):
    result = zeuxis_("replay", done[1] / "images/best.png", "--save", tmp_path / "again.png")
    assert result.exit_code == 0 and "identical: all 32 x 32 pixels agree" in result.output
    assert (tmp_path / "again.png").read_bytes() == (done[1] / "images/best.png").read_bytes()


def test_replay_says_how_much_differs(done, tmp_path):
    with Image.open(done[1] / "images/best.png") as image:
        pixels, info = np.array(image), PngInfo()
        info.add_itxt("zeuxis", image.info["zeuxis"])
    pixels[0, 0, 0] ^= 4
    Image.fromarray(pixels).save(tmp_path / "touched.png", pnginfo=info)
    result = zeuxis_("replay", tmp_path / "touched.png")
    assert result.exit_code == 2 and "different: 0.10 % of 32 x 32 pixels, by at most 4" in result.output


def test_replay_refuses_a_picture_of_another_program(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "other.png")
    result = zeuxis_("replay", tmp_path / "other.png")
    assert result.exit_code == 2 and "does not say how it was made" in result.output


# resume and interrupts


def test_a_run_can_be_made_longer_and_ends_like_one_that_was_longer_from_the_start(copy, tmp_path):
    assert zeuxis_("resume", copy, "--generations", "5").exit_code == 0
    zeuxis_("generate", PROMPT, *TOY, "--generations", "5", "--out", tmp_path / "unbroken")
    assert log(copy) == log(tmp_path / "unbroken") and len(log(copy)) == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_generation_saves_everything_and_says_how_to_go_on(number, tmp_path, monkeypatch):
    heard = []

    class Impatient(zeuxis.cli.progress._Lines):
        def show(self, event, speed, judged):
            heard.append(event.generation)
            if event.generation == 1:
                signal.raise_signal(number)

    monkeypatch.setattr(zeuxis.cli.progress, "_Lines", Impatient)
    result = zeuxis_("generate", PROMPT, *TOY, "--out", tmp_path / "run")
    assert result.exit_code == 130 and heard == [0, 1] and len(log(tmp_path / "run")) == 2
    assert f"Go on with: zeuxis resume {tmp_path / 'run'}" in result.output
    assert (tmp_path / "run/report.html").exists()


def test_a_second_interrupt_does_not_wait():
    before = signal.getsignal(signal.SIGINT)  # a shell's background job starts with SIGINT ignored
    with Interrupts() as interrupts:
        interrupts.gentle = True
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_an_interrupt_before_the_first_generation_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("zeuxis.run.open_session", interrupted)
    result = zeuxis_("generate", PROMPT, *TOY, "--out", tmp_path / "run")
    assert result.exit_code == 130 and "before the first generation" in result.output
    assert not (tmp_path / "run").exists()


def test_ctrl_c_on_a_running_process_and_a_resumed_run_that_ends_like_the_unbroken_one(tmp_path):
    broken, unbroken = tmp_path / "broken", tmp_path / "unbroken"
    words = ["generate", PROMPT, *TOY, "--out", str(broken), "--generations", "100000", "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "zeuxis", *words], stderr=subprocess.PIPE, text=True)
    while not (broken / "log/000002.safetensors").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in said
    assert f"zeuxis resume {broken}" in said
    last = RunFolder(broken).generations + 1
    assert zeuxis_("resume", broken, "--generations", last, "--quiet").exit_code == 0
    zeuxis_("generate", PROMPT, *TOY, "--generations", last, "--quiet", "--out", unbroken)
    assert log(broken) == log(unbroken)
    assert (broken / "images/best.png").read_bytes() == (unbroken / "images/best.png").read_bytes()

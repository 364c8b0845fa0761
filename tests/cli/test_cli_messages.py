"""What the command line answers to words that are nearly right."""

import json

import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.config import RunConfig
from zeuxis.registry import nearest
from zeuxis.run import RunFolder
from zeuxis.run.stopping import longer


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def said(result):
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["a red fire truck"], "Did you mean: zeuxis generate 'a red fire truck'"),
        (["a frog", "--search", "ga"], "Did you mean: zeuxis generate 'a frog' --search ga"),
        (["frog"], "Did you mean: zeuxis generate frog"),
        (["genrate"], "Did you mean 'generate'?"),
    ],
)
def test_a_phrase_in_place_of_a_command(words, answer):
    result = zeuxis_(*words)
    assert result.exit_code == 2 and answer in said(result)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--scorer", "clip"], "Did you mean clip-vit-b-32"),
        (["--search", "pso"], "Did you mean pymoo:PSO?"),
        (["--search", "map-elite"], "Did you mean map-elites"),
        (["--judge", "pocet"], "Did you mean pocket?"),
        (["--view-every", "0"], "--view-every"),
        (["--class", "frogg"], "Did you mean frog"),
        (["--generator", "pocket-products", "--class", "hels"], "Did you mean heels"),
        (["--generator", "toy", "--class", "dog"], "'toy' has no classes to choose from: leave --class and --ban out"),
        (["--negative", "a frog:0,3"], "Write 'a frog:0.3'"),
        (["--negative", "A frog"], "Leave one out"),
    ],
)
def test_a_value_that_is_nearly_right(words, answer):
    result = zeuxis_("generate", "a frog", "--dry-run", *words)
    assert result.exit_code == 2 and answer in said(result)
    assert "view_every" not in said(result) and "norm_prior" not in said(result)


def test_a_dry_run_says_what_the_run_would():
    result = zeuxis_("generate", "a", "snowy", "mountain", "--dry-run", "--generator", "pocket")
    assert result.exit_code == 0 and "Read 3 phrases of one word each" in said(result)
    result = CliRunner().invoke(app, ["generate", "a snowy mountain", "--dry-run", "--generator", "pocket"])
    assert "'a snowy mountain' is not among them (nearest: " in said(result)
    assert json.loads(result.stdout)["generator"] == "pocket"


def test_a_class_that_others_are_kinds_of_is_kept():
    result = zeuxis_("generate", "a dog", "--dry-run", "--class", "dog")
    assert result.exit_code == 0 and '"generator": "pocket"' in result.output


def test_names_that_are_near():
    known = ["clip-vit-b-32", "open-clip-b-32", "pocket", "siglip-b-16-224"]
    assert nearest("clip", known) == ["clip-vit-b-32", "open-clip-b-32"]
    assert nearest("pocet", known) == ["pocket"] and nearest("xyzzy", known) == []


def _with(failure, monkeypatch):
    """`zeuxis doctor` whose work is interrupted, and whose unwinding fails with `failure`."""

    def interrupted(*_, **__):
        try:
            raise KeyboardInterrupt
        finally:
            raise failure

    monkeypatch.setattr("zeuxis.tools.doctor.examine", interrupted, raising=True)
    return CliRunner().invoke(app, ["doctor"])


def test_a_block_that_cannot_be_left_after_an_interrupt_is_an_interrupt(monkeypatch):
    result = _with(RuntimeError("trying to pop from empty mode stack"), monkeypatch)
    assert result.exit_code == 130 and "Interrupted." in result.output and "Error" not in result.output


def test_what_could_not_be_saved_after_an_interrupt_is_said(monkeypatch):
    result = _with(OSError(28, "No space left on device"), monkeypatch)
    assert result.exit_code == 2 and "No space left" in result.output


@pytest.mark.parametrize(
    ("words", "answer", "code"),
    [
        (["help"], "A phrase in, a bred population of pictures out.", 0),
        (["help", "show"], "Read a run or a training: figures", 0),
        (["-h"], "[OPTIONS] COMMAND [ARGS]...", 0),
        (["generate", "-h"], "generate [OPTIONS] [prompt]...", 0),
        (["version"], "zeuxis ", 0),
        (["bank", "foo"], "Known: build, warm, list, verify.", 2),
        (["list"], "Expected what to list: generators, scorers", 2),
        (["generate", "a cat", "--population", "abc"], "'--population': Expected a whole number.", 2),
        (["generate", "-"], "standard input is not read", 2),
        (["generate", "a cat", "--generator", "pocket", "--space", "foo"], "for pocket, got 'foo'", 2),
        (["models", "pull", "pocket"], "pocket comes with the package", 2),
        (["models", "info", "pocket-64"], "pocket-64 comes with the package", 2),
        (["translate", "x.jpg", "--generator", "pocket"], "zeuxis train cyclegan-shoes or stargan-handbags", 2),
        (["arithmetic", "a.png", "+", "b.png"], "a.png", 2),
    ],
)
def test_what_newcomers_type_is_answered(words, answer, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = zeuxis_(*words)
    assert result.exit_code == code and answer in said(result) and "unexpected extra argument" not in said(result)


@pytest.mark.parametrize(
    ("phrase", "answer"),
    [
        ("(a red car:1.3), new", "'(a red car:1.3)' was read as words: a weight ends a phrase, as in 'a red car:1.3'."),
        ("a red car --ar 16:9", "'--ar' was read as words: options stand outside of the phrase."),
        ("a [red|green] cat", "'[red|green]' is cut at its '|': '{red|green}' makes a prompt of each word."),
        ("Albert Einstein", "pocket was trained on 382 kinds of animal and vehicle; 'Albert Einstein' is not known"),
    ],
)
def test_the_syntax_of_other_programs_and_unknown_words_are_noted(phrase, answer):
    result = zeuxis_("generate", phrase, "--generator", "pocket", "--dry-run")
    assert result.exit_code == 0 and answer in said(result)


@pytest.mark.parametrize(
    ("fields", "reason", "done", "limits"),  # done: generations bred, images, the best score's generation
    [
        ({"generations": 3}, "All 3 generations are done.", (3, 16, 0), {"generations": 6}),
        ({"generations": 0}, "The initial population is all that was asked for.", (0, 4, 0), {"generations": 1}),
        ({"budget": 20}, "The budget of 20 images is spent (20 evaluated).", (4, 20, 0), {"budget": 40}),
        ({"budget": 20}, "The budget of 20 images is spent (64 evaluated).", (0, 64, 0), {"budget": 128}),
        ({"generations": 5}, "All 5 generations are done (12 were bred).", (12, 52, 0), {"generations": 24}),
        ({"patience": 3}, "No better score for 3 generations.", (7, 32, 4), {"patience": 6}),
        ({"patience": 3}, "No better score for 9 generations.", (9, 40, 0), {"patience": 18}),
        ({"target": 0.5}, "The target score 0.5 is reached (0.5200).", (9, 40, 9), {"target": 0.57}),
        ({}, "Interrupted; the run can be resumed.", (9, 40, 9), {}),
        ({"stop_on_exploitation": 3}, "Scorer over-optimisation: for 3 evaluations ...", (9, 40, 9), None),
        (
            {"generations": 3, "budget": 16, "patience": 2},
            "All 3 generations are done.",
            (3, 16, 1),
            {"generations": 6, "budget": 32, "patience": 4},
        ),
    ],
)
def test_the_next_command_lets_a_run_go_on(fields, reason, done, limits):
    generations, images, found = done
    best = {"score": 0.52, "generation": found}
    ended = {"reason": reason, "generations": generations + 1, "images": images, "best": best}
    assert longer(RunConfig(prompt=("a cat",), **fields), ended) == limits


def test_a_run_that_lost_patience_goes_on_as_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy = ["--generator", "toy", "--scorer", "toy", "--judge", "none", "--population", "4", "--search", "random"]
    first = zeuxis_("generate", "a red disc", *toy, "--patience", "1", "--generations", "60", "--out", "run")
    assert first.exit_code == 0 and "No better score" in first.output
    command = next(line for line in first.output.splitlines() if "zeuxis resume" in line).split()
    before = len(RunFolder("run").history())
    again = zeuxis_(*command[command.index("resume") :])
    assert again.exit_code == 0 and len(RunFolder("run").history()) > before


def test_in_a_deleted_folder_a_sentence_says_so(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = zeuxis_("doctor")
    assert result.exit_code == 2 and "The current folder was deleted" in said(result)


@pytest.mark.parametrize("search", ["randm", "random popultion=2", "ga elitte=2"])
def test_a_comparison_that_cannot_work_leaves_no_folder(search, tmp_path):
    result = zeuxis_("compare", "--search", search, "--phrase", "a cat", "--out", tmp_path / "new")
    assert result.exit_code == 2 and not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["compare", "generate"])
def test_a_setting_of_the_run_among_options_is_recognised(command, tmp_path):
    words = ["--search", "ga", "--option", "agument=2"] if command == "generate" else ["--search", "ga agument=2"]
    named = ["a cat"] if command == "generate" else ["--phrase", "a cat"]
    assert "Did you mean augment, a setting of the run?" in said(zeuxis_(command, *named, *words))


def test_one_table_of_jobs_is_told_from_a_list(tmp_path):
    (tmp_path / "jobs.toml").write_text('[jobs]\nname = "a"\nkind = "run"\n')
    result = zeuxis_("experiment", tmp_path / "jobs.toml", "--out", tmp_path / "new")
    assert result.exit_code == 2 and "Write [[jobs]] in place of [jobs]." in said(result)

"""Several prompts: matrices, files, one run each, one page."""

import json
import shlex
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from zeuxis import workflows
from zeuxis.cli.main import app
from zeuxis.errors import BadInput
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.prompts.series import MOST, every, expanded, folders, read_prompts
from zeuxis.run import RunFolder
from zeuxis.scorers.vocabulary import unfamiliar
from zeuxis.studies.questions import Similarity

TOY = ("--config", "toy-ga", "--population", "4", "--generations", "1", "--precision", "fp32", "--seed", "1")


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("phrases", "prompts"),
    [
        (["a red shoe"], [("a red shoe",)]),
        (["a {red|green} {shoe|bag}"],
         [("a red shoe",), ("a red bag",), ("a green shoe",), ("a green bag",)]),
        (["a {red|} shoe:1.5"], [("a red shoe:1.5",), ("a shoe:1.5",)]),
        (["a { navy blue | red } shoe | snow"], [("a navy blue shoe | snow",), ("a red shoe | snow",)]),
        (["{a|b} x", "y {c|d}"], [("a x", "y c"), ("a x", "y d"), ("b x", "y c"), ("b x", "y d")]),
        (["a {shoe}", "{}"], [("a {shoe}", "{}")]),
        ([r"\{a|b\}"], [("{a|b}",)]),
        ([r"a {a\|b|c} shoe"], [(r"a a\|b shoe",), ("a c shoe",)]),  # the prompt's own reading takes the backslash
        ([], [()]),
    ],
)  # fmt: skip
def test_every_combination_is_a_prompt(phrases, prompts):
    assert expanded(phrases) == prompts


@pytest.mark.parametrize("phrase", ["a {red|green shoe", "{a|{b|c}}", "{" + "|".join("ab" * 200) + "}"])
def test_braces_that_cannot_be_read_are_refused(phrase):
    with pytest.raises(BadInput, match=r"not closed or inside|at most 256"):
        expanded([phrase])
    with pytest.raises(BadInput):
        expanded(["{a|b}"] * 9)


def test_a_file_has_a_prompt_on_each_line():
    Path("p.txt").write_text("# colours\n\na red disc\n  a {blue|green} disc  \r\n", encoding="utf-8-sig")
    assert read_prompts("p.txt") == [("a red disc",), ("a blue disc",), ("a green disc",)]
    for content in (b"", b"# nothing\n", b"\xff\xfe", b"a\x00b", b"x\n" * (MOST + 1)):
        Path("p.txt").write_bytes(content)
        with pytest.raises(BadInput, match="prompts"):
            read_prompts("p.txt")


def test_one_run_each_and_one_page():
    words = ("generate", "a {red|blue} disc", *TOY, "--out", "many", "--top", "0")
    result = zeuxis_(*words)
    assert result.exit_code == 0, result.output
    names = ["1-a-red-disc", "2-a-blue-disc"]
    assert sorted(path.name for path in Path("many").iterdir()) == [*names, "best.png", "report.html"]
    assert [RunFolder(f"many/{name}").prompt for name in names] == ["a red disc", "a blue disc"]
    page = Path("many/report.html").read_text()
    assert all(f'href="{name}/report.html"' in page for name in names) and page.count("data:image") == 2
    before = Path("many/1-a-red-disc/run.json").read_bytes()
    again = zeuxis_(*words, "--quiet")
    assert again.exit_code == 0 and again.output.strip() == "many"
    assert Path("many/1-a-red-disc/run.json").read_bytes() == before


def test_what_was_broken_off_says_how_it_goes_on(monkeypatch):
    """Also with a seed that was drawn, which stands in no command."""
    words, begun = ("generate", "a {red|blue} disc", *TOY[:-2], "--top", "0"), []
    carry_out = workflows.carry_out

    def interrupted(*args):
        begun.append(args)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return carry_out(*args)

    monkeypatch.setattr(workflows, "carry_out", interrupted)
    result = zeuxis_(*words)
    assert result.exit_code == 130 and "after 1 of 2 prompts" in result.output
    more = result.output.split("the same command and ")[1].split()
    assert more[0] == "--seed" and more[2] == "--out"
    assert zeuxis_(*words, *more).exit_code == 0 and (Path(more[3]) / "report.html").is_file()


def test_one_run_made_longer_is_shown_on_the_page_of_all():
    assert zeuxis_("generate", "a {red|blue} disc", *TOY, "--out", "many", "--top", "0").exit_code == 0
    assert Path("many/report.html").read_text().count("after 8 images") == 2
    result = zeuxis_("resume", "many/1-a-red-disc", "--generations", "2", "--top", "0")
    assert result.exit_code == 0 and "many/report.html, written again" in result.output.replace("\n", "")
    page = Path("many/report.html").read_text()
    assert page.count("after 8 images") == page.count("after 12 images") == 1
    Path("many/2-a-blue-disc/images/best.png").write_bytes(b"")
    result = zeuxis_("resume", "many/1-a-red-disc", "--generations", "3", "--top", "0")
    assert result.exit_code == 0 and "stays as it was" in result.output
    alone = zeuxis_("generate", "a red disc", *TOY, "--out", "20260131-140502-a-red-disc-1")
    assert alone.exit_code == 0 and "series" not in zeuxis_("resume", "20260131-140502-a-red-disc-1").output


def test_generators_that_draw_other_sizes_share_a_page():
    """Chosen for each prompt by itself: 32 and 64 pixels, and kinds of their own."""
    few = ("--population", "2", "--generations", "1", "--augment", "0", "--top", "0", "--out", "many", "--seed", "1")
    result = zeuxis_("generate", "a {horse|red shoe}", *few)
    assert result.exit_code == 0, result.output
    page = Path("many/report.html").read_text()
    assert "pocket guided by" in page and "pocket-products guided by" in page and "search samples" in page
    with Image.open("many/best.png") as sheet:
        assert sheet.width >= 2 * 64


def test_a_file_of_prompts_on_the_command_line():
    Path("p.txt").write_text("a red disc\na blue disc\n")
    result = zeuxis_("generate", "--prompts", "p.txt", *TOY, "--dry-run")
    assert result.exit_code == 0 and result.output.count('"prompt"') == 2
    both = zeuxis_("generate", "a red disc", "--prompts", "p.txt", *TOY)
    assert both.exit_code == 2 and "got both" in both.output


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        (["a red disc", "no words:1e999"], TOY),
        (["a red disc", "a foo disc", "a green disc"], TOY),  # what the scorer alone knows
        (["disc", "a red disc"], TOY),
        (["a frog", "红色的消防车"], ("--generator", "pocket", "--scorer", "pocket", "--judge", "none")),
        (["a frog", "frog " * 200], ("--generator", "pocket", "--scorer", "pocket", "--judge", "none", "--strict")),
    ],
)
def test_nothing_begins_before_every_prompt_is_good(lines, flags):
    Path("p.txt").write_text("\n".join(lines), encoding="utf-8")
    result = zeuxis_("generate", "--prompts", "p.txt", *flags, "--out", "many")
    assert result.exit_code == 2 and not Path("many").exists()


def test_a_run_of_another_seed_is_found_before_the_first_begins():
    """The second folder holds a run already, the first is new."""
    assert zeuxis_("generate", "a blue disc", *TOY, "--out", "many/2-a-blue-disc").exit_code == 0
    result = zeuxis_("generate", "a {red|blue} disc", *TOY[:-1], "2", "--out", "many")
    assert result.exit_code == 2 and "seed = 1" in result.output and not Path("many/1-a-red-disc").exists()


def test_what_a_folder_holds_is_not_mixed_with_a_series():
    Path("many").mkdir()
    Path("many/mine.txt").touch()
    result = zeuxis_("generate", "a {red|blue} disc", *TOY, "--out", "many")
    assert result.exit_code == 2 and "mine.txt" in result.output
    with pytest.raises(BadInput):
        folders([("a",)], Path("many"))


def test_a_file_with_far_too_many_prompts_is_refused_at_once():
    Path("p.txt").write_text("{a|b|c|d}{a|b|c|d}{a|b|c|d}{a|b|c|d}\n" * 20_000)
    begun = time.process_time()
    with pytest.raises(BadInput, match="got more"):
        read_prompts("p.txt")
    assert time.process_time() - begun < 2


def test_a_file_that_a_kill_broke_off_is_no_strange_one():
    Path("many").mkdir()
    Path("many/.best.png.part").write_bytes(b"half")
    assert len(folders([("a",), ("b",)], Path("many"))) == 2


def test_a_dry_run_prints_each_configuration_and_one_prompt_is_an_ordinary_run():
    result = zeuxis_("generate", "a {red|blue} disc", *TOY, "--dry-run")
    decoder, text, found = json.JSONDecoder(), result.stdout.strip(), []
    while text:
        content, end = decoder.raw_decode(text)
        found.append(content["prompt"])
        text = text[end:].strip()
    assert found == [["a red disc"], ["a blue disc"]]
    assert zeuxis_("generate", "a {red|blue} disc", *TOY, "--write-config", "c.toml").exit_code == 2
    Path("p.txt").write_text("a red disc\n")
    assert zeuxis_("generate", "--prompts", "p.txt", *TOY, "--out", "one").exit_code == 0
    assert RunFolder("one").prompt == "a red disc"


@pytest.mark.parametrize(("typed", "meant"), [("giraf", "giraffe"), ("yelow", "yellow"), ("bicicle", "bicycle")])
def test_the_nearest_known_word_is_offered(typed, meant):
    assert f"may not know '{typed}'" in unfamiliar(f"a {typed}") and f"nearest known: '{meant}'" in unfamiliar(typed)
    assert "nearest" not in unfamiliar("a blicket")


def test_the_same_command_goes_on_with_the_drawn_seed():
    words = ["generate", "a {red|blue} disc", *TOY[:-2], "--out", "many"]
    assert "--seed" not in words
    for _ in range(2):
        result = zeuxis_(*words, "--top", "0")
        assert result.exit_code == 0, result.output


def test_a_long_series_finds_its_seed_too():
    words = [
        "generate",
        "a {red|blue|green|cyan|white} {disc|square}",
        *TOY[:-2],
        "--generations",
        "0",
        "--out",
        "many",
    ]
    for _ in range(2):
        result = zeuxis_(*words, "--top", "0")
        assert result.exit_code == 0, result.output


def test_alternatives_are_phrases_of_their_own_in_comparisons_and_studies():
    assert every(["a {red|blue} disc", "a cat"]) == ("a red disc", "a blue disc", "a cat")
    toys = ("--generator", "toy", "--scorer", "toy", "--judge", "none", "--phrase", "a {red|blue} \\{disc\\}")
    few = ("--search", "ga", "--baseline", "ga", "--population", "4", "--generations", "2", "--seeds", "1")
    result = CliRunner().invoke(app, ["compare", *toys, *few, "--out", "c"])
    assert result.exit_code == 0, result.output
    design = ExperimentFolder("c").design()
    assert design.phrases == ("a red {disc}", "a blue {disc}")
    said = shlex.split(design.command("c"))
    assert every([word.removeprefix("--phrase=") for word in said if word.startswith("--phrase")]) == design.phrases
    study = Similarity.made({"phrase": ("a {red|blue} disc",)})  # in Python a phrase is what it is
    assert study.phrase == ("a {red|blue} disc",) and "\\{red|blue\\}" in study.command("s")
    result = CliRunner().invoke(app, ["evaluate", "similarity", *toys[:4], "--phrase", "a {red|blue disc"])
    assert result.exit_code == 2 and "not closed" in result.output

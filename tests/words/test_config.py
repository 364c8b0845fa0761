"""The configuration: sections, files, flags made from the model, and options checked against constructors."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.config import SECTIONS, RunConfig, flag, make_config
from zeuxis.configs import read_config, write_config
from zeuxis.errors import BadInput
from zeuxis.generators.choose import check_generator
from zeuxis.prompts.auto import settle
from zeuxis.run import check_config

TOY = {"generator": "toy", "scorer": ("toy",), "judge": "toy", "search": "ga"}


def test_every_field_is_in_one_section():
    fields = [field for kind in SECTIONS.values() for field in kind.model_fields]
    assert sorted(fields) == sorted(RunConfig.model_fields) and len(set(fields)) == len(fields)


def test_a_configuration_is_read_flat_or_in_sections():
    config = make_config(prompt=("a cat", "at night:0.5"), population=4, truncation=0.5, budget=100, judge=None)
    assert set(config.sections()) == {"prompt", "generator", "score", "search", "stop"}
    assert RunConfig.model_validate(config.sections()) == config == RunConfig.model_validate(config.model_dump())


def test_fields_that_auto_would_choose_otherwise_are_kept_in_files():
    usual, cat = RunConfig(), {"prompt": ("a cat",)}
    told = make_config(**cat, augment=usual.augment, generations=usual.generations)
    again, without = (settle(RunConfig.model_validate(one.sections()))[0] for one in (told, RunConfig(**cat)))
    assert (again.augment, again.generations) == (usual.augment, usual.generations)
    assert (without.augment, without.generations) == (8, 10)


def test_a_field_in_the_wrong_section_and_an_unknown_one_are_said():
    for fields, said in (
        ({"stop": {"population": 4}}, "The section [stop] has no 'population'. It belongs in [search]."),
        ({"search": {"populatoin": 4}}, "The section [search] has no 'populatoin'. Did you mean population?"),
        ({"serach": {"population": 4}}, "There is no section [serach]. Did you mean [search]?"),
    ):
        with pytest.raises(BadInput) as refusal:
            make_config(**fields)
        assert str(refusal.value) == said
    with pytest.raises(BadInput, match="Did you mean --population"):
        make_config(popluation=4)


def test_runs_that_were_written_before_a_name_changed_are_read():
    assert make_config(on_collapse="stir").on_collapse == "perturb"


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(
    prompt=st.lists(TEXTS, max_size=3),
    options=st.dictionaries(TEXTS, st.integers(-9, 9) | NUMBERS | TEXTS, max_size=3),
    realism=NUMBERS,
    judge=st.none() | st.just("toy"),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_file_gives_back_what_was_written(tmp_path_factory, prompt, options, realism, judge, seed):
    config = make_config(prompt=tuple(prompt), options=options, realism=realism, judge=judge, seed=seed)
    path = write_config(config, tmp_path_factory.mktemp("config") / "c.toml")
    assert make_config(**read_config(path)) == config


def test_json_and_a_run_json_are_read(tmp_path):
    config = make_config(prompt=("a cat",), population=4)
    (tmp_path / "c.json").write_text(json.dumps(config.sections()))
    (tmp_path / "run.json").write_text(json.dumps({"config": config.model_dump(mode="json"), "models": {}}))
    assert (
        make_config(**read_config(tmp_path / "c.json")) == make_config(**read_config(tmp_path / "run.json")) == config
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.toml", b"[prompt\n", "cannot be read"),
        ("a.json", b"[" * 100_000, "cannot be read"),
        ("a.json", b'{"seed": ' + b"9" * 5000 + b"}", "too many digits"),
        ("a.toml", b"seed = " + b"9" * 5000, "too many digits"),
        ("a.json", b"[1, 2]", "Expected a table"),
        ("a.toml", b"\xff\xfe", "no text"),
        ("a.toml", b"", "1 to"),
        ("a.toml", b"[stop]\ngenerations = -1\n", "at least 0"),
        ("a.toml", b"[nonsense]\nx = 1\n", r"no section \[nonsense\]"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=said) as caught:
        read_config(tmp_path / name)
    assert name in str(caught.value) and len(str(caught.value)) < 600


def test_help_shows_every_flag_in_its_group_everyday_ones_first():
    text = CliRunner().invoke(app, ["generate", "--help"], env={"COLUMNS": "100"}).output
    titles = re.findall(r"(?m)^(\w+ options):$", text)
    assert titles == ["Everyday options", *(f"{name.capitalize()} options" for name in SECTIONS)]
    for field in set(RunConfig.model_fields) - {"prompt"}:
        assert re.search(rf"(?m)^  {flag(field)}\b", text), field
    everyday = text.split("Prompt options:")[0]
    assert "--population" in everyday and "--micro-batch" not in everyday


def test_flags_change_what_a_file_says(tmp_path):
    file = write_config(
        make_config(prompt=("a red disc",), population=8, generations=3, seed=5, **TOY), tmp_path / "c.toml"
    )
    said = CliRunner().invoke(app, ["generate", "--config", str(file), "--generations", "9", "--dry-run"])
    config = RunConfig.model_validate_json(said.stdout)
    assert (config.population, config.generations, config.seed, config.prompt) == (8, 9, 5, ("a red disc",))


def test_write_config_writes_what_would_be_run(tmp_path):
    words = ["generate", "a red disc", "--generator", "toy", "--scorer", "toy", "--judge", "none", "--seed", "3"]
    said = CliRunner().invoke(app, [*words, "--write-config", str(tmp_path / "c.toml")])
    assert said.exit_code == 0 and said.stdout.strip() == str(tmp_path / "c.toml")
    config = make_config(**read_config(tmp_path / "c.toml"))
    assert config.judge is None and config.seed == 3 and config.generator == "toy"
    assert list(tmp_path.iterdir()) == [tmp_path / "c.toml"]


def test_options_of_generator_and_search_are_checked_before_anything_is_loaded():
    with pytest.raises(BadInput, match="Did you mean classes"):
        check_generator("pocket", {"clases": ("dog",)})
    with pytest.raises(BadInput, match="Did you mean tournament"):
        check_config(make_config(prompt=("a red disc",), options={"turnament": 3}, **TOY))
    with pytest.raises(BadInput, match="Generator 'toy' has no option 'truncation'"):
        check_config(make_config(prompt=("a red disc",), **TOY | {"truncation": 0.5}))
    with pytest.raises(BadInput, match="no option 'psi'"):
        check_config(make_config(prompt=("a red disc",), generator_options={"psi": 0.5}, **TOY))

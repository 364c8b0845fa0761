"""Sentence templates by name and by text: what the scorer reads, what a run keeps, what is refused."""

import pytest

from zeuxis.config import make_config
from zeuxis.errors import BadInput, UnknownName
from zeuxis.generators import GENERATORS
from zeuxis.prompts.auto import settle
from zeuxis.prompts.templates import OF_GENERATOR, about, sentences, settled
from zeuxis.report.html import write_report
from zeuxis.run import RunFolder, open_session
from zeuxis.run.record import prompt_sha256
from zeuxis.scorers.prompts import TEMPLATES, fill, parse_prompt
from zeuxis.scorers.templates import SETS, sentences_of


def asked(*names, **fields):
    return make_config(prompt=("a red shoe",), generator="toy", scorer=("toy",), prompt_template=names, **fields)


def test_every_generator_of_the_package_has_a_set_and_each_set_has_the_place_once():
    assert OF_GENERATOR.keys() == set(GENERATORS.rows)
    assert set(OF_GENERATOR.values()) <= SETS.keys() and SETS["photo"] == TEMPLATES
    assert all(text.count("{}") == 1 and len(set(of)) == len(of) for of in SETS.values() for text in of)


def test_the_usual_sentences_are_what_they_were():
    """() stands for them, so that the hash of a prompt is that of runs of before there were sets."""
    assert sentences(asked("photo")) == () == sentences_of(("photo",))
    plain = parse_prompt(["a red shoe"])
    assert prompt_sha256(plain) == prompt_sha256(parse_prompt(["a red shoe"], sentences=()))
    assert prompt_sha256(plain) != prompt_sha256(parse_prompt(["a red shoe"], sentences=SETS["product"]))


def test_sets_and_texts_are_filled_in_order():
    found = sentences(asked("plain", "a sticker of a {}", "an {} on a wall"))
    assert found == ("{}", "a sticker of {}", "{} on a wall")
    assert fill("red shoe", found) == ["red shoe", "a red shoe", "a sticker of a red shoe", "a red shoe on a wall"]
    assert fill("owl", ("a sticker of {}",)) == ["a sticker of an owl"]  # the phrase as typed is no sentence of the set
    assert fill("two owls", SETS["product"])[:2] == ["two owls", "two owls on a white background"]
    assert fill("a painting of a ship", found) == ["a painting of a ship"]  # names its medium
    assert fill("{0.__class__}", ("a sticker of {}",)) == ["a sticker of {0.__class__}"]


@pytest.mark.parametrize(
    ("generator", "own"),
    [("pocket", "small"), ("pocket-products", "product"), ("pocket-things", "small"), ("x.pkl", "photo")],
)
def test_auto_is_the_set_of_the_generator(generator, own):
    assert settled(("auto", "a {} of wax"), generator) == (own, "a {} of wax")
    assert settled((own, "auto"), generator) == (own,)


def test_a_run_keeps_the_names_and_goes_on_with_them():
    config, _ = settle(asked("auto"))
    assert config.prompt_template == ("plain",) and sentences(config) == ("{}",)
    kept = config.model_dump(mode="json") | {"prompt_template": ["product"]}
    assert settle(asked("auto"), kept)[0].prompt_template == ("product",)
    del kept["prompt_template"]  # a run of before there were sets
    assert settle(asked("auto"), kept)[0].prompt_template == ("photo",)


@pytest.mark.parametrize(
    ("names", "fields", "kind", "said"),
    [
        (("products",), {}, UnknownName, "Did you mean product"),
        (("a {} and a {}",), {}, BadInput, "once"),
        (("a {name}",), {}, BadInput, "once"),
        (("{",), {}, BadInput, "once"),
        (("{} " * 1 + "x" * 500,), {}, BadInput, "at most 400 letters"),
        ((), {}, BadInput, "1 to 64 sentences"),
        (tuple(f"{{}} {k}" for k in range(65)), {}, BadInput, "got 65"),
        (("product",), {"templates": False}, BadInput, "either --no-templates or --prompt-template"),
    ],
)
def test_what_is_no_template_is_refused_in_one_sentence(names, fields, kind, said):
    with pytest.raises(kind, match=said) as refusal:
        sentences(asked(*names, **fields))
    assert "\n" not in str(refusal.value)


def test_no_templates_are_none():
    assert sentences(asked("photo", templates=False)) == ()


def test_the_list_says_whose_a_set_is():
    rows = about()
    assert rows.keys() == SETS.keys() and rows["product"].startswith("of pocket-products: {}; ")
    assert rows["photo"].startswith("the usual ones: ")


@pytest.mark.parametrize(("names", "said"), [(("auto", "a {} in chalk"), "plain; a {} in chalk"), (("photo",), None)])
def test_the_report_says_which_were_taken(names, said, tmp_path):
    config = asked(*names, judge=None, population=4, generations=0, precision="fp32", seed=1)
    with open_session(config, tmp_path / "run") as session:
        list(session)
        session.finish()
    page = write_report(RunFolder(tmp_path / "run")).read_text(encoding="utf-8")
    assert ("templates" in page) is (said is not None) and (said is None or said in page)
    assert RunFolder(tmp_path / "run").config.prompt_template == (("plain", "a {} in chalk") if said else names)

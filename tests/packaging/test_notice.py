"""Every weight file in the package has a card, a licence, and an entry in NOTICE that says what it was trained on."""

import re
from pathlib import Path

import pytest

import zeuxis

POCKET = Path(zeuxis.__file__).parent / "pocket"
NOTICE = (Path(__file__).parent.parent.parent / "NOTICE").read_text(encoding="utf-8")
CARDS = {"scorer_second": "scorer"}  # told about in the card of its sibling
WEIGHTS = sorted(path.stem for path in POCKET.iterdir() if path.suffix not in (".md", ".py") and path.is_file())


def entry(name):
    """The indented lines under the line of NOTICE that names the file."""
    found = re.search(rf"^zeuxis/pocket/{name}\.safetensors\b.*\n((?:    .*\n)+)", NOTICE, re.MULTILINE)
    assert found, f"NOTICE has no entry for zeuxis/pocket/{name}.safetensors"
    return found[1]


def test_only_weights_cards_and_the_module_are_in_the_folder():
    known = {f"{name}.safetensors" for name in WEIGHTS} | {f"{name}.md" for name in WEIGHTS} | {"__init__.py"}
    assert {path.name for path in POCKET.iterdir() if path.is_file()} <= known


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_weight_file_has_a_card_and_a_notice(name):
    card = (POCKET / f"{CARDS.get(name, name)}.md").read_text(encoding="utf-8")
    assert f"{name}.safetensors" in card
    assert re.search(r"\*\*Licence\*\*: .*(Apache-2\.0|research only)", card) and "NOTICE" in card
    assert "**Data**" in card
    told = entry(name)
    assert "Weights: " in told and "Data: " in told
    listed = " ".join(told.split()).partition("Data: ")[2].rstrip(".")
    for data in listed.split(", "):
        assert re.search(rf"^{re.escape(data)}", NOTICE, re.MULTILINE), f"NOTICE says nothing about {data}"

"""A breeding on disk: what is read again is what was bred, and a stranger's file is read with care."""

import json

import pytest
import torch
from studio_toys import ToyArtist, breeding

from zeuxis.config import make_config
from zeuxis.errors import BadInput, RunDamaged, RunLocked
from zeuxis.storage.checksummed import checked_line
from zeuxis.studio.journal import NAME, Journal, read_config, read_family


@pytest.fixture
def bred(tmp_path):
    artist = ToyArtist(3)
    made = breeding(artist, seed=4)
    journal = Journal.new(tmp_path, make_config(prompt=("a red disc",), generator="toy", seed=4))
    made.family.heard = journal.heard
    made.begin()
    made.favour(made.family.table.shown[1])
    made.ban(made.family.table.shown[5])
    made.children(0.5)
    made.suggest(0.3)
    return made, journal, artist


def read(bred):
    made, journal, artist = bred
    return read_family(journal.folder, made.variation, artist.look)


def test_what_is_read_is_what_was_bred(bred):
    made, journal, _ = bred
    family = read(bred)
    assert family.tables == made.family.tables and family.at == made.family.at
    for one, other in zip(family.pictures, made.family.pictures, strict=True):
        assert torch.equal(one.genome, other.genome) and one.operator == other.operator and one.parents == other.parents
    assert read_config(journal.folder).prompt == ("a red disc",)


def test_undone_steps_are_there_too(bred):
    made, _, _ = bred
    made.family.undo()
    made.lock("class") if "class" in made.variation.locks else made.forget()
    family = read(bred)
    assert [table.before for table in family.tables] == [table.before for table in made.family.tables]


def test_a_line_cut_short_ends_the_breeding_before_it(bred):
    _, journal, _ = bred
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-20])
    assert len(read(bred).tables) == 4
    journal.path.write_bytes(b"")
    with pytest.raises(RunDamaged, match="no configuration"):
        read_config(journal.folder)


@pytest.mark.parametrize(
    "change",
    [
        {"table": {"shown": [99999]}},
        {"table": {"shown": [-1]}},
        {"table": {"shown": []}},
        {"table": {"shown": [0], "before": 50}},
        {"table": {"shown": [0], "choices": [[0, [7777]]]}},
        {"pictures": [{"genome": "AAAA", "operator": "draw"}]},
        {"pictures": [{"genome": "!", "operator": "draw"}]},
        {"pictures": "x"},
        {"pictures": [{"genome": "AAAA", "operator": "x" * 1000}]},
    ],
)
def test_a_line_that_no_breeding_wrote_is_not_believed(bred, change):
    _, journal, _ = bred
    first = journal.path.read_bytes().splitlines(keepends=True)[:2]
    content = {"table": {"shown": [0]}, "pictures": []} | change
    journal.path.write_bytes(b"".join(first) + checked_line(content).encode())
    assert len(read(bred).tables) == 1


def test_a_strangers_breeding_has_no_file_read(tmp_path):
    config = {"prompt": ["a cat"], "image_prompt": ["/etc/passwd"]}
    (tmp_path / NAME).write_text(checked_line({"config": config}) + "\n")
    with pytest.raises(BadInput, match="trust"):
        read_config(tmp_path)
    (tmp_path / NAME).write_text(json.dumps({"config": config}) + "\n")
    with pytest.raises((BadInput, RunDamaged)):
        read_config(tmp_path)


def test_a_link_is_not_followed(bred, tmp_path):
    _, journal, _ = bred
    kept = journal.path.rename(tmp_path / "elsewhere")
    journal.path.symlink_to(kept)
    with pytest.raises(RunDamaged):
        read_config(journal.folder)


def test_what_comes_after_a_broken_step_is_put_aside_and_the_next_step_is_not_lost(bred):
    made, journal, artist = bred
    journal.close()
    whole = journal.path.read_bytes()
    for broken, steps in ((whole[:-20], 4), (whole.replace(b'"about": "ban"', b'"about": "bun"'), 2)):
        journal.path.write_bytes(broken)
        said = []
        again, family = Journal.again(
            journal.folder, lambda: read_family(journal.folder, made.variation, artist.look), said.append
        )
        assert len(family.tables) == steps and "goes on from the one before" in said[0]
        family.heard = again.heard
        family.lay(family.table)
        again.close()
        assert len(read(bred).tables) == steps + 1
        assert journal.path.with_name(f"{NAME}.damaged").read_bytes() == broken


def test_two_studios_do_not_write_one_breeding(bred):
    _, journal, _ = bred
    with pytest.raises(RunLocked, match="close it there"):
        Journal.again(journal.folder, lambda: None, print)

"""Start banks on a full disk, killed while they grow, built twice at once, damaged, and from strangers."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
import torch

from zeuxis.errors import RunDamaged, RunLocked, RunUnwritable
from zeuxis.generators.toy import ToyGenerator
from zeuxis.scorers import bank, bank_files
from zeuxis.scorers.bank import Bank, bank_folder, build_bank, open_bank
from zeuxis.storage.checksummed import checksummed_json, table
from zeuxis.storage.lock import RunLock


class Eyes:
    """A scorer with embeddings that costs nothing."""

    name, sha256 = "eyes", "0" * 64

    def prepare(self, prompt):
        return prompt

    def embed_images(self, images):
        return torch.nn.functional.normalize(images.mean(dim=(2, 3)) - 0.4, dim=1)


MODELS = ToyGenerator(), Eyes()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bank, "CHUNK", 8)


@pytest.fixture
def folder(cache):
    return build_bank(*MODELS, 20, {}).folder


def rows(folder):
    found = Bank(folder)
    found.check()
    return np.array(found.latents[: found.done]), np.array(found.embeddings[: found.done])


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_full_disk_is_a_sentence_and_the_bank_stays_good(folder, monkeypatch):
    before = rows(folder)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RunUnwritable, match="the disk is full"):
        build_bank(*MODELS, 40, {})
    assert same(rows(folder), before) and not list(folder.glob(".*.part"))
    monkeypatch.undo()


def test_where_room_cannot_be_reserved_it_is_written(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    built = build_bank(*MODELS, 20, {})
    built.check()
    assert built.done == 20


@pytest.mark.parametrize("at", range(8))
def test_a_build_that_is_killed_while_growing_leaves_a_good_bank(folder, monkeypatch, at):
    before, count = rows(folder), 0

    class Killed(BaseException):
        pass

    def dies(call):
        def counted(*arguments):
            nonlocal count
            count += 1
            if count == at + 1:
                raise Killed
            return call(*arguments)

        return counted

    with monkeypatch.context() as patch:
        patch.setattr(bank_files, "_reserve", dies(bank_files._reserve))
        patch.setattr(bank_files.Rows, "write", dies(bank_files.Rows.write))
        patch.setattr(bank, "atomic_write", dies(bank.atomic_write))
        with pytest.raises(Killed):
            build_bank(*MODELS, 40, {})
    now = rows(folder)
    assert len(now[0]) >= 20 and same([part[:20] for part in now], before)
    grown = rows(build_bank(*MODELS, 40, {}).folder)
    assert len(grown[0]) == 40 and same([part[:20] for part in grown], before)


def test_two_builders_at_once_are_refused(folder):
    lock = RunLock(folder)
    with pytest.raises(RunLocked, match="build it later"):
        build_bank(*MODELS, 40, {})
    lock.release()
    assert build_bank(*MODELS, 40, {}).done == 40


@pytest.mark.parametrize("name", ["latents.npy", "embeddings.npy"])
@pytest.mark.parametrize("row", [0, 19])
def test_other_rows_are_never_a_silent_other_start(folder, name, row):
    values = np.load(folder / name)
    values[row] *= -1
    np.save(folder / name, values)
    with pytest.raises(RunDamaged, match="damaged in rows"):
        open_bank(*MODELS, {})
    said = []
    assert build_bank(*MODELS, 20, {}, say=said.append).done == 20 and "damaged" in said[0]
    open_bank(*MODELS, {})


def test_the_rows_are_part_of_what_a_run_is_told_from_another_by(folder):
    facts = table((folder / "bank.json").read_bytes())
    assert Bank(folder).sha256 != build_bank(*MODELS, 20, {"truncation": 0.5}).sha256
    assert len(facts["chunks"]) == 2 and len(facts["tail"]) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"count": 10**12}, {"done": -1}, {"done": 21}, {"dim": 10**9}, {"dim": "4"}, {"chunks": {}}, {"options": []},
        {"generator": 7}, {"format": 9}, {"chunks": ["x"] * 3}, {"options": {"a": {"b": {}}}},
    ],
)  # fmt: skip
def test_a_checksummed_bank_of_the_wrong_kind_is_one_sentence(folder, change):
    path = folder / "bank.json"
    path.write_bytes(checksummed_json(table(path.read_bytes()) | change))
    with pytest.raises(RunDamaged, match="Build the bank again"):
        open_bank(*MODELS, {})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1}'])
def test_a_bank_json_that_is_something_else_is_one_sentence(folder, content):
    (folder / "bank.json").write_bytes(content)
    with pytest.raises(RunDamaged, match=r"bank\.json"):
        open_bank(*MODELS, {})
    assert build_bank(*MODELS, 20, {}).done == 20


@pytest.mark.parametrize("name", ["bank.json", "latents.npy", "embeddings.npy", "lock"])
def test_links_are_not_followed(folder, tmp_path, name):
    (tmp_path / "precious").write_bytes((folder / name).read_bytes())
    before = (tmp_path / "precious").read_bytes()
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "precious")
    for use in (lambda: open_bank(*MODELS, {}), lambda: build_bank(*MODELS, 40, {})):
        with pytest.raises(RunDamaged, match="is a link"):
            use()
    assert (tmp_path / "precious").read_bytes() == before


def test_a_bank_of_an_older_version_is_read(folder):
    path = folder / "bank.json"
    content = table(path.read_bytes())
    del content["sha256"], content["tail"]
    path.write_text(__import__("json").dumps(content))
    assert open_bank(*MODELS, {}).done == 20
    assert bank_folder(*MODELS, {}) == folder

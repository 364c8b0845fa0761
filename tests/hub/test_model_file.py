"""Model files: what is written is read; forged headers, flipped bits and cut files are refused in one sentence."""

import json
import random
import resource
import struct
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from zeuxis.errors import BadInput, MissingModel, RunUnwritable, WeightsRefused, ZeuxisError
from zeuxis.hub import model_file
from zeuxis.hub.convert import convert
from zeuxis.hub.header import CHECKSUM, in_words, names_of
from zeuxis.hub.locate import peek
from zeuxis.hub.model_file import (
    Part,
    build,
    check_model,
    checksum,
    count_values,
    is_model,
    read_model,
    tensors_of,
    write_model,
)
from zeuxis.hub.pocket import POCKET, SAME_WEIGHTS, first_sha256
from zeuxis.nets.speedrun import SpeedrunNet
from zeuxis.rng import stream

FACTS = {"classes": 3, "widths": [4, 6, 8]}
ABOUT = {"classes": ["cat", "größer", "a_b"]}


def network(seed=0):
    torch.manual_seed(seed)
    return SpeedrunNet(**FACTS).eval()


def write(path, **changes):
    part = Part(FACTS, network().state_dict())
    return write_model(path, **({"family": "speedrun", "parts": {"network": part}, "about": ABOUT} | changes))


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "toy.safetensors")


def header_of(path):
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["facts"])
    header.pop(CHECKSUM, None)  # who forges a header leaves its checksum out
    return header


def forge(path, change):
    """The same tensors under another header: a dictionary to merge, a function of it, or text."""
    header = header_of(path)
    found = change(header) if callable(change) else change if isinstance(change, str) else header | change
    save_file(load_file(path), path, {"facts": found if isinstance(found, str) else json.dumps(found)})
    return path


# ---------------------------------------------------------------- writing and reading


def test_what_was_written_is_read_and_computes_the_same(path):
    model, net = read_model(path), build(path, "network")
    assert (model.family, model.parts, model.about) == ("speedrun", {"network": FACTS}, ABOUT)
    assert model.tensors_sha256 == {"network": checksum(tensors_of(path, "network"))}
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    x = torch.rand(2, 3, 32, 32, generator=stream(0)) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(net(x), network()(x), atol=2e-3)
    assert {value.dtype for value in tensors_of(path, "network").values()} == {torch.float16}
    assert count_values(path, "network") == sum(v.numel() for v in tensors_of(path, "network").values())


def test_source_licence_and_number_type_are_kept(tmp_path):
    source = {"file": "a.pt", "bytes": 3}
    path = write(tmp_path / "a" / "full.safetensors", source=source, licence="MIT", dtype=torch.float32)
    model = read_model(path)
    assert (model.source, model.licence) == (source, "MIT")
    own = {k: v for k, v in network().state_dict().items() if not k.endswith("num_batches_tracked")}
    kept = tensors_of(path, "network")
    assert kept.keys() == own.keys() and all(torch.equal(kept[k], own[k]) for k in own)
    assert [file.name for file in path.parent.iterdir()] == [
        "full.safetensors"
    ] and path.stat().st_mode & 0o777 == 0o644


def test_integers_are_kept_as_they_are_and_parts_apart(tmp_path):
    parts = {"one": Part({}, {"x": torch.tensor([1, -2], dtype=torch.int8)}), "one-b": Part({}, {"x": torch.ones(2)})}
    path = write_model(tmp_path / "x.safetensors", "toy", parts)
    assert tensors_of(path, "one")["x"].dtype == torch.int8 and tensors_of(path, "one-b").keys() == {"x"}
    with pytest.raises(WeightsRefused, match="names the network toy/one, which this version has not"):
        build(path, "one")
    with pytest.raises(WeightsRefused, match="holds one, one-b of toy, no two"):
        tensors_of(path, "two")


def test_building_leaves_the_global_random_state(path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    build(path, "network")
    check_model(path, "network")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_is_not_finite_is_not_written(tmp_path):
    for value, dtype in ((float("nan"), torch.float32), (1e6, torch.float16)):
        part = Part(FACTS, network().state_dict() | {"head.weight": torch.full((3, 8), value)})
        with pytest.raises(WeightsRefused, match=r"head\.weight: is not finite"):
            write(tmp_path / "nan.safetensors", parts={"network": part}, dtype=dtype)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("about", [{"x": float("nan")}, {"x": {1, 2}}, {"x": [[[[[[[[[[[[[[1]]]]]]]]]]]]]]}])
def test_what_could_not_be_read_back_is_not_written(about, tmp_path):
    with pytest.raises(WeightsRefused, match="header"):
        write(tmp_path / "bad.safetensors", about=about)
    assert not list(tmp_path.iterdir())


def test_a_cut_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def power_cut(tensors, part, facts):
        part.write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(model_file, "save_file", power_cut)
    with pytest.raises(RunUnwritable, match="disk full"):
        write(path)
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == [path.name]


def test_other_files_are_no_model_files(tmp_path):
    assert not is_model(tmp_path / "none.safetensors") and not is_model(tmp_path)
    with pytest.raises(MissingModel, match=r"none\.safetensors"):
        read_model(tmp_path / "none.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "plain.safetensors")
    assert not is_model(tmp_path / "plain.safetensors")
    with pytest.raises(WeightsRefused, match="says nothing about what it holds"):
        read_model(tmp_path / "plain.safetensors")


def test_a_model_file_is_not_converted_again(path):
    with pytest.raises(BadInput, match="model file already"):
        convert(path, path.with_name("again.safetensors"))
    assert peek(str(path), "judge").family == "speedrun" and in_words(peek(str(path))) == "a classifier (speedrun)"


# ---------------------------------------------------------------- damage


def test_a_flipped_bit_in_the_weights_is_refused(path):
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1  # the lowest bit of a number: finite and of the right shape, but another
    path.write_bytes(raw)
    for read in (build, tensors_of):
        with pytest.raises(WeightsRefused, match="its network is damaged: the weights do not have the checksum"):
            read(path, "network")
    assert len(tensors_of(path, "network", verify=False)) == len(tensors_of(path, "network", verify=False))
    assert build(path, "network", verify=False)


def test_swapped_tensors_of_one_shape_are_refused(path):
    tensors = load_file(path)
    one, two = "network.blocks.0.norm1.bias", "network.blocks.0.norm2.bias"
    tensors[one], tensors[two] = tensors[two] + 1, tensors[one]
    save_file(tensors, path, {"facts": json.dumps(header_of(path))})
    with pytest.raises(WeightsRefused, match="checksum"):
        build(path, "network")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(path, kept):
    raw = path.read_bytes()
    path.write_bytes(raw[: int(kept * len(raw))])
    for read in (read_model, lambda p: build(p, "network"), lambda p: peek(str(p), "judge")):
        with pytest.raises(WeightsRefused, match=r"cannot be read as safetensors|is no weight file"):
            read(path)


def test_a_file_of_before_the_checksum_is_read(path):
    """As they lie in users' caches: `zeuxis convert` wrote them without tensors_sha256."""
    kept = tensors_of(path, "network")
    forge(path, lambda header: {key: value for key, value in header.items() if key != "tensors_sha256"})
    assert read_model(path).tensors_sha256 == {} and build(path, "network")
    assert all(torch.equal(value, kept[name]) for name, value in tensors_of(path, "network").items())


# ---------------------------------------------------------------- forged headers

DEEP = "[" * 100_000
FORGED = {
    "text": ('"text"', "it is a str"),
    "list": ("[1, 2]", "it is a list"),
    "cut": ("{", "header that cannot be read"),
    "deep": (DEEP, "header that cannot be read"),
    "deep facts": (lambda h: json.dumps(h).replace('"classes": 3', '"classes": ' + "[" * 500 + "]" * 500), "nested"),
    "NaN": (lambda h: json.dumps(h).replace('"classes": 3', '"classes": NaN'), "which is no number"),
    "long number": (lambda h: json.dumps(h).replace('"classes": 3', '"classes": ' + "9" * 9000), "cannot be read"),
    "large number": ({"parts": {"network": {"classes": 10**30, "widths": [4, 6, 8]}}}, "more than 19 digits"),
    "no parts": ({"parts": {}}, "1 to 16 networks"),
    "many parts": ({"parts": {f"p{i}": {} for i in range(1000)}}, "1 to 16 networks"),
    "parts as text": ({"parts": "network"}, "1 to 16 networks"),
    "facts as list": ({"parts": {"network": [3]}}, "expected a dictionary"),
    "family as list": ({"family": ["speedrun"]}, "name of a family"),
    "family as path": ({"family": "../speedrun"}, "name of a family"),
    "other format": ({"format": 2}, "of format 2"),
    "format as list": ({"format": [1]}, "of format"),
    "about as list": ({"about": []}, "its about is a list"),
    "source as text": ({"source": "x"}, "its source is a str"),
    "licence": ({"licence": 3}, "its licence is a int"),
    "no digests": ({"tensors_sha256": {"other": "0" * 64}}, "one checksum for each part"),
    "odd digests": ({"tensors_sha256": {"network": 5}}, "one checksum for each part"),
    "other part": ({"parts": {"other": FACTS}, "tensors_sha256": {}}, "belongs to none of its parts other"),
    "unknown family": ({"family": "vgg"}, "vgg/network, which this version has not"),
    "huge": ({"parts": {"network": {"classes": 10**9, "widths": [4, 6, 8]}}}, "1000000000 of something"),
    "huge widths": (
        {"parts": {"network": {"classes": 3, "widths": [60_000] * 3}}},
        "Expected a width from 1",
    ),
    "many widths": ({"parts": {"network": {"classes": 3, "widths": [4] * 100_000}}}, "cannot be built"),
    "negative": ({"parts": {"network": {"classes": -3, "widths": [4, 6, 8]}}}, "cannot be built"),
    "words": ({"parts": {"network": {"classes": "3", "widths": [4, 6, 8]}}}, "cannot be built"),
    "truth": ({"parts": {"network": {"classes": True, "widths": [4, 6, 8]}}}, "cannot be built"),
    "no list": ({"parts": {"network": {"classes": 3, "widths": 4}}}, "cannot be built"),
    "unknown fact": ({"parts": {"network": {"classes": 3, "device": "cuda"}}}, "cannot be built"),
    "other sizes": ({"parts": {"network": {"classes": 3, "widths": [4, 6, 9]}}}, "does not fit SpeedrunNet|expected"),
}


@pytest.mark.parametrize(("change", "said"), FORGED.values(), ids=FORGED)
def test_forged_headers_are_refused_in_one_sentence(change, said, path):
    forge(path, change)
    begin, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (build, check_model):
        with pytest.raises(WeightsRefused, match=said) as error:
            read(path, "network")
        assert str(error.value).startswith("toy.safetensors: ") and len(str(error.value)) < 500
        assert "\n" not in str(error.value)
    assert time.process_time() - begin < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_a_header_larger_than_any_is_refused(path):
    forge(path, {"about": {"x": ["y" * 1000] * 20_000}})
    with pytest.raises(WeightsRefused, match="characters, more than"):
        read_model(path)
    forge(path, {"about": {"x": [0] * 1_100_000}})
    with pytest.raises(WeightsRefused, match="more than 1,048,576 entries"):
        read_model(path)


@pytest.mark.parametrize("names", [None, "abc", ["a", "b"], ["a", "b", 3], ["a", "b", ""], ["a", "b", "x" * 2000]])
def test_names_that_are_none_are_refused(names, path):
    forge(path, {"about": {"classes": names}})
    with pytest.raises(WeightsRefused, match="classes"):
        names_of(read_model(path), "classes", 3)


def test_mutants_are_refused_or_the_same(path):
    """Flips and cuts anywhere: refused, or in a place of the header that changes nothing that it says."""
    whole, rng, refused = path.read_bytes(), random.Random(0), 0
    kept, told = tensors_of(path, "network"), read_model(path)
    for _ in range(300):
        damaged = bytearray(whole)
        place = rng.randrange(len(whole))
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged if rng.random() < 0.8 else damaged[:place])
        try:
            build(path, "network")
            found = tensors_of(path, "network")
            assert read_model(path) == told
            assert found.keys() == kept.keys() and all(torch.equal(found[k], kept[k]) for k in kept)
        except ZeuxisError:
            refused += 1
    assert refused > 200


# ---------------------------------------------------------------- the files that ship


@pytest.mark.parametrize("name", ["judge", "scorer", "scorer_second"])
def test_the_pocket_files_are_whole_and_known_by_their_first_digest(name):
    path = POCKET / f"{name}.safetensors"
    model = read_model(path)
    for part in model.parts:
        check_model(path, part)
        assert tensors_of(path, part)
    digest = model_file.file_sha256(path)
    assert digest in SAME_WEIGHTS, "the file was rewritten: add its SHA-256 to SAME_WEIGHTS if the weights are the same"
    assert first_sha256(digest) == model.source.get("sha256", SAME_WEIGHTS[digest]) != digest

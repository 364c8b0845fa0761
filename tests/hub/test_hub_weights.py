"""Weight files: what is written is read; what does not fit, or is damaged, is refused with its name."""

import hashlib
import json
import random

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from zeuxis.errors import MissingModel, WeightsRefused
from zeuxis.hub import weights
from zeuxis.hub.pocket import POCKET, pocket_path
from zeuxis.hub.weights import file_sha256, load_weights, read_facts, save_weights
from zeuxis.rng import stream

FACTS = {"family": "toy", "classes": ["cat", "größer"], "widths": [1, 2]}


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Embedding(4, 2))


def rewrite(path, change):
    """The same file with its tensors changed."""
    tensors = change(load_file(path))
    save_file(tensors, path, {"facts": json.dumps(FACTS)})


@pytest.fixture
def path(tmp_path):
    return save_weights(network(), tmp_path / "toy.safetensors", FACTS)


def test_what_was_written_is_read(path):
    net = network(seed=1).train()
    assert load_weights(net, path) is net and not net.training
    for name, value in network().state_dict().items():
        assert torch.allclose(net.state_dict()[name].float(), value.float(), atol=1e-3), name
    assert net[0].weight.dtype == torch.float32


def test_the_file_is_half_precision_and_names_its_facts(path):
    tensors = load_file(path)
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    assert not any("num_batches_tracked" in name for name in tensors)
    assert read_facts(path) == FACTS


def test_weights_may_be_kept_in_full(tmp_path):
    path = save_weights(network(), tmp_path / "full.safetensors", FACTS, torch.float32)
    assert torch.equal(load_weights(network(seed=1), path)[0].weight, network()[0].weight)


def test_a_missing_file_says_how_to_get_it(tmp_path):
    for read in (read_facts, file_sha256, lambda path: load_weights(network(), path)):
        with pytest.raises(MissingModel, match=r"none\.safetensors.*Reinstall zeuxis, or train it"):
            read(tmp_path / "none.safetensors")
    with pytest.raises(MissingModel):
        read_facts(tmp_path)  # a folder


def test_facts_that_are_needed_must_be_there(path):
    assert read_facts(path, "family", "widths") == FACTS
    with pytest.raises(WeightsRefused, match=r"toy\.safetensors: says nothing about vocabulary, heads"):
        read_facts(path, "family", "vocabulary", "heads")


def drop(tensors):
    del tensors["0.bias"]
    return tensors


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop, r"toy\.safetensors: 0\.bias: is missing"),
        (lambda t: t | {"3.extra": torch.zeros(1)}, r"3\.extra: is not expected"),
        (lambda t: t | {"0.bias": torch.zeros(4)}, r"0\.bias: has shape \(4,\), expected \(3,\)"),
        (lambda t: t | {"0.bias": torch.tensor([0.0, float("nan"), 0.0])}, r"0\.bias: holds NaN"),
        (lambda t: t | {"0.bias": torch.tensor([0.0, float("inf"), 0.0])}, r"0\.bias: holds NaN or infinity"),
        (
            lambda t: t | {"0.bias": torch.zeros(3, dtype=torch.int16)},
            r"0\.bias: is torch\.int16, expected torch\.float32",
        ),
        (lambda t: t | {"0.bias": torch.full((3,), 1e300, dtype=torch.float64)}, r"0\.bias: holds NaN or infinity"),
        (lambda t: t | {"0.bias": torch.zeros(3, dtype=torch.float8_e4m3fn)}, r"0\.bias: is torch\.float8"),
        (lambda t: t | {"x": torch.zeros(3, dtype=torch.float8_e4m3fn)}, "x: is not expected"),
    ],
    ids=["missing", "unexpected", "shape", "NaN", "infinity", "integers", "too large", "eight bits", "odd extra"],
)
def test_what_does_not_fit_is_refused_by_name(change, said, path):
    rewrite(path, change)
    net = network(seed=1)
    before = net[0].weight.detach().clone()
    with pytest.raises(WeightsRefused, match=said):
        load_weights(net, path)
    assert torch.equal(net[0].weight, before)  # nothing was filled in


def test_many_faults_are_not_all_listed(path):
    rewrite(path, lambda tensors: {f"x{i}": torch.zeros(1) for i in range(50)})
    with pytest.raises(WeightsRefused) as error:
        load_weights(network(), path)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      ", b"PK\x03\x04" + b"\0" * 40]
)
def test_a_file_that_is_no_safetensors_is_refused(content, tmp_path):
    path = tmp_path / "no.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsRefused):
        load_weights(network(), path)


@pytest.mark.parametrize("facts", ["[1, 2]", '"text"', "{", "[" * 100_000], ids=["list", "text", "cut", "deep"])
def test_facts_that_are_no_dictionary_are_refused(facts, path):
    save_file(load_file(path), path, {"facts": facts})
    with pytest.raises(WeightsRefused, match="cannot be read as safetensors"):
        read_facts(path)


def mutant(whole, rng):
    """Truncated, flipped, overwritten in its header, or with something put in."""
    kind, header = rng.randrange(4), 8 + int.from_bytes(whole[:8], "little")
    if kind == 0:
        return whole[: rng.randrange(len(whole))]
    damaged, place = bytearray(whole), rng.randrange(len(whole))
    if kind == 1:
        damaged[place] ^= 1 << rng.randrange(8)
    elif kind == 2:
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(header)] = rng.randrange(32, 127)
    else:
        damaged[place:place] = rng.randbytes(rng.randint(1, 9))
    return bytes(damaged)


def test_mutants_are_refused_or_read_and_nothing_else(path):
    whole, rng, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(400):
        path.write_bytes(mutant(whole, rng))
        try:
            net = load_weights(network(), path)
            assert isinstance(read_facts(path), dict)
            assert all(torch.isfinite(value).all() for value in net.state_dict().values())
        except WeightsRefused:
            refused += 1
    assert refused > 250


def test_a_network_with_nan_is_not_written(tmp_path):
    net = network()
    with torch.no_grad():
        net[0].bias[1] = float("nan")
    with pytest.raises(WeightsRefused, match=r"0\.bias: is not finite"):
        save_weights(net, tmp_path / "nan.safetensors", FACTS)
    assert not list(tmp_path.iterdir())


def test_a_network_too_large_for_half_precision_is_not_written(tmp_path):
    net = network()
    nn.init.constant_(net[0].weight, 1e6)
    with pytest.raises(WeightsRefused, match=r"0\.weight: is not finite in torch\.float16"):
        save_weights(net, tmp_path / "large.safetensors", FACTS)


def test_a_cut_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def power_cut(tensors, part, facts):
        part.write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(weights, "save_file", power_cut)
    with pytest.raises(OSError, match="disk full"):
        save_weights(network(seed=5), path, FACTS)
    assert path.read_bytes() == before


def test_folders_are_made_and_no_part_is_left(tmp_path):
    path = save_weights(network(), tmp_path / "a" / "b" / "toy.safetensors", FACTS)
    assert [file.name for file in path.parent.iterdir()] == ["toy.safetensors"]


def test_the_network_that_is_written_keeps_its_weights(tmp_path):
    net = network().requires_grad_(True)
    before = net[0].weight.detach().clone()
    save_weights(net, tmp_path / "toy.safetensors", FACTS)
    assert torch.equal(net[0].weight, before) and net[0].weight.dtype == torch.float32


def test_the_hash_is_that_of_the_bytes(path):
    assert file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_channels_last_weights_are_read_back_in_place(tmp_path):
    net = nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
    path = save_weights(net, tmp_path / "toy.safetensors", FACTS)
    x = torch.randn(1, 4, 5, 5, generator=stream(0))
    assert torch.allclose(load_weights(nn.Conv2d(4, 4, 3), path)(x), net(x), atol=1e-2)


def test_pocket_models_lie_in_the_package_or_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.delenv("ZEUXIS_POCKET", raising=False)
    assert pocket_path("judge") == POCKET / "judge.safetensors"
    monkeypatch.setenv("ZEUXIS_POCKET", str(tmp_path))
    assert pocket_path("judge") == tmp_path / "judge.safetensors"

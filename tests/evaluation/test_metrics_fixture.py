"""FID, KID, Inception Score, precision and recall against torch-fidelity's numbers, and by hand."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zeuxis.errors import BadInput
from zeuxis.metrics import neighbours
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.inception_score import inception_score
from zeuxis.metrics.kernel import kernel_distance, squared_mmd
from zeuxis.metrics.precision_recall import precision_recall

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "metrics"
GIVEN = load_file(FIXTURE / "inputs.safetensors")
EXPECTED = {name: value.item() for name, value in load_file(FIXTURE / "outputs.safetensors").items()}
GENERATED, REAL, LOGITS = GIVEN["generated"], GIVEN["real"], GIVEN["logits"]


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [("fid", GENERATED, REAL), ("fid_swapped", REAL, GENERATED), ("fid_small", GENERATED[:48], REAL)],
)
def test_frechet_distance(name, a, b):
    assert frechet_distance(a, b) == pytest.approx(EXPECTED[name], rel=1e-6)


def test_frechet_distance_of_a_set_to_itself_is_zero():
    assert frechet_distance(REAL, REAL) == pytest.approx(0, abs=1e-6)


def test_kernel_distance():
    mean, std = kernel_distance(GENERATED, REAL, subsets=100, size=100)
    assert mean == pytest.approx(EXPECTED["kid_mean"], rel=1e-6)
    assert std == pytest.approx(EXPECTED["kid_std"], rel=1e-5)
    assert kernel_distance(GENERATED, REAL, subsets=1, size=256)[0] == pytest.approx(EXPECTED["kid_full"], rel=1e-4)


def test_kernel_distance_by_hand():
    x, y = torch.tensor([[1.0], [2.0]]).double(), torch.tensor([[0.0], [1.0]]).double()
    # k(1, 2) = 27; k(0, 1) = 1; across k(1, 0) = 1, k(1, 1) = 8, k(2, 0) = 1, k(2, 1) = 27
    assert squared_mmd(x, y) == pytest.approx(27 + 1 - 2 * (1 + 8 + 1 + 27) / 4)


def test_inception_score():
    mean, std = inception_score(LOGITS)
    assert mean == pytest.approx(EXPECTED["is_mean"], rel=1e-6) and std == pytest.approx(EXPECTED["is_std"], rel=1e-6)
    mean, std = inception_score(LOGITS, shuffle=False)
    assert mean == pytest.approx(EXPECTED["is_mean_unshuffled"], rel=1e-6)
    assert std == pytest.approx(EXPECTED["is_std_unshuffled"], rel=1e-6)
    assert inception_score(LOGITS, splits=1)[0] == pytest.approx(EXPECTED["is_one_split"], rel=1e-6)


def test_the_best_inception_score_is_the_number_of_classes():
    assert inception_score(1000 * torch.eye(7), splits=1)[0] == pytest.approx(7)
    assert inception_score(torch.ones(7, 7), splits=1)[0] == pytest.approx(1)


@pytest.mark.parametrize(("k", "suffix"), [(3, ""), (5, "_k5")])
@pytest.mark.parametrize("block", [1000, 37])
def test_precision_and_recall_are_exact(k, suffix, block, monkeypatch):
    monkeypatch.setattr(neighbours, "TILE", (block, block + 13))
    found = precision_recall(GENERATED, REAL, k=k, block=block)
    assert found.precision == EXPECTED[f"precision{suffix}"] and found.recall == EXPECTED[f"recall{suffix}"]
    if k == 3:
        assert found.f_score == pytest.approx(EXPECTED["f_score"], rel=1e-12)


def test_sets_far_apart_have_neither_precision_nor_recall():
    assert precision_recall(GENERATED, REAL + 1000) == (0.0, 0.0, 0.0)


def test_too_few_pictures_are_refused():
    for ask in (
        lambda: kernel_distance(GENERATED[:10], REAL, size=100),
        lambda: kernel_distance(GENERATED, REAL[:, :3], size=100),
        lambda: inception_score(LOGITS[:5]),
        lambda: precision_recall(GENERATED[:3], REAL),
        lambda: precision_recall(GENERATED, REAL[:, :3]),
    ):
        with pytest.raises(BadInput, match="Expected"):
            ask()

"""TensorFlow 1's bilinear resizing, against the fixture of the Inception network and by hand."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from zeuxis.evaluation.inception_features import resize_tf1

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "inception_v3_fid"


def test_doubling_by_hand():
    x = torch.tensor([[[[0.0, 10.0]]]])
    # sources 0, 0.5, 1, 1.5: the last lies beyond the last pixel, which is repeated
    assert resize_tf1(x, 1, 4).tolist() == [[[[0.0, 5.0, 10.0, 10.0]]]]
    assert resize_tf1(x.mT, 4, 1).flatten().tolist() == [0.0, 5.0, 10.0, 10.0]


def test_halving_takes_every_second_pixel():
    x = torch.rand(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resize_tf1(x, 4, 3), x[:, :, ::2, ::2])


def test_the_same_size_is_left_alone():
    x = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resize_tf1(x, 5, 7), x)


def test_it_is_what_torch_fidelity_computes():
    given, expected = (load_file(FIXTURE / f"{kind}.safetensors") for kind in ("inputs", "outputs"))
    images = [given[f"image_{size}"].float() for size in (32, 64, 256)]
    resized = torch.cat([resize_tf1(x, 299, 299) for x in images])
    assert (resized[:, :, ::23, ::23] - expected["resized_grid"]).abs().max() < 2e-3
    total, squares = resized.double().sum((1, 2, 3)), resized.double().square().sum((1, 2, 3))
    assert torch.allclose(total, expected["resized_sum"], rtol=1e-6)
    assert torch.allclose(squares, expected["resized_sumsq"], rtol=1e-6)
    other = torch.cat([F.interpolate(x, (299, 299), mode="bilinear") for x in images])
    assert (other[:, :, ::23, ::23] - expected["resized_grid"]).abs().max() > 1  # the test can fail


@pytest.mark.parametrize("size", [(1, 1), (299, 299), (300, 2)])
def test_any_size_is_read(size):
    resized = resize_tf1(torch.full((1, 3, *size), 7.0), 299, 299)
    assert resized.shape == (1, 3, 299, 299) and bool((resized == 7).all())

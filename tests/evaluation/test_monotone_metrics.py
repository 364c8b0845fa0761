"""In the features that ship every distance rises with noise, blur, swirl, salt and pepper and JPEG."""

import metric_pictures as pictures
import pytest
import torch

from zeuxis.evaluation.feature_spaces import open_features
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.kernel import squared_mmd
from zeuxis.metrics.wasserstein import mind

COUNT, STRENGTHS = 32, (0.0, 0.3, 1.0)


@pytest.fixture(scope="module")
def space():
    return open_features("mobilenet-v1")


@pytest.fixture(scope="module")
def clean(space):
    torch.set_num_threads(1)
    return space.embed(pictures.drawn(COUNT))


@pytest.mark.parametrize("spoil", [getattr(pictures, n) for n in ("noise", "blur", "swirl", "salt_and_pepper", "jpeg")])
def test_distances_rise_with_damage(spoil, space, clean):
    images = pictures.drawn(COUNT)
    sets = [clean if not strength else space.embed(spoil(images, strength)) for strength in STRENGTHS]
    for of in (frechet_distance, squared_mmd, lambda a, b: mind(a, b, directions=200)):
        found = [of(x, clean) for x in sets]
        assert found == sorted(found) and found[2] > 1.2 * max(found[1], 0), found
    shares = [density_coverage(x, clean).coverage for x in sets]
    assert shares == sorted(shares, reverse=True) and shares[0] == 1


def test_bytes_floats_and_batches_give_the_same_features(space, clean):
    images = pictures.drawn(COUNT)
    assert torch.equal(space.embed(images.float() / 255), clean)
    pieces = torch.cat([space.embed(piece) for piece in images.split(7)])
    assert torch.allclose(pieces, clean, atol=1e-4)
    order = torch.arange(COUNT).flip(0)
    assert torch.allclose(space.embed(images[order]), clean[order], atol=1e-4)

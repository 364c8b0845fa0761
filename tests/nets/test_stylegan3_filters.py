"""Filters as matrices are the convolutions that they stand for, in values and in gradients."""

import pytest
import torch
import torch.nn.functional as F

from zeuxis.nets.stylegan3_filters import by_matrices, down_filtered, up_filtered


def plainly(x, f, up, down, padding):
    """Zeros put in, padded or cropped, a true convolution along both axes, every `down`-th pixel: by the definition."""
    n, c, h, w = x.shape
    wide = x.new_zeros(n, c, h * up, w * up)
    wide[:, :, ::up, ::up] = x
    kernel = torch.outer(f, f).flip(0, 1).expand(c, 1, -1, -1)
    return F.conv2d(F.pad(wide, padding * 2), kernel, groups=c)[:, :, ::down, ::down]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("up", "down", "padding"), [(1, 1, (0, 0)), (2, 1, (3, 4)), (4, 1, (-2, 5)), (1, 2, (0, 0)), (2, 2, (6, -3))]
)
def test_they_are_the_convolution_and_its_gradient(up, down, padding, layout):
    rng = torch.Generator().manual_seed(up + down)
    f = torch.rand(7, generator=rng, dtype=torch.float64)
    x = torch.rand(3, 2, 9, 8, generator=rng, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    found, wanted = by_matrices(x, f, up, down, padding), plainly(x, f, up, down, padding)
    torch.testing.assert_close(found, wanted)
    towards = torch.rand(wanted.shape, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(*(torch.autograd.grad((y * towards).sum(), x)[0] for y in (found, wanted)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_ways_of_a_layer_agree(dtype, monkeypatch):
    x, f = torch.randn(2, 3, 12, 12).to(dtype), torch.rand(12) / 6
    fast = up_filtered(x, f, 2, (6, 5)), down_filtered(x, f, 2)
    monkeypatch.setattr("zeuxis.nets.stylegan3_filters.by_matrices", None)  # not to be called
    monkeypatch.setattr("zeuxis.nets.stylegan3_filters.WIDEST_UP", 0)
    monkeypatch.setattr("zeuxis.nets.stylegan3_filters.WIDEST_DOWN", 0)
    plain = up_filtered(x.float(), f, 2, (6, 5)), down_filtered(x.float(), f, 2)
    for found, wanted in zip(fast, plain, strict=True):
        torch.testing.assert_close(
            found.float(), wanted, rtol=2 * torch.finfo(dtype).eps, atol=0.03 if dtype != torch.float32 else 1e-5
        )


def test_a_picture_does_not_depend_on_its_neighbours():
    x, f = torch.randn(5, 6, 20, 20), torch.rand(12)
    for layout in (torch.contiguous_format, torch.channels_last):
        together = by_matrices(x.to(memory_format=layout), f, 2, 1, (6, 5))
        alone = by_matrices(x[3:4].to(memory_format=layout), f, 2, 1, (6, 5))
        assert torch.equal(together[3:4], alone)

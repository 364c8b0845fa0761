"""VQGAN files of a stranger: codes that no arithmetic survives, complex numbers, and a book as large as can be."""

import pytest
import torch

from zeuxis.errors import WeightsRefused
from zeuxis.generators.vqgan import VQGAN
from zeuxis.hub.convert import read_checkpoint
from zeuxis.hub.model_file import Part, write_model
from zeuxis.nets.vqgan import VQGAN as Net
from zeuxis.rng import stream
from zeuxis.spaces import CodeGrid, codebook

FACTS = {"codes": 9, "embed": 2, "z_channels": 4, "widths": [32], "blocks": 1, "attention": [], "img_channels": 3}
CODES = "quantize.embedding.weight"


@pytest.mark.parametrize("size", [3e38, -3e38, 1e12])
def test_codes_beyond_all_that_is_trained_are_refused(size, tmp_path):
    tensors = Net(**FACTS).state_dict()
    path = tmp_path / "net.safetensors"
    write_model(path, "vqgan", {"generator": Part(FACTS, tensors)}, dtype=torch.float32)
    assert torch.isfinite(VQGAN(path, grid=2).render(torch.zeros(1, 8))).all()
    tensors[CODES] = torch.full_like(tensors[CODES], size)
    write_model(path, "vqgan", {"generator": Part(FACTS, tensors)}, dtype=torch.float32)
    with pytest.raises(WeightsRefused, match="codes beyond"):
        VQGAN(path, grid=2)


@pytest.mark.parametrize("name", [CODES, "quantize.embed.weight", "decoder.conv_in.weight"])
def test_complex_numbers_do_not_lose_half_of_themselves(name, tmp_path, recwarn):
    path = tmp_path / "net.ckpt"
    state = Net(**FACTS).state_dict()
    torch.save({"state_dict": state | {name: torch.ones(9, 2, dtype=torch.complex64)}}, path)
    with pytest.raises(WeightsRefused, match="complex"):
        read_checkpoint(path)
    assert not [one for one in recwarn if "complex" in str(one.message).lower()]


def test_a_large_book_is_searched_in_bounded_memory(monkeypatch):
    codes = torch.randn(700, 3, generator=stream(1))
    grid = CodeGrid(codes, 4)
    x = grid.sample(20, stream(2)) + 0.01
    most, wanted = [], grid.nearest(x)
    real = torch.Tensor.argmin
    monkeypatch.setattr(torch.Tensor, "argmin", lambda rows, dim: most.append(rows.numel()) or real(rows, dim=dim))
    for limit in (7000, 700, 1):
        monkeypatch.setattr(codebook, "MOST_DISTANCES", limit)
        assert torch.equal(grid.nearest(x), wanted) and max(most) <= max(limit, len(codes))
        most.clear()

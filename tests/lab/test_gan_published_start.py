"""A training that starts from a published file, by a recipe's `start`."""

from pathlib import Path

import pytest
import torch
from lab_helpers import recipe

from zeuxis.errors import BadInput
from zeuxis.hub.convert import convert
from zeuxis.hub.model_file import build
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.tasks.base import Lab
from zeuxis.rng import stream

FIXTURE = Path(__file__).parent.parent / "fixtures" / "stylegan3_t_c0_32px" / "network.pkl"


def task_of(data, weights, **generator):
    options = {"start": "published", "resolution": 32, "generator": generator}
    options["discriminator"] = {"channel_base": 512, "channel_max": 16, "conv_clamp": 256}
    return Adversarial(Lab(recipe("stylegan3-t", options=options), data, torch.device("cpu"), torch.float32, weights))


def test_a_training_may_start_from_a_published_file(data, tmp_path):
    path = convert(FIXTURE, tmp_path / "published.safetensors")
    task = task_of(data, tmp_path, z_dim=32, w_dim=32, layers=6, channel_base=1024, channel_max=32)
    given, z = build(path), torch.randn(3, 32, generator=stream(0, "z"))
    with torch.no_grad():
        expected = given.synthesise(given.map(z)[:, None].repeat(1, given.num_ws, 1))
        assert torch.allclose(task.generator.eval()(z), expected, atol=1e-5)
        judge = build(path, "discriminator").eval()
        assert torch.allclose(task.discriminator.eval()(expected), judge(expected)[:, 0], atol=1e-4)
    assert task.step(0, 0.0)["g_loss"] > 0


def test_one_of_another_size_or_kind_is_refused(data, tmp_path):
    convert(FIXTURE, tmp_path / "published.safetensors")
    with pytest.raises(BadInput, match="does not fit this recipe's generator"):
        task_of(data, tmp_path, z_dim=32, w_dim=32, layers=6, channel_base=1024, channel_max=16)
    other = recipe("stylegan2-full", options={"start": "published"})
    with pytest.raises(BadInput, match="holds a stylegan3, expected gan-stylegan2-full or a converted stylegan2"):
        Adversarial(Lab(other, data, torch.device("cpu"), torch.float32, tmp_path))

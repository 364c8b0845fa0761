"""A tiny random latent diffusion model: steps are a function of noise and phrase; runs and replays know the phrase."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, MissingExtra, WeightsRefused
from zeuxis.generators import diffusion
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.pictures.metadata import read_metadata
from zeuxis.rng import stream

TOKENIZER = Path(__file__).parent.parent / "fixtures/clip_vit_quickgelu/hf"


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    for part in ("unet", "vae"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text("{}")
    with pytest.raises(MissingExtra, match=r"pip install 'zeuxis\[diffusion\]'"):
        make_generator(str(tmp_path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A diffusers folder: 8 x 8 x 4 noise, 16 pixels, random weights."""
    diffusers = pytest.importorskip("diffusers", reason="needs the extra `diffusion`")
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("diffusion") / "tiny"
    torch.manual_seed(0)
    blocks = {"layers_per_block": 1, "norm_num_groups": 8}
    unet = diffusers.UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        **blocks,
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 16), latent_channels=4, down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, **blocks,
    )  # fmt: skip
    words = json.loads((TOKENIZER / "config.json").read_text())["text_config"]
    config = transformers.CLIPTextConfig(
        vocab_size=words["vocab_size"], hidden_size=16, intermediate_size=32, num_hidden_layers=1, projection_dim=16,
        num_attention_heads=2, max_position_embeddings=16, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    unet.save_pretrained(path / "unet")
    vae.save_pretrained(path / "vae")
    transformers.CLIPTextModel(config).save_pretrained(path / "text_encoder")
    diffusers.EulerDiscreteScheduler(timestep_spacing="trailing").save_pretrained(path / "scheduler")
    (path / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, path / "tokenizer")
    (path / "README.md").write_text("---\nlicense: openrail++\n---\n# tiny\n")
    return path


@torch.no_grad()
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of numpy, inside diffusers' scheduler
@pytest.mark.parametrize("steps", [1, 3])
def test_steps_are_those_of_the_scheduler(folder, steps):
    import diffusers

    generator = make_generator(str(folder), text="a red shoe", steps=steps)
    assert generator.resolution == 16 and generator.space.dim == 256
    x = generator.space.sample(2, stream(0))
    scheduler = diffusers.EulerDiscreteScheduler.from_pretrained(folder / "scheduler")
    scheduler.set_timesteps(steps)
    z = x.reshape(2, 4, 8, 8) * scheduler.init_noise_sigma
    for time in scheduler.timesteps:
        words = generator.condition.expand(2, -1, -1)
        seen = generator.unet(scheduler.scale_model_input(z, time), time, encoder_hidden_states=words).sample
        z = scheduler.step(seen, time, z).prev_sample
    images = generator.vae.decode(z / generator.vae.config.scaling_factor).sample
    torch.testing.assert_close(generator.render(x), (images / 2 + 0.5).clamp(0, 1), atol=2e-4, rtol=1e-3)


def test_a_velocity_and_a_noise_say_the_same(folder):
    generator = make_generator(str(folder))
    z, sigma = torch.randn(1, 4, 8, 8, generator=stream(1)), 3.0
    noise = torch.randn(1, 4, 8, 8, generator=stream(2))

    class Says:
        def __init__(self, answer):
            self.sample = answer

    scale = math.sqrt(sigma**2 + 1)
    generator._copies[torch.float32] = lambda *_, **__: Says(noise)
    slope = generator._slope(z, 1.0, sigma)
    velocity = noise / scale - (z - sigma * noise) * sigma / scale  # v = a e - s x; a = 1 / scale, s = sigma / scale
    generator.predicts = "v_prediction"
    generator._copies[torch.float32] = lambda *_, **__: Says(velocity)
    torch.testing.assert_close(generator._slope(z, 1.0, sigma), slope, atol=1e-5, rtol=1e-4)


def test_it_keeps_the_contract(folder):
    generator = make_generator(str(folder), text="a red shoe")
    x = generator.space.sample(8, stream(1))
    with torch.no_grad():
        images = generator.render(x)
        assert images.shape == (8, 3, 16, 16) and float(images.min()) >= 0 and float(images.max()) <= 1
        assert torch.equal(generator.render(x.roll(3, 0)), images.roll(3, 0))
        assert torch.equal(make_generator(str(folder), text="a red shoe").render(x), images)
        assert not torch.equal(make_generator(str(folder), text="a blue bag").render(x), images)
        generator.set_precision(torch.bfloat16)
        reduced = generator.render(x)
        assert reduced.dtype is torch.float32 and 0 < float((reduced - images).abs().mean()) < 0.05
        generator.set_precision(torch.float32)
        assert torch.equal(generator.render(x), images)
    x.requires_grad_()
    generator.render(x).sum().backward()
    assert float(x.grad.abs().min(dim=1).values.sum()) >= 0 and float(x.grad.abs().sum()) > 0


def test_a_run_draws_for_its_phrase_and_replays(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("generate", "a red disc", "--generator", folder, "--scorer", "toy", "--judge", "none", "--search", "ga")
    result = zeuxis_(*words, "--population", "4", "--generations", "1", "--out", "run")
    assert result.exit_code == 0, result.output
    assert "licence of tiny is openrail++" in result.output
    info = read_metadata("run/images/best.png")
    assert info.options == {"text": "a red disc"}
    assert "identical" in zeuxis_("replay", "run/images/best.png", "--generator", folder).output
    assert zeuxis_("resume", "run", "--generations", "2", "--quiet").exit_code == 0


def test_what_is_damaged_or_missing_is_refused(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "unet/config.json").read_text())
    (copy / "unet/config.json").write_text(json.dumps(config | {"block_out_channels": [16, 48]}))
    with pytest.raises(WeightsRefused, match=r"has shape|missing|describes no"):
        make_generator(str(copy))
    (copy / "unet/config.json").write_text("{")
    with pytest.raises(WeightsRefused, match="no JSON"):
        make_generator(str(copy))
    (copy / "unet/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(WeightsRefused, match="only safetensors"):
        check_generator(str(copy))
    for options in ({"steps": 0}, {"steps": 9}, {"size": -1}, {"guidance": 7}):
        with pytest.raises(BadInput):
            make_generator(str(folder), **options)


def test_the_licence_is_read_from_the_front_of_the_readme(tmp_path):
    assert diffusion.licence_of(tmp_path) == ""
    (tmp_path / "README.md").write_text("---\ntags: x\nlicense: other\n---\n")
    assert diffusion.licence_of(tmp_path) == "other"

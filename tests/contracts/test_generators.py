"""What every generator in the table promises, whoever wrote it."""

import pytest
import torch

from zeuxis.errors import BadInput, Missing
from zeuxis.generators import GENERATORS
from zeuxis.generators.base import Generator
from zeuxis.generators.lab import LabGenerator
from zeuxis.generators.vqgan import VQGAN
from zeuxis.hub.model_file import Part, write_model
from zeuxis.nets.gan.stylegan2 import pair
from zeuxis.nets.vqgan import VQGAN as VQGANNet
from zeuxis.rng import stream

CPU = torch.device("cpu")
MICRO_BATCH = 8


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def trained_in_the_lab(folder):
    """The file of a small network of two kinds of labels, never trained."""
    facts = {"resolution": 16, "classes": [2, 3], "channels": 3, "widths": [32, 24, 16]}
    torch.manual_seed(0)
    parts = {
        part: Part(facts, kind(**facts).state_dict())
        for part, kind in zip(("generator", "discriminator"), pair(), strict=True)
    }
    about = {"labels": {"type": ["bag", "shoe"], "colour": ["red", "blue", "green"]}}
    about |= {"rows": [[0, 0], [1, 1], [1, 2]], "counts": [3, 2, 1]}
    return write_model(folder / "lab.safetensors", "gan-stylegan2", parts, about=about)


def a_vqgan(folder):
    """The file of a small VQGAN, never trained."""
    facts = {"codes": 20, "embed": 6, "z_channels": 8, "widths": [32, 32], "blocks": 1, "attention": [1]}
    torch.manual_seed(0)
    net = VQGANNet(**facts)
    torch.nn.init.normal_(net.quantize.embedding.weight, std=3)
    return write_model(folder / "vqgan.safetensors", "vqgan", {"generator": Part(facts, net.state_dict())})


@pytest.fixture(params=[*GENERATORS, "lab", "vqgan"], scope="module")
def generator(request, tmp_path_factory):
    if request.param == "vqgan":
        return VQGAN(a_vqgan(tmp_path_factory.mktemp("vqgan")), CPU, grid=8)
    if request.param == "lab":
        return LabGenerator(trained_in_the_lab(tmp_path_factory.mktemp("lab")), CPU)
    try:
        return GENERATORS[request.param](device=CPU)
    except Missing as error:
        pytest.skip(f"the weights of {request.param} are not here: {error}")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("zeuxis."):
            raise
        pytest.skip(f"{error.name} is not written yet")


def another(generator, device):
    """The same generator, loaded again."""
    if generator.name == "lab":
        return LabGenerator(generator.path, device)
    if generator.name == "vqgan":
        return VQGAN(generator.path, device, grid=8)
    return GENERATORS[generator.name](device=device)


@pytest.fixture
def latents(generator):
    return generator.space.sample(MICRO_BATCH, stream(1, "contract"))


def test_it_has_what_a_generator_has(generator):
    assert isinstance(generator, Generator)
    assert len(generator.sha256) == 64 and set(generator.sha256) <= set("0123456789abcdef")
    assert generator.device == CPU and generator.name


def test_images_are_float32_between_0_and_1_at_its_resolution(generator, latents):
    images = generator.render(latents)
    assert images.shape == (MICRO_BATCH, 3, generator.resolution, generator.resolution)
    assert images.dtype is torch.float32 and images.device == CPU
    assert float(images.min()) >= 0 and float(images.max()) <= 1


def test_images_are_not_all_the_same(generator, latents):
    images = generator.render(latents)
    assert (images[1:] - images[:1]).abs().amax(dim=(1, 2, 3)).min() > 0.01


def test_the_same_latent_is_the_same_picture_bit_for_bit(generator, latents):
    first = generator.render(latents)
    assert all(torch.equal(generator.render(latents), first) for _ in range(3))


def test_a_second_copy_draws_the_same_pictures(generator, latents):
    copy = another(generator, CPU)
    assert copy.sha256 == generator.sha256
    assert torch.equal(copy.render(latents), generator.render(latents))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_picture_does_not_depend_on_its_place_or_neighbours(generator, latents, dtype):
    generator.set_precision(dtype)
    whole = generator.render(latents)
    for shift in range(1, MICRO_BATCH):
        assert torch.equal(generator.render(latents.roll(shift, 0)), whole.roll(shift, 0))
    alone = generator.render(latents[:1].expand(MICRO_BATCH, -1))
    assert torch.equal(alone[0], whole[0])
    generator.set_precision(torch.float32)


def test_bf16_draws_nearly_the_same_and_gives_float32(generator, latents):
    full = generator.render(latents)
    generator.set_precision(torch.bfloat16)
    reduced = generator.render(latents)
    generator.set_precision(torch.float32)
    assert reduced.dtype is torch.float32
    assert 0 < float((reduced - full).abs().mean()) < 0.02


def test_after_bf16_fp32_is_what_it_was(generator, latents):
    before = generator.render(latents)
    generator.set_precision(torch.bfloat16)
    generator.set_precision(torch.float32)
    assert torch.equal(generator.render(latents), before)


def test_rendering_leaves_the_latents_and_the_global_random_state_alone(generator, latents):
    copy, state = latents.clone(), torch.get_rng_state()
    generator.render(latents)
    assert torch.equal(latents, copy) and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_latent_that_is_no_number_is_refused(generator, latents, value):
    latents = latents.clone()
    latents[3, 0] = value
    with pytest.raises(BadInput, match="finite"):
        generator.render(latents)


def test_latents_of_another_width_are_refused(generator, latents):
    for wrong in (latents[:, :-1], torch.cat([latents, latents[:, :1]], dim=1), latents[0]):
        with pytest.raises(BadInput, match=r"\(N, "):
            generator.render(wrong)


def test_its_space_samples_within_bounds_and_repeats(generator):
    space = generator.space
    x = space.sample(50, stream(2, "contract"))
    assert x.shape == (50, space.dim) and x.dtype is torch.float32
    assert (x >= space.lower).all() and (x <= space.upper).all()
    assert torch.equal(x, space.sample(50, stream(2, "contract")))


def test_it_describes_a_latent_in_one_line(generator, latents):
    for latent in latents:
        words = generator.describe(latent)
        assert isinstance(words, str) and "\n" not in words
        assert words == generator.describe(latent)


def test_realism_if_it_has_any_is_one_number_per_image(generator, latents):
    if not hasattr(generator, "realism"):
        pytest.skip(f"{generator.name} has no discriminator")
    images = generator.render(latents)
    assert generator.realism(images).shape == (MICRO_BATCH,)
    assert torch.equal(generator.realism(images), generator.realism(images))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_gpu_draws_nearly_the_same(generator, latents):
    on_gpu = another(generator, torch.device("cuda"))
    assert (on_gpu.render(latents.cuda()).cpu() - generator.render(latents)).abs().max() < 0.02

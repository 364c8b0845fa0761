"""Pictures of every family come out as RGB: grey is repeated, RGBA lies on white, anything else is refused at once."""

import pytest
import torch

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators import FAMILIES
from zeuxis.generators.base import as_rgb
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.hub.model_file import Part, write_model
from zeuxis.nets import NETWORKS
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.rng import stream

LAST = {"conv_kernel": 1, "up_factor": 1, "down_factor": 1, "in_size": 16, "out_size": 16, "padding": [0, 0, 0, 0]}
FIRST = LAST | {"conv_kernel": 3, "up_taps": [1], "down_taps": [1], "padding": [-1, -1, -1, -1]}


def facts(family, channels):
    """What builds a tiny generator of that family."""
    sg3 = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 16, "output_scale": 0.25}
    sg3["input"] = {"channels": 6, "size": 16, "sampling_rate": 16.0, "bandwidth": 2.0}
    sg3["layers"] = [
        {"name": "L0", "rgb": False, "in_channels": 6, "out_channels": 6, **FIRST},
        {"name": "L1", "rgb": True, "in_channels": 6, "out_channels": channels, **LAST},
    ]
    biggan = {"z_dim": 8, "class_embed_dim": 8, "channel_width": 8, "num_classes": 3, "attention_layer_position": 9}
    return {
        "stylegan": {"z_dim": 8, "w_dim": 8, "channels": [6, 6], "img_channels": channels},
        "stylegan2": {"z_dim": 8, "c_dim": 0, "w_dim": 8, "channels": [6, 6], "img_channels": channels},
        "stylegan3": sg3,
        "biggan-deep": biggan | {"layers": [[True, 4, 2]], "img_channels": channels},
        "biggan": {"z_dim": 9, "class_embed_dim": 8, "num_classes": 3, "first": 16, "widths": [8, 8],
                   "img_channels": channels},
        "vqgan": {"codes": 20, "embed": 6, "z_channels": 8, "widths": [32], "blocks": 1, "img_channels": channels},
        "gan-dcgan": {"resolution": 16, "channels": channels, "width": 8},
        "gan-stylegan2": {"resolution": 16, "channels": channels, "widths": [16, 16, 16]},
        "gan-wgan-gp": {"resolution": 16, "channels": channels, "width": 8},
    }[family]  # fmt: skip


DRAWN = {"stylegan": (1, 3, 4), "stylegan2": (1, 3, 4), "stylegan3": (1, 3, 4), "biggan-deep": (1, 3),
         "biggan": (1, 3), "vqgan": (1, 3, 4), "gan-dcgan": (1, 3), "gan-stylegan2": (1, 3),
         "gan-wgan-gp": (1, 3)}  # fmt: skip


def filled(net):
    """Every weight drawn, so that pictures differ and are not black."""
    rng = torch.Generator().manual_seed(1)
    state = {}
    for name, value in net.state_dict().items():
        drawn = torch.randn(value.shape, generator=rng)
        positive = name.endswith(("running_var", "running_vars", "magnitude_ema"))
        state[name] = drawn.abs() + 0.5 if positive else drawn if value.is_floating_point() else value
    return state


def model(folder, family, channels, judge=False):
    told = facts(family, channels)
    parts = {"generator": Part(told, filled(NETWORKS[f"{family}/generator"](**told)))}
    if judge:
        seen = {
            "c_dim": 0,
            "channels": [6, 6],
            "img_channels": channels,
            "mbstd_group_size": 4,
            "mbstd_num_channels": 0,
        }
        parts["discriminator"] = Part(seen, filled(NETWORKS[f"{family}/discriminator"](**seen)))
    return write_model(folder / f"{family}-{channels}.safetensors", family, parts, dtype=torch.float32)


def network_says(generator, x):
    """The picture of the network itself, in [0, 1]."""
    found = []
    net = generator._nets[torch.float32]
    net.register_forward_hook(lambda *_: found.append(_[2]))
    if hasattr(generator, "draw") and generator.layer_sizes():
        found.append(net.synthesise(generator.styles(x)))
    else:
        generator.render(x)
    return ((found[0] + 1) / 2).clamp(0, 1)


def test_the_list_of_families_is_whole():
    of_the_lab = {f"gan-{name}" for name in ARCHITECTURES}  # one class for all; some draw RGB only
    assert set(DRAWN) | of_the_lab == set(FAMILIES) - {"diffusion"}  # a folder of other packages' networks, RGB only


@torch.no_grad()
@pytest.mark.parametrize("family", DRAWN)
def test_grey_and_transparent_pictures_become_rgb(family, tmp_path):
    for channels in DRAWN[family]:
        path = str(model(tmp_path, family, channels))
        check_generator(path)
        generator = make_generator(path)
        x = generator.space.sample(3, stream(0))
        images, raw = generator.render(x), network_says(generator, x)
        side = generator.resolution
        assert images.shape == (3, 3, side, side) and raw.shape == (3, channels, side, side)
        wanted = raw.repeat(1, 3, 1, 1) if channels == 1 else raw
        if channels == 4:
            wanted = raw[:, :3] * raw[:, 3:] + 1 - raw[:, 3:]
        torch.testing.assert_close(images, wanted)
        assert float(images.std()) > 1e-3 and float(images.min()) >= 0 and float(images.max()) <= 1


@pytest.mark.parametrize("family", DRAWN)
def test_others_are_refused_before_anything_is_drawn(family, tmp_path):
    for channels in (2, 5, *({4} - set(DRAWN[family]))):
        told = facts(family, channels)
        path = str(write_model(tmp_path / "net.safetensors", family, {"generator": Part(told, {"a": torch.zeros(1)})}))
        for ask in (check_generator, make_generator):
            with pytest.raises(WeightsRefused, match=rf"{channels}"):
                ask(path)


def test_white_shows_through_and_nothing_else():
    clear, half = torch.zeros(1, 4, 2, 2), torch.full((1, 4, 2, 2), 0.5)
    assert as_rgb(clear).eq(1).all() and as_rgb(half).eq(0.75).all()
    assert as_rgb(torch.full((1, 1, 2, 2), 0.25)).eq(0.25).all()
    with pytest.raises(BadInput, match="got 2"):
        as_rgb(torch.zeros(1, 2, 2, 2))


def test_a_discriminator_sees_what_it_was_trained_on(tmp_path):
    generator = make_generator(str(model(tmp_path, "stylegan2", 1, judge=True)))
    images = generator.render(generator.space.sample(3, stream(0)))
    found, judge = generator.realism(images), generator._judges[torch.float32]
    wanted = torch.cat([judge(image[None, :1] * 2 - 1, None) for image in images]).flatten()
    torch.testing.assert_close(found, wanted)
    clear = make_generator(str(model(tmp_path, "stylegan2", 4, judge=True)))
    with pytest.raises(BadInput, match="4 channels"):
        clear.realism(images)

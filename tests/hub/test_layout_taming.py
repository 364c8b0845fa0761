"""VQGAN files in the layout of taming-transformers: read whole, drawn as the equations say, refused if damaged."""

import pytest
import torch
import torch.nn.functional as F

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.choose import make_generator
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.hub.model_file import read_model
from zeuxis.rng import stream
from zeuxis.spaces import CodeGrid

CODES, EMBED, Z, WIDTHS, BLOCKS = 24, 6, 16, (32, 64), 2  # of a level: the published num_res_blocks + 1


def shapes():
    """Name -> shape, written down from the layout: level 0 is the largest size, attention is at the smallest."""
    found = {"quantize.embedding.weight": (CODES, EMBED)}

    def layer(name, cout, cin, size):
        found.update({f"{name}.weight": (cout, cin, size, size), f"{name}.bias": (cout,)})

    def norm(name, width):
        found.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    def residual(name, cin, cout):
        norm(f"{name}.norm1", cin)
        layer(f"{name}.conv1", cout, cin, 3)
        norm(f"{name}.norm2", cout)
        layer(f"{name}.conv2", cout, cout, 3)
        if cin != cout:
            layer(f"{name}.nin_shortcut", cout, cin, 1)

    def attention(name, width):
        norm(f"{name}.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            layer(f"{name}.{part}", width, width, 1)

    layer("post_quant_conv", Z, EMBED, 1)
    layer("decoder.conv_in", WIDTHS[1], Z, 3)
    residual("decoder.mid.block_1", WIDTHS[1], WIDTHS[1])
    attention("decoder.mid.attn_1", WIDTHS[1])
    residual("decoder.mid.block_2", WIDTHS[1], WIDTHS[1])
    for k in range(BLOCKS):
        residual(f"decoder.up.1.block.{k}", WIDTHS[1], WIDTHS[1])
        attention(f"decoder.up.1.attn.{k}", WIDTHS[1])
        residual(f"decoder.up.0.block.{k}", WIDTHS[1] if k == 0 else WIDTHS[0], WIDTHS[0])
    layer("decoder.up.1.upsample.conv", WIDTHS[1], WIDTHS[1], 3)
    norm("decoder.norm_out", WIDTHS[0])
    layer("decoder.conv_out", 3, WIDTHS[0], 3)
    return found


def state(seed=0):
    rng = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, shape in shapes().items():
        value = torch.randn(shape, generator=rng)
        fan = shape[1] * shape[2] * shape[3] if len(shape) == 4 else 1
        drawn[name] = value / fan**0.5 if len(shape) == 4 else 1 + 0.2 * value if "norm" in name else 0.3 * value
    return drawn


def reference(w, grid):
    """The decoder in plain functions: codes (N, EMBED, h, w) -> (N, 3, 2h, 2w)."""

    def layer(name, x):
        size = w[f"{name}.weight"].shape[-1]
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=size // 2)

    def norm(name, x):
        grouped = x.reshape(len(x), 32, -1)
        grouped = (grouped - grouped.mean(2, keepdim=True)) / (grouped.var(2, correction=0, keepdim=True) + 1e-6).sqrt()
        return grouped.reshape(x.shape) * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]

    def swish(x):
        return x * torch.sigmoid(x)

    def residual(name, x):
        h = layer(f"{name}.conv1", swish(norm(f"{name}.norm1", x)))
        h = layer(f"{name}.conv2", swish(norm(f"{name}.norm2", h)))
        return h + (layer(f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in w else x)

    def attention(name, x):
        q, k, v = (layer(f"{name}.{part}", norm(f"{name}.norm", x)).flatten(2) for part in "qkv")
        weight = torch.softmax(torch.einsum("ncq,nck->nqk", q, k) / q.shape[1] ** 0.5, dim=2)
        return x + layer(f"{name}.proj_out", torch.einsum("nqk,nck->ncq", weight, v).reshape(x.shape))

    h = layer("decoder.conv_in", layer("post_quant_conv", grid))
    h = residual("decoder.mid.block_2", attention("decoder.mid.attn_1", residual("decoder.mid.block_1", h)))
    for level in (1, 0):
        for k in range(BLOCKS):
            h = residual(f"decoder.up.{level}.block.{k}", h)
            h = attention(f"decoder.up.1.attn.{k}", h) if level else h
        if level:
            h = layer("decoder.up.1.upsample.conv", h.repeat_interleave(2, 2).repeat_interleave(2, 3))
    return layer("decoder.conv_out", swish(norm("decoder.norm_out", h)))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """As Lightning saves it, with parts that no picture needs."""
    more = {"encoder.conv_in.weight": torch.zeros(32, 3, 3, 3), "loss.discriminator.main.0.weight": torch.zeros(4)}
    more |= {"quant_conv.weight": torch.zeros(EMBED, Z, 1, 1), "loss.logvar": torch.zeros(())}
    path = tmp_path_factory.mktemp("vqgan") / "last.ckpt"
    torch.save({"epoch": 3, "global_step": 9, "pytorch-lightning_version": "1.0.8", "state_dict": state() | more}, path)
    return path


def test_the_file_is_read_by_its_shapes_alone(checkpoint, tmp_path):
    model = read_model(convert(checkpoint, tmp_path / "vqgan.safetensors"))
    assert model.family == "vqgan"
    assert model.parts["generator"] == {
        "codes": CODES, "embed": EMBED, "z_channels": Z, "widths": list(WIDTHS), "blocks": BLOCKS, "attention": [1],
        "img_channels": 3,
    }  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("space", ["grid", "codes"])
def test_it_draws_what_the_equations_say(checkpoint, space):
    generator = make_generator(str(checkpoint), space=space, grid=4)
    assert generator.resolution == 8 and generator.space.dim == 16 * (EMBED if space == "grid" else 1)
    x = generator.space.sample(3, stream(0))
    if space == "grid":
        grid = x.reshape(3, 4, 4, EMBED).permute(0, 3, 1, 2)
    else:
        grid = generator.codes[generator.space.decode(x)].reshape(3, 4, 4, EMBED).permute(0, 3, 1, 2)
    wanted = (reference(state(), grid) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(generator.render(x), wanted, atol=1e-5, rtol=1e-5)
    assert float(wanted.std()) > 0.05


def test_the_nearest_code_is_drawn_and_the_gradient_goes_through(checkpoint):
    generator = make_generator(str(checkpoint), grid=4)
    x = generator.space.sample(2, stream(1))
    near = (x + 1e-4).requires_grad_()
    images = generator.render(near)
    torch.testing.assert_close(images, generator.render(x), atol=1e-5, rtol=1e-4)
    images[0].sum().backward()
    assert float(near.grad[0].abs().sum()) > 0 and float(near.grad[1].abs().sum()) == 0


def test_a_grid_knows_its_codes():
    codes = torch.randn(9, 4, generator=stream(2))
    space = CodeGrid(codes, 3)
    x = space.sample(500, stream(3))
    assert space.dim == 36 and bool((x >= space.lower).all() and (x <= space.upper).all())
    numbers = space.nearest(x)
    assert torch.equal(codes[numbers].flatten(1), x)
    assert torch.bincount(numbers.flatten(), minlength=9).float().div(4500).sub(1 / 9).abs().max() < 0.02
    assert torch.allclose(x.mean(0), space.prior_mean, atol=0.2) and torch.allclose(x.std(0), space.prior_std, atol=0.2)
    assert torch.equal(space.decode(x + 1e-3).detach().permute(0, 2, 3, 1).reshape(500, 9, 4)[0], codes[numbers[0]])


def saved(tmp_path, content):
    path = tmp_path / "net.ckpt"
    torch.save(content, path)
    return path


def test_damage_is_refused_by_name(tmp_path):
    for name in ("decoder.mid.attn_1.q.weight", "decoder.up.0.block.1.conv2.weight", "decoder.norm_out.bias"):
        with pytest.raises(WeightsRefused, match=name.replace(".", r"\.")):
            read_checkpoint(saved(tmp_path, {k: v for k, v in state().items() if k != name}))
    broken = state()
    broken["decoder.conv_out.weight"] = torch.full((3, 32, 3, 3), torch.nan)
    with pytest.raises(WeightsRefused):
        convert(saved(tmp_path, broken), tmp_path / "x.safetensors")
    with pytest.raises(WeightsRefused):
        read_checkpoint(saved(tmp_path, state() | {"decoder.up.99.block.0.conv1.bias": torch.zeros(3)}))


def test_the_codebook_of_the_gumbel_variant_is_found(tmp_path):
    gumbel = state()
    gumbel["quantize.embed.weight"] = gumbel.pop("quantize.embedding.weight")
    gumbel["quantize.proj.weight"] = torch.zeros(CODES, Z, 1, 1)
    assert read_checkpoint(saved(tmp_path, gumbel)).parts["generator"].facts["codes"] == CODES


def test_options_that_cannot_be_are_refused(checkpoint):
    for options in ({"space": "z"}, {"grid": 0}, {"grid": 65}, {"grid": "x"}):
        with pytest.raises(BadInput):
            make_generator(str(checkpoint), **options)

"""Published checkpoints from the file to the picture: spaces, generators, a whole run, and the tools."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis import configs
from zeuxis.cli.main import app
from zeuxis.errors import BadInput, UnknownName, WeightsRefused
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.hub.model_file import build, read_model
from zeuxis.hub.weights import fill
from zeuxis.nets import NETWORKS
from zeuxis.nets.imagenet_classes import find, labels
from zeuxis.rng import stream
from zeuxis.spaces import SparseMix, Whitened
from zeuxis.tools.interpolation import between
from zeuxis.tools.sheets import parse_seeds

FIXTURES = Path(__file__).parent.parent / "fixtures"
STYLEGANS = sorted(path.name for path in FIXTURES.glob("stylegan*"))
SPACES = [(name, space) for name in STYLEGANS for space in ("z", "w", "w+")]
SPACES += [("biggan_deep_32px", space) for space in ("embedding", "mix")]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZEUXIS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@torch.no_grad()
@pytest.mark.parametrize(("name", "space"), SPACES)
def test_every_space_of_every_family_draws(name, space):
    generator = make_generator(str(FIXTURES / name), space=space)
    x = generator.space.sample(8, stream(1, "x"))
    assert x.shape == (8, generator.space.dim) and torch.equal(generator.space.clip(x), x)
    for dtype in (torch.float32, torch.bfloat16):
        generator.set_precision(dtype)
        images = generator.render(x)
        assert images.shape == (8, 3, generator.resolution, generator.resolution) and images.dtype == torch.float32
        assert float(images.min()) >= 0 and float(images.max()) <= 1
        assert (images[1:] - images[:1]).abs().amax(dim=(1, 2, 3)).min() > 1e-3
        # Whatever its neighbours are; but for BigGAN's attention, a product of matrices whose last bit some libraries
        # let depend on the place of a row (seen on an Intel Xeon).
        close = {"rtol": 0, "atol": torch.finfo(dtype).eps if name.startswith("biggan") else 0}
        torch.testing.assert_close(generator.render(x.roll(3, 0)).roll(-3, 0), images, **close)
        torch.testing.assert_close(generator.render(x[:1].expand(8, -1))[0], images[0], **close)
    generator.set_precision(torch.float32)
    with pytest.raises(BadInput, match="Expected latents of shape"):
        generator.render(x[:, :-1])


@torch.no_grad()
def test_truncation_draws_towards_the_mean_picture():
    path = str(FIXTURES / "stylegan2_ada_c0_64px")
    free, near, mean = (make_generator(path, truncation=psi) for psi in (1.0, 0.5, 0.0))
    x = free.space.sample(4, stream(2, "x"))
    middle = mean.render(x)
    assert torch.equal(middle[0], middle[1])
    assert (near.render(x) - middle).square().mean() < (free.render(x) - middle).square().mean()
    cut = make_generator(path, truncation=0.5, truncation_cutoff=3).styles(x)
    torch.testing.assert_close(cut[:, 3:], free.styles(x)[:, 3:])


@torch.no_grad()
def test_xl_is_truncated_towards_the_mean_of_its_class():
    generator = make_generator(str(FIXTURES / "stylegan_xl_stem_c10_16px"), truncation=0.0, classes=("4",))
    ws = generator.styles(generator.space.sample(2, stream(0, "x")))
    torch.testing.assert_close(ws[0, 0], generator.net.w_avg[4])
    assert generator.describe(generator.space.sample(1, stream(0))[0]) == "100 % 4"


@torch.no_grad()
def test_realism_is_the_discriminator_asked_about_each_image_alone():
    generator = make_generator(str(FIXTURES / "stylegan2_ada_c0_64px"))
    images = generator.render(generator.space.sample(4, stream(3, "x")))
    together = generator.realism(images)
    torch.testing.assert_close(generator.realism(images[2:3]), together[2:3])
    assert together.unique().numel() == 4
    with pytest.raises(BadInput, match="without a discriminator"):
        make_generator(str(FIXTURES / "stylegan_xl_stem_c10_16px")).realism(images[:, :, :16, :16])


# Classes


def test_classes_are_locked_and_banned():
    path = str(FIXTURES / "biggan_deep_32px")
    generator = make_generator(path, space="mix", classes=("Persian cat", "lynx", "7"), ban=("lynx",))
    assert generator.kept == [7, 283]
    assert "lynx" not in generator.describe(generator.space.sample(1, stream(0))[0])
    with pytest.raises(BadInput, match="Every class is banned"):
        make_generator(path, classes=("lynx",), ban=("lynx",))
    with pytest.raises(UnknownName, match="persian cat"):
        make_generator(path, classes=("persian",))
    with pytest.raises(BadInput, match="from 0 to 999"):
        make_generator(path, classes=("1000",))


def test_every_wordnet_name_finds_its_class():
    assert find(["tabby cat", "tench"], labels()) == [0, 281]
    assert find(["crane"], labels()) == [134, 517] and len(set(labels())) == 1000


def test_a_sparse_mixture_reaches_every_class_and_never_the_average():
    space = SparseMix(tuple("abcdefgh"))
    weights = space.decode(space.sample(200, stream(0)))
    torch.testing.assert_close(weights.sum(1), torch.ones(200))
    assert bool((weights >= 0).all()) and int((weights > 1e-9).sum(1).max()) <= 3
    assert float(weights.max(1).values.median()) > 0.7 and len(weights.argmax(1).unique()) == 8
    one = torch.zeros(1, 8)
    one[0, 5] = 1
    assert space.describe(one[0]) == "100 % f"


def test_whitened_styles_go_there_and_back():
    styles = torch.randn(500, 6, generator=stream(0)) @ torch.randn(6, 6, generator=stream(1)) + 3
    space = Whitened(styles, layers=3)
    genes = space.encode(styles[:9].reshape(3, 3, 6))
    torch.testing.assert_close(space.decode(genes), styles[:9].reshape(3, 3, 6), atol=1e-4, rtol=1e-4)
    seen = Whitened(styles).encode(styles[:, None])
    torch.testing.assert_close(seen.std(0), torch.ones(6), atol=1e-4, rtol=1e-4)
    far = space.clip(100 * torch.ones(1, 18)).view(3, 6)
    assert bool((far.norm(dim=1) <= 6**0.5 + 1e-4).all())


# Layouts without a file of their own


def test_rosinality_files_hold_the_same_network(tmp_path):
    source = FIXTURES / "stylegan2_ada_c0_64px"
    part = read_checkpoint(source / "network.pkl").parts["generator"]
    t, g, blocks = part.tensors, {}, len(part.facts["channels"])
    for i in range(part.facts["mapping_layers"]):
        g |= {f"style.{i + 1}.{p}": t[f"mapping.fc{i}.{p}"] for p in ("weight", "bias")}
    g["input.input"] = t["synthesis.b4.const"][None]
    for i in range(blocks):
        b = f"synthesis.b{4 * 2**i}"
        convs = (
            [("conv1", "conv1", 0)]
            if not i
            else [("conv0", f"convs.{2 * i - 2}", 2 * i - 1), ("conv1", f"convs.{2 * i - 1}", 2 * i)]
        )
        for ours, theirs, n in convs:
            g |= {
                f"{theirs}.conv.weight": t[f"{b}.{ours}.weight"][None],
                f"{theirs}.conv.modulation.weight": t[f"{b}.{ours}.affine.weight"],
                f"{theirs}.conv.modulation.bias": t[f"{b}.{ours}.affine.bias"],
                f"{theirs}.activate.bias": t[f"{b}.{ours}.bias"],
                f"{theirs}.noise.weight": t[f"{b}.{ours}.noise_strength"][None],
                f"noises.noise_{n}": t[f"{b}.{ours}.noise_const"][None, None],
            }
        rgb = "to_rgbs." + str(i - 1) if i else "to_rgb1"
        g |= {
            f"{rgb}.conv.weight": t[f"{b}.torgb.weight"][None],
            f"{rgb}.conv.modulation.weight": t[f"{b}.torgb.affine.weight"],
            f"{rgb}.conv.modulation.bias": t[f"{b}.torgb.affine.bias"],
            f"{rgb}.bias": t[f"{b}.torgb.bias"].view(1, -1, 1, 1),
        }
    torch.save({"g_ema": g, "latent_avg": t["mapping.w_avg"]}, tmp_path / "net.pt")
    found = read_checkpoint(tmp_path / "net.pt").parts["generator"]
    assert found.tensors.keys() == t.keys()
    for name, value in t.items():
        torch.testing.assert_close(found.tensors[name], value, atol=1e-7, rtol=0)
    g["convs.0.conv.blur.more"] = torch.zeros(1)
    torch.save({"g_ema": g, "latent_avg": t["mapping.w_avg"]}, tmp_path / "odd.pt")
    with pytest.raises(WeightsRefused, match="not expected"):
        read_checkpoint(tmp_path / "odd.pt")


def stylegan1():
    """Random variables under the names of NVIDIA's TensorFlow network, 16 pixels."""
    rng = np.random.default_rng(0)

    def r(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    v = {"dlatent_avg": r(8), "G_mapping/Dense0/weight": r(6, 8), "G_mapping/Dense0/bias": r(8)}
    widths = {4: 5, 8: 4, 16: 3}
    for i, (size, c) in enumerate(widths.items()):
        p = f"G_synthesis/{size}x{size}"
        names = [f"{p}/Const", f"{p}/Conv"] if not i else [f"{p}/Conv0_up", f"{p}/Conv1"]
        for j, name in enumerate(names):
            cin = widths.get(size // 2, c) if (i and j == 0) else c
            if not name.endswith("Const"):
                v[f"{name}/weight"] = r(3, 3, cin, c)
            v |= {f"{name}/bias": r(c), f"{name}/Noise/weight": r(c), f"{name}/StyleMod/weight": r(8, 2 * c)}
            v |= {f"{name}/StyleMod/bias": r(2 * c), f"G_synthesis/noise{2 * i + j}": r(1, 1, size, size)}
    v["G_synthesis/4x4/Const/const"] = r(1, 5, 4, 4)
    v |= {"G_synthesis/ToRGB_lod0/weight": r(1, 1, 3, 3), "G_synthesis/ToRGB_lod0/bias": r(3), "G_synthesis/lod": r()}
    return v


def drawn_by_hand(v, z):
    """The same network, written once more with plain numpy loops over layers."""
    lrelu = lambda x: np.where(x > 0, x, 0.2 * x)  # noqa: E731
    z = z / np.sqrt((z**2).mean(1, keepdims=True) + 1e-8)
    w = lrelu(z @ v["G_mapping/Dense0/weight"] * 0.01 / np.sqrt(6) + 0.01 * v["G_mapping/Dense0/bias"]) * np.sqrt(2)

    def conv(x, weight, gain=2**0.5):
        k, c = weight.shape[0], weight.shape[2]
        x = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
        size = x.shape[2] - k + 1
        out = sum(
            np.einsum("nchw,co->nohw", x[:, :, a : a + size, b : b + size], weight[a, b])
            for a in range(k)
            for b in range(k)
        )
        return out * gain / np.sqrt(k * k * c)

    def epilogue(x, name, number):
        x = x + v[f"G_synthesis/noise{number}"] * v[f"{name}/Noise/weight"][None, :, None, None]
        x = lrelu(x + v[f"{name}/bias"][None, :, None, None])
        x = x - x.mean((2, 3), keepdims=True)
        x = x / np.sqrt((x**2).mean((2, 3), keepdims=True) + 1e-8)
        style = w @ v[f"{name}/StyleMod/weight"] / np.sqrt(8) + v[f"{name}/StyleMod/bias"]
        scale, shift = np.split(style, 2, axis=1)
        return x * (scale[:, :, None, None] + 1) + shift[:, :, None, None]

    x = np.repeat(v["G_synthesis/4x4/Const/const"], len(z), 0)
    x = epilogue(x, "G_synthesis/4x4/Const", 0)
    x = epilogue(conv(x, v["G_synthesis/4x4/Conv/weight"]), "G_synthesis/4x4/Conv", 1)
    for i, size in ((1, 8), (2, 16)):
        p = f"G_synthesis/{size}x{size}"
        x = conv(x.repeat(2, 2).repeat(2, 3), v[f"{p}/Conv0_up/weight"])
        blur = np.array([1, 2, 1]) / 4
        wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        x = sum(blur[a] * blur[b] * wide[:, :, a : a + size, b : b + size] for a in range(3) for b in range(3))
        x = epilogue(x, f"{p}/Conv0_up", 2 * i)
        x = epilogue(conv(x, v[f"{p}/Conv1/weight"]), f"{p}/Conv1", 2 * i + 1)
    return conv(x, v["G_synthesis/ToRGB_lod0/weight"], gain=1.0) + v["G_synthesis/ToRGB_lod0/bias"][None, :, None, None]


@torch.no_grad()
def test_stylegan_1_agrees_with_a_second_writing():
    from zeuxis.hub.layouts.nvidia_tf_stylegan1 import generator

    variables = stylegan1()
    part = generator(variables, {})
    net = fill(NETWORKS["stylegan/generator"](**part.facts), part.tensors, Path("stylegan1"))
    z = np.random.default_rng(1).standard_normal((3, 6)).astype(np.float32)
    ws = net.map(torch.from_numpy(z))[:, None].repeat(1, net.num_ws, 1)
    wanted = torch.from_numpy(drawn_by_hand(variables, z)).float()
    torch.testing.assert_close(net.synthesise(ws), wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_fused_upsampling_is_upsampling_and_convolution():
    from zeuxis.nets.stylegan import EqualConv

    plain, fused = EqualConv(3, 4, 3, up=True), EqualConv(3, 4, 3, up=True, fused=True)
    plain.weight.normal_(generator=stream(0))
    fused.weight.copy_(plain.weight)
    x = torch.randn(2, 3, 6, 6, generator=stream(1))
    torch.testing.assert_close(fused(x), plain(x), atol=1e-5, rtol=1e-5)


# From the file to the report


def test_convert_says_what_it_read(tmp_path):
    source = FIXTURES / "stylegan2_tf_c0_32px/network.pkl"
    result = run("convert", source, "--out", tmp_path / "net.safetensors")
    assert result.exit_code == 0 and "discriminator" in result.output and "NVIDIA Source Code License" in result.output
    model = read_model(tmp_path / "net.safetensors")
    assert model.family == "stylegan2" and model.source["bytes"] == source.stat().st_size
    assert build(tmp_path / "net.safetensors").img_resolution == 32
    with pytest.raises(BadInput, match="model file already"):
        convert(tmp_path / "net.safetensors", tmp_path / "again.safetensors")
    assert run("convert", FIXTURES / "hostile/os_system_reduce.pkl", "--out", tmp_path / "x").exit_code == 2
    assert not (tmp_path / "x").exists()


def test_a_whole_run_on_published_files(tmp_path):
    pytest.importorskip("transformers", reason="needs the extra `clip`")
    net, out = FIXTURES / "stylegan2_tf_c0_32px/network.pkl", tmp_path / "run"
    given = [
        "--generator",
        net,
        "--scorer",
        FIXTURES / "clip_vit_quickgelu/hf",
        "--judge",
        FIXTURES / "siglip_tiny_64px",
    ]
    given += ["--space", "w", "--truncation", "0.8", "--realism", "0.1", "--population", "6", "--seed", "3"]
    result = run("generate", "a photo of a cat", *given, "--generations", "2", "--out", out, "--quiet")
    assert result.exit_code == 0, result.output
    best = out / "images/best.png"
    assert run("replay", best).exit_code == 2  # a file of one's own has to be vouched for
    assert "identical" in run("replay", best, "--generator", net).output
    assert str(FIXTURES) not in best.read_bytes().decode("latin1")  # no path of this machine in a picture
    assert run("resume", out, "--generations", "3", "--quiet").exit_code == 0


def test_the_thesis_by_name():
    names = [f"{model}_{search}" for model in configs.THESIS for search in ("ga", "de")]
    assert len(names) == 14 and set(names) <= set(configs.names())
    for name, search in (("StyleGAN2_car_ga_d", "nsga2"), ("StyleGAN2_car_de_d", "de")):
        assert configs.fields(name)["realism"] > 0 and configs.fields(name)["search"] == search
    with pytest.raises(UnknownName):
        configs.fields("DeepMindBigGAN256_ga_d")
    result = run("generate", "a car", "--config", "StyleGAN2_car_ga")
    assert result.exit_code == 3 and "zeuxis models pull stylegan2-car" in result.output


def test_names_that_are_none():
    with pytest.raises(UnknownName, match="stylegan2-car"):
        check_generator("stylegan2-cra")
    with pytest.raises(BadInput, match="has no option 'truncation'"):
        make_generator("toy", truncation=0.5)


# The tools


def test_seeds_are_read():
    assert parse_seeds("0-3, 7") == [0, 1, 2, 3, 7]
    for wrong in ("", "a", "5-2", "0-99999"):
        with pytest.raises(BadInput):
            parse_seeds(wrong)


def test_a_film_keeps_the_length_of_its_latents():
    a, b = torch.randn(2, 64, generator=stream(0))
    path = between(a, b, 8)
    torch.testing.assert_close(path[0], a)
    assert float(path.norm(dim=1).min()) > 0.9 * float(min(a.norm(), b.norm()))


def test_sample_mix_interpolate_and_arithmetic(tmp_path):
    net = ["--generator", FIXTURES / "stylegan2_ada_c0_64px"]
    assert run("sample", *net, "--seeds", "0-3", "--each", "--out", tmp_path / "s.png").exit_code == 0
    one = tmp_path / "s/seed0002.png"
    assert "identical" in run("replay", one, *net).output
    assert run("sample", *net, "--seeds", "2", "--each", "--out", tmp_path / "t.png").exit_code == 0
    assert one.read_bytes() == (tmp_path / "t/seed0002.png").read_bytes()  # whatever its neighbours are
    pictures = {}
    for styles in ("coarse", "middle", "fine"):
        table = tmp_path / f"{styles}.png"
        given = ["--rows", "0-1", "--columns", "2-3", "--styles", styles]
        assert run("mix", *net, *given, "--out", table).exit_code == 0
        pictures[styles] = np.asarray(Image.open(table))
    assert (pictures["coarse"] != pictures["fine"]).any()
    assert run("mix", "--generator", "toy", "--out", tmp_path / "no.png").exit_code == 2
    assert run("interpolate", *net, "--seeds", "0,1", "--frames", "3", "--out", tmp_path / "f.gif").exit_code == 0
    with Image.open(tmp_path / "f.gif") as film:
        assert film.n_frames == 3
    words = f"{tmp_path}/s/seed0000.png - {tmp_path}/s/seed0001.png + {tmp_path}/s/seed0001.png"
    assert run("arithmetic", words, *net, "--out", tmp_path / "sum.png").exit_code == 0
    drawn, first = (np.asarray(Image.open(p)).astype(int) for p in (tmp_path / "sum.png", tmp_path / "s/seed0000.png"))
    assert np.abs(drawn - first).max() <= 1

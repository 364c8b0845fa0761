"""What the papers of the large architectures promise of their networks."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from zeuxis.errors import BadInput
from zeuxis.hub.convert import read_checkpoint
from zeuxis.nets.gan import ARCHITECTURES, biggan, progan, projected, stylegan2, stylegan3
from zeuxis.nets.gan.styles import one_hot
from zeuxis.nets.trunk import Trunk
from zeuxis.rng import stream

FIXTURES = Path(__file__).parent.parent / "fixtures"
TINY = {"channel_base": 64, "channel_max": 8}


def latents(count, size, seed=0):
    return torch.randn(count, size, generator=stream(seed, "z"))


# growing


def grown(kind=progan.Generator, **options):
    return kind(32, **(TINY | {"grown_by": 0.7} | options))


def test_it_grows_level_by_level_each_faded_in_then_trained():
    net = grown(z_dim=4)
    assert net.level() == (3, 1.0)  # a fresh network is complete
    seen = []
    for k in range(8):  # six parts of the training up to 0.7, and the rest
        net.set_progress((k + 0.5) * 0.7 / 6)
        seen.append((net.level()[0], round(net.level()[1], 2)))
    assert seen == [(0, 1.0), (1, 0.5), (1, 1.0), (2, 0.5), (2, 1.0), (3, 0.5), (3, 1.0), (3, 1.0)]


@torch.no_grad()
def test_pictures_and_judgements_do_not_jump_while_it_grows():
    """Over every place where a fade begins and ends a step of 1e-5 of the training moves a picture by as little."""
    generator, discriminator, z = grown(z_dim=4), grown(progan.Discriminator), latents(4, 4)
    real = torch.rand(4, 3, 32, 32, generator=stream(0, "real")) * 2 - 1
    for k in range(7):
        found = []
        for progress in (k * 0.7 / 6 - 5e-6, k * 0.7 / 6 + 5e-6):
            for net in (generator, discriminator):
                net.set_progress(max(progress, 0.0))
            found.append((generator(z), discriminator(real)))
        (image, judged), (image2, judged2) = found
        assert (image - image2).abs().max() < 1e-3 and (judged - judged2).abs().max() < 1e-3
    generator.set_progress(0.0)
    small = generator(z)
    assert torch.equal(small, small[:, :, ::8, ::8].repeat_interleave(8, 2).repeat_interleave(8, 3))


def test_only_what_is_drawn_learns_and_an_export_knows_how_far_it_is():
    net = grown(z_dim=4)
    net.set_progress(0.0)
    net(latents(4, 4)).square().sum().backward()
    moved = {name.rsplit(".", 1)[0] for name, p in net.named_parameters() if p.grad is not None}
    assert moved == {"first", "second", "colours.0"}
    other = grown(z_dim=4)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(latents(4, 4)), net(latents(4, 4))) and other.level() == (0, 1.0)


def test_rates_are_equalised_and_pixels_normalised():
    """Weights of every layer start with deviation 1, and so do features, whatever the width."""
    torch.manual_seed(0)
    for name in ("progan", "stylegan", "stylegan2-full", "stylegan3-t"):
        options = {"z_dim": 64, "mapping_layers": 2} if name != "progan" else {"z_dim": 64}
        net = ARCHITECTURES[name]()[0](32, channel_base=2048, channel_max=64, **options)
        for key, weight in net.named_parameters():
            if weight.ndim > 1 and "mapping" not in key and "input.affine" not in key and "const" not in key:
                assert 0.9 < float(weight.detach().std()) < 1.1, key
    layers = [progan.Convolution(width, 32) for width in (4, 400)]
    for layer, width in zip(layers, (4, 400), strict=True):
        assert 0.8 < float(layer(torch.randn(8, width, 8, 8)).detach().square().mean().sqrt()) < 1.2
    x = progan.pixel_norm(torch.randn(3, 7, 4, 4) * 5)
    assert torch.allclose(x.square().mean(1), torch.ones(3, 4, 4), atol=1e-5)


# noise, styles


@pytest.mark.parametrize("name", ["stylegan", "stylegan2-full"])
def test_noise_is_drawn_anew_in_training_and_kept_outside(name):
    torch.manual_seed(0)
    net = ARCHITECTURES[name]()[0](16, (3, 2), z_dim=4, w_dim=6, mapping_layers=2, **TINY)
    for key, weight in net.named_parameters():
        if key.endswith("noise_strength"):
            torch.nn.init.ones_(weight)
    z, y = latents(3, 4)[:1].repeat(3, 1), torch.tensor([[0, 1]] * 3)
    with torch.no_grad():
        one, two = net.train()(z, y), net(latents(3, 4, 1), y)
        assert (one[0] - one[1]).abs().mean() > 0.01  # each picture has its own
        assert torch.equal(net(z, y), one) and not torch.equal(one, two)  # a resumed training draws the same again
        still = net.eval()(z, y)
        assert torch.allclose(still[0], still[1], atol=1e-5) and torch.equal(net(z, y), still)
        w = net.map(z, y)
        assert torch.equal(net.synthesise(w), still) and len(net.layer_sizes()) == net.num_ws
        mixed = net.synthesise(torch.stack([w, net.map(latents(3, 4, 2), y)], 1).repeat_interleave(net.num_ws // 2, 1))
        assert not torch.allclose(mixed, still, atol=1e-3)


def test_the_mean_style_follows_training_only():
    net = ARCHITECTURES["stylegan2-full"]()[0](16, z_dim=4, w_dim=6, mapping_layers=2, **TINY)
    with torch.no_grad():
        net.eval().map(latents(64, 4))
        assert not net.w_avg.any()
        for seed in range(3):
            net.train().map(latents(20_000, 4, seed))
        mean = net.eval().map(latents(20_000, 4, 9)).mean(0)
    assert (net.w_avg - mean).norm() < 0.4 * mean.norm() or mean.norm() < 0.1


def test_labels_side_by_side():
    assert one_hot(torch.tensor([[2, 0], [0, 1]]), (3, 2)).tolist() == [[0, 0, 1, 1, 0], [1, 0, 0, 0, 1]]


# StyleGAN3


@pytest.mark.parametrize(
    ("folder", "kind", "most", "layers", "kernel"),
    [("stylegan3_t_c0_32px", "TGenerator", 32, 6, 3), ("stylegan3_r_c4_32px", "RGenerator", 48, 5, 1)],
)
def test_layers_and_filters_are_the_published_ones(folder, kind, most, layers, kernel):
    part = read_checkpoint(FIXTURES / folder / "network.pkl").parts["generator"]
    net = getattr(stylegan3, kind)(32, channel_base=1024, channel_max=most, layers=layers)
    assert [net.plan.layer(k, kernel, 256, kernel == 1) for k in range(layers + 1)] == part.facts["layers"]
    for name, value in net.named_buffers():
        if name.endswith("filter"):
            assert torch.allclose(value, part.tensors[name], atol=1e-7)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["TGenerator", "RGenerator"])
def test_a_shift_of_the_input_is_a_shift_of_the_picture_and_of_r_a_turn_too(kind):
    torch.manual_seed(0)
    net = getattr(stylegan3, kind)(32, z_dim=8, w_dim=16, channel_base=512, channel_max=16, layers=6).eval()
    z = latents(2, 8)
    plain, pixels = net(z), 4
    net.synthesis.input.transform[0, 2] = -pixels / 32
    apart = net(z)[..., pixels:] - plain[..., :-pixels]
    assert apart.abs().max() < 1e-3 * plain.abs().max() and plain.std() > 1e-3
    net.synthesis.input.transform.copy_(torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    turned = (net(z) - torch.rot90(plain, 1, (2, 3))).abs().max() / plain.abs().max()
    assert turned < 1e-3 if kind == "RGenerator" else turned > 0.01


def test_kept_weights_are_made_anew_when_the_average_moves():
    """The averaged generator is frozen and changed in place: what a layer keeps of its weights must follow."""
    for name, options in (("stylegan3-t", TINY | {"layers": 4}), ("biggan", {"width": 2, "normalised": False})):
        net = ARCHITECTURES[name]()[0](16, z_dim=4, **options).eval()
        average = copy.deepcopy(net).requires_grad_(False)
        with torch.no_grad():
            before = average(latents(3, 4))
            for weight in net.parameters():
                weight.add_(torch.randn_like(weight) * 0.3)
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 0.5)
            after, fresh = average(latents(3, 4)), copy.deepcopy(net)
            fresh.load_state_dict(average.state_dict())
            assert torch.allclose(after, fresh(latents(3, 4)), atol=1e-5) and not torch.allclose(after, before)


# BigGAN


@torch.no_grad()
def test_statistics_of_batches_stand_for_what_training_saw():
    torch.manual_seed(0)
    net = biggan.Generator(16, (3,), z_dim=4, embed_dim=4, width=2, n_stats=3)
    for norm in net.norms():
        norm.reset_running_stats()
        norm.momentum = None
    y = torch.arange(64)[:, None] % 3
    for seed in range(8):
        net.train()(latents(64, 4, seed), y)
    z = latents(64, 4, 99)
    trained, still = net(z, y), net.eval()(z, y)
    assert (trained - still).abs().mean() < 0.3 * trained.std()
    net.truncation = 0.5
    assert torch.allclose(net(z, y), _at(net, z * 0.5, y), atol=1e-6) and not torch.allclose(net(z, y), still)


def _at(net, z, y):
    net.truncation = 1.0
    found = net(z, y)
    net.truncation = 0.5
    return found


def test_first_weights_are_orthogonal_and_spectral_norms_one():
    net = biggan.Generator(16, (3,), z_dim=8, embed_dim=8, width=4, normalised=False)
    weight = net.generator.layers[0].conv_1.weight.flatten(1)
    assert torch.allclose(weight @ weight.T, torch.eye(len(weight)), atol=1e-5)
    judge = biggan.Discriminator(16, (3,), width=4).eval()
    assert float(torch.linalg.matrix_norm(judge.blocks[1].convs[0].weight.detach().flatten(1), 2)) == pytest.approx(
        1, abs=0.05
    )


# projected


def test_a_stem_is_trained_first_then_frozen_and_nothing_jumps():
    torch.manual_seed(0)
    net = projected.Generator(32, widths=[8, 6, 6, 4], stem=8, stem_share=0.4)
    z = latents(3, 64)
    net.set_progress(0.39)
    stem = net(z)
    stem.sum().backward()
    assert {n.split(".")[1] for n, p in net.named_parameters() if n.startswith("ups") and p.grad is not None} == {"0"}
    net.set_progress(0.4)
    assert torch.allclose(net(z), stem, atol=1e-5)
    assert {n[:6] for n, p in net.named_parameters() if p.requires_grad} == {"ups.1.", "ups.2.", "convs.", "colour"}
    assert not net.mapping[0].weight.requires_grad and not net.colours[1].weight.requires_grad


def test_while_a_stem_is_trained_the_discriminator_sees_all_pictures_at_its_size():
    """Otherwise it would tell sharp real pictures from enlarged ones, and the generator could not win."""
    net = projected.Discriminator(32, width=4, pixel_width=4, stem=8, stem_share=0.4).eval()
    images = torch.rand(8, 3, 32, 32, generator=stream(1, "images")) * 2 - 1
    coarse = F.interpolate(F.avg_pool2d(images, 4), size=(32, 32), mode="bilinear", align_corners=False)
    net.set_progress(0.39)
    seen, whole = net(images), net(images, frozen=net.frozen(images))
    net.set_progress(0.41)
    assert torch.allclose(seen, net(coarse), atol=1e-5) and torch.equal(seen, whole)
    assert not torch.allclose(seen, net(images), atol=1e-3)
    with pytest.raises(BadInput, match="stem of 0, 4, 8, 16 pixels"):
        projected.Discriminator(32, stem=32)


def test_without_a_stem_it_is_the_small_stylegan2():
    torch.manual_seed(0)
    one = stylegan2.Generator(32, (3,), widths=[8, 6, 6, 4])
    torch.manual_seed(0)
    two = projected.Generator(32, (3,), widths=[8, 6, 6, 4])
    two.set_progress(0.1)
    z, y = latents(3, 64), torch.zeros(3, 1, dtype=torch.long)
    assert one.state_dict().keys() == two.state_dict().keys() and torch.equal(one(z, y), two(z, y))


def test_mixed_features_are_fixed_and_the_guide_stands_behind_them():
    torch.manual_seed(0)
    net = projected.Discriminator(32, (3,), width=4, pixel_width=4, mixed=8, trunk=Trunk((4, 6, 8, 8)))
    images = (torch.rand(4, 3, 32, 32, generator=stream(0, "x")) * 2 - 1).requires_grad_()
    maps = net.frozen(images)
    assert [tuple(x.shape[1:]) for x in maps] == [(8, s, s) for s in (8, 4, 2, 1)] + [(8, 4, 4)]
    y = torch.arange(4)[:, None] % 3
    logits = net(images, y)
    assert logits.shape == (4, 5)
    logits.sum().backward()
    assert not any(p.requires_grad or p.grad is not None for p in net.mixing.parameters()) and images.grad.any()
    assert not any("trunk" in name for name in net.state_dict()) and "mixing.across.0.weight" in net.state_dict()


WRONG = [
    (lambda: progan.Generator(16, grown_by=0.0), "grown_by above 0"),
    (lambda: biggan.Generator(16, truncation=2.0), "truncation from 0.02 to 1, got 2"),
    (lambda: biggan.Generator(32, attention=12), "attention at 0"),
    (lambda: biggan.Generator(16, width=1), "width of 8 channels"),
    (lambda: stylegan3.TGenerator(32, layers=2), "layers from 3"),
    (lambda: projected.Generator(32, stem=32), "stem of 0, 4, 8, 16 pixels"),
    (lambda: projected.Generator(32, stem=8, stem_share=1), "stem_share between"),
]


@pytest.mark.parametrize(("build", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_built_is_refused(build, said):
    with pytest.raises(BadInput, match=said):
        build()

"""Adaptive augmentation: exact where it can be, nothing leaks below p = 0.8, p follows the discriminator."""

import math

import pytest
import torch
import torch.nn.functional as F
from lab_helpers import recipe

from zeuxis.lab import adaptive_augment as augment
from zeuxis.lab.adaptive_augment import Adaptive
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.tasks.base import Lab
from zeuxis.rng import stream


def smooth(count=4, size=16, channels=3, seed=0):
    return F.interpolate(torch.rand(count, channels, 8, 8, generator=stream(seed, "x")) * 2 - 1, size, mode="bilinear")


def move(count, *rows):
    return torch.tensor([*rows, [0.0, 0.0, 1.0]]).expand(count, 3, 3)


def test_at_p_nought_nothing_changes_and_at_p_one_everything_does():
    x = smooth()
    assert torch.equal(Adaptive(p=0.0, cutout=1.0)(x, stream(0)), x)
    changed = (Adaptive(p=1.0)(x, stream(0)) != x).flatten(1).any(1)
    assert bool(changed.all())


def test_the_same_stream_gives_the_same_pictures_and_gradients_flow():
    x = smooth().requires_grad_(True)
    one, two, other = (Adaptive(p=0.7, cutout=0.5)(x, stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, two) and not torch.equal(one, other)
    one.square().sum().backward()
    assert bool(x.grad.isfinite().all()) and bool((x.grad != 0).flatten(1).any(1).all())


def test_moves_go_where_they_should():
    x = smooth()
    tiny = augment.warp(x, move(4, [1.0, 0.0, 1e-6], [0.0, 1.0, 0.0]))  # filtered up and down again: the same
    assert torch.allclose(tiny, x, atol=1e-4)
    shifted = augment.warp(x, move(4, [1.0, 0.0, -2.0], [0.0, 1.0, 0.0]))
    assert torch.allclose(shifted[..., 2:], x[..., :-2], atol=1e-5)
    mirrored = augment.warp(x, move(4, [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    assert (mirrored - x.flip(3)).abs().mean() < 0.02 < (mirrored - x).abs().mean()


def test_what_does_not_move_stays_bit_by_bit():
    x, moves = smooth(), torch.eye(3).repeat(4, 1, 1)
    moves[1] = move(1, [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0])[0]
    changed = (augment.warp(x, moves) != x).flatten(1).any(1).tolist()
    assert changed == [False, True, False, False]


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_keep_grey_pictures_grey(channels):
    maps = augment.colour(50, 1.0, stream(0))
    grey = torch.full((50, channels, 4, 4), 0.3)
    out = augment.recolour(grey, maps)
    assert (
        out.shape == grey.shape and float(out.std(1, correction=0).max()) < 1e-5
    )  # hue and saturation turn about grey
    assert len(set(out[:, 0, 0, 0].tolist())) > 40


def test_half_of_the_side_is_cut_out():
    holes = augment.hole(200, 16, 1.0, stream(0))
    shares = 1 - holes.mean((1, 2, 3))
    assert float(shares.min()) > 0 and float(shares.max()) == 0.25
    assert torch.equal(augment.hole(5, 16, 0.0, stream(0)), torch.ones(5, 1, 16, 16))


def test_below_p_080_the_mean_says_which_pictures_they_were():
    """Turns by right angles alone, section 2.2: of two sets of pictures that are each other's turns, the one that was
    shown is the more frequent one below 0.8 and cannot be told at 1.
    """
    quarters = {
        p: torch.bincount((torch.rand(40_000, generator=stream(0)) < p) * torch.randint(0, 4, (40_000,)), minlength=4)
        for p in (0.6, 1.0)
    }
    assert quarters[0.6][0] > 1.5 * quarters[0.6][1:].max() and quarters[1.0][0] < 1.1 * quarters[1.0][1:].max()
    x = torch.zeros(1, 1, 16, 16)
    x[..., 2:6, 2:6] = 1  # one corner
    means = {}
    for p in (0.6, 0.99):
        drawn = Adaptive(p=p, colour=0.0)(x.expand(1500, -1, -1, -1), stream(1))
        corners = F.avg_pool2d(drawn.mean(0, keepdim=True), 8).flatten()
        means[p] = float(corners[0] / corners[1:].max())
    assert means[0.6] > 1.15 > means[0.99], means


def test_p_rises_by_the_length_and_falls_again():
    one = Adaptive(target=0.6, length=1000, every=2)
    for sign, expected in ((1.0, 0.0), (1.0, 0.2), (0.9, 0.2), (0.5, 0.4), (0.0, 0.4), (0.2, 0.2)):
        said = one.after_step({"sign": torch.tensor(sign), "images": torch.tensor(100)})
        assert said["augmentation"] == one.p == pytest.approx(expected)
    for _ in range(10):
        one.after_step({"sign": torch.tensor(-1.0), "images": torch.tensor(100)})
    assert one.p == 0.0


def test_its_state_goes_on():
    one, two = Adaptive(length=1000, every=3), Adaptive(length=1000, every=3)
    for _ in range(4):
        one.after_step({"sign": 1.0, "images": 16})
    two.load_state(one.state())
    for adaptive in (one, two):
        for _ in range(3):
            adaptive.after_step({"sign": 0.8, "images": 16})
    assert one.state() == two.state() and one.p > 0


def test_p_rises_when_the_discriminator_knows_its_pictures_by_heart(data):
    """The generator learns nothing, the discriminator fast: the sign of D(real) becomes 1."""
    rates = {"optimizers": {"generator": {"lr": 1e-9}, "discriminator": {"lr": 5e-3}}}
    adaptive = {"augmentation": ["adaptive"], "adaptive": {"length": 400, "every": 2, "geometry": 0.5}}
    task = Adversarial(Lab(recipe("dcgan", options=rates | adaptive), data, torch.device("cpu"), torch.float32))
    found = [task.step(step, 0.0) for step in range(24)]
    assert found[0]["augmentation"] == 0.0 and found[-1]["augmentation"] > 0.1 and found[-1]["sign"] > 0.6
    assert task.state()["augmentation"]["p"] == found[-1]["augmentation"]


def test_a_schedule_in_place_of_adapting(data):
    options = {"augmentation": ["adaptive"], "adaptive": {"p_end": 0.5}, "burn_in": 0.5}
    task = Adversarial(Lab(recipe("dcgan", options=options), data, torch.device("cpu"), torch.float32))
    found = [task.step(0, progress)["augmentation"] for progress in (0.0, 0.25, 0.5, 0.9)]
    assert found == pytest.approx([0.0, 0.25, 0.5, 0.5])


def test_the_filter_keeps_its_energy():
    taps = torch.tensor(augment.SYM6)
    assert float(taps.sum()) == pytest.approx(math.sqrt(2), abs=1e-6)
    assert float(taps.square().sum()) == pytest.approx(1.0, abs=1e-6)
    assert all(float((taps[2 * k :] * taps[: 12 - 2 * k]).sum()) == pytest.approx(0.0, abs=1e-6) for k in range(1, 6))

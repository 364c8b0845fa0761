"""Objectives, augmentation, averages, curves: the small parts of the lab."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from zeuxis.errors import BadInput
from zeuxis.lab import curves
from zeuxis.lab.augment import diff_augment, flip_and_shift
from zeuxis.lab.ema import Average
from zeuxis.lab.objectives import OBJECTIVES, mode_seeking
from zeuxis.rng import stream

DRAW = curves.draw
POLICY = ("colour", "translation", "cutout")


def images(count=6, size=32, seed=0):
    return torch.rand(count, 3, size, size, generator=stream(seed, "images")) * 2 - 1


def log_sigmoid(x):
    return -math.log(1 + math.exp(-x))


LOGITS = [name for name in OBJECTIVES if name in ("hinge", "non-saturating", "least-squares", "wasserstein")]
BY_HAND = {  # of real logits 2 and 0.5, generated -3 and 0: (loss of D, loss of G)
    "hinge": ((0 + 0.5) / 2 + (0 + 1) / 2, 1.5),
    "non-saturating": (
        -(log_sigmoid(2) + log_sigmoid(0.5)) / 2 - (log_sigmoid(3) + log_sigmoid(0)) / 2,  # 1 - s(x) = s(-x)
        -(log_sigmoid(-3) + log_sigmoid(0)) / 2,
    ),
    "least-squares": ((1 + 0.25) / 2 / 2 + 9 / 2 / 2, (16 + 1) / 2 / 2),
    "wasserstein": (-1.5 - 1.25, 1.5),
}


@pytest.mark.parametrize("name", LOGITS)
@pytest.mark.parametrize("shape", [(2,), (2, 1)], ids=["one logit", "heads"])
def test_an_objective_by_hand(name, shape):
    objective, (of_d, of_g) = OBJECTIVES[name](), BY_HAND[name]
    real, fake = torch.tensor([2.0, 0.5]).view(shape), torch.tensor([-3.0, 0.0]).view(shape)
    assert objective.discriminator(real, fake).item() == pytest.approx(of_d)
    assert objective.generator(fake).item() == pytest.approx(of_g)


@pytest.mark.parametrize("name", LOGITS)
def test_an_objective_pulls_logits_the_right_way(name):
    real, fake, drawn = (torch.zeros(3, requires_grad=True) for _ in range(3))
    objective = OBJECTIVES[name]()
    (objective.discriminator(real, fake) + objective.generator(drawn)).backward()
    down = fake.grad if name != "least-squares" else torch.ones(3)  # 0 is where it wants the generated ones
    assert (real.grad < 0).all() and (down > 0).all() and (drawn.grad < 0).all()


@pytest.mark.parametrize("name", LOGITS)
def test_an_objective_stays_finite_at_large_logits(name):
    logits = torch.tensor([-1e4, 1e4], requires_grad=True)
    objective = OBJECTIVES[name]()
    loss = objective.discriminator(logits, logits) + objective.generator(logits)
    loss.backward()
    assert bool(loss.isfinite()) and bool(logits.grad.isfinite().all())


def test_mode_seeking_by_hand():
    one, two = torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 0.1)
    z_one, z_two = torch.zeros(2, 5), torch.full((2, 5), 2.0)
    assert mode_seeking(one, two, z_one, z_two).item() == pytest.approx(2 / (0.4 + 1e-3), rel=1e-5)


def test_mode_seeking_is_bounded_when_all_pictures_are_one():
    same = torch.zeros(2, 3, 4, 4)
    assert mode_seeking(same, same, torch.zeros(2, 5), torch.ones(2, 5)).item() == 100


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([8, 17, 32]))
def test_a_shifted_picture_is_a_window_of_the_padded_one(seed, size):
    x = images(3, size)
    moved = flip_and_shift(x, stream(seed, "shift"), pad=2, flip=False)
    padded = nn.functional.pad(x, (2, 2, 2, 2), mode="reflect")
    windows = [padded[:, :, i : i + size, j : j + size] for i in range(5) for j in range(5)]
    assert moved.shape == x.shape
    for k in range(3):
        assert any(torch.equal(moved[k], window[k]) for window in windows)


def test_about_half_of_the_pictures_are_mirrored():
    x = torch.arange(8.0).expand(400, 3, 8, 8)
    mirrored = flip_and_shift(x, stream(1, "flip"), pad=0)[:, 0, 0, 0] == 7
    assert 150 < int(mirrored.sum()) < 250


def test_a_cutout_is_grey_and_about_a_quarter_wide():
    cut = diff_augment(torch.ones(50, 3, 32, 32), stream(0, "cut"), ("cutout",))
    holes = (cut == 0).all(1).flatten(1).sum(1)
    assert holes.max() <= 64 and holes.min() >= 9 and holes.float().mean() > 36


def test_colour_changes_stay_in_their_bounds():
    grey = diff_augment(torch.zeros(300, 3, 4, 4), stream(0, "colour"), ("colour",))
    assert grey.abs().max() <= 0.25 and grey.std() > 0.1
    assert torch.allclose(grey, grey[:, :1, :1, :1].expand_as(grey), atol=1e-6)  # grey stays grey


@pytest.mark.parametrize("policy", [(), *((name,) for name in POLICY), POLICY])
def test_gradients_flow_through_augmentation(policy):
    x = images().requires_grad_()
    y = diff_augment(x, stream(3, "augment"), policy)
    y.sum().backward()
    assert y.shape == x.shape and y.dtype == x.dtype
    assert torch.isfinite(x.grad).all() and (x.grad != 0).float().mean() > 0.5


@pytest.mark.parametrize("policy", [POLICY, ("translation",)])
def test_the_same_stream_gives_the_same_change(policy):
    one, two, other = (diff_augment(images(), stream(s, "augment"), policy) for s in (0, 0, 1))
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(BadInput, match="Known: colour, translation, cutout"):
        diff_augment(images(), stream(0), ("colour", "rotation"))


def test_an_average_moves_by_hand():
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 1.0)
    average = Average(net, 0.9)
    nn.init.constant_(net.weight, 2.0)
    average.update(net)
    decay = 2 / 11  # (1 + t) / (10 + t) at t = 1
    assert average.net.weight.item() == pytest.approx(decay * 1 + (1 - decay) * 2)
    for _ in range(500):
        average.update(net)
    assert average.net.weight.item() == pytest.approx(2, abs=1e-5)


def test_an_average_slows_down_to_its_decay():
    net = nn.Linear(1, 1, bias=False)
    average = Average(net, 0.9)
    average.steps = 10_000
    nn.init.constant_(average.net.weight, 0.0)
    nn.init.constant_(net.weight, 1.0)
    average.update(net)
    assert average.net.weight.item() == pytest.approx(0.1, abs=1e-6)


def one_weight(value):
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


@pytest.mark.parametrize(("batch", "half_life"), [(8, 800), (1, 64), (50, 1000)])
def test_after_its_half_life_an_average_has_moved_half_way(batch, half_life):
    average, net = Average(one_weight(0.0), 0.999, half_life=half_life, batch=batch), one_weight(1.0)
    average.steps = 1_000_000  # far beyond the ramp
    for step in range(1, 3 * half_life // batch + 1):
        average.update(net)
        if step * batch in (half_life, 2 * half_life, 3 * half_life):
            assert 1 - average.net.weight.item() == pytest.approx(0.5 ** (step * batch / half_life), rel=1e-3)


def test_the_half_life_grows_with_the_images_shown():
    average, net = Average(one_weight(0.0), 0.999, half_life=150, ramp=0.05, batch=10), one_weight(1.0)
    for step in range(1, 401):
        nn.init.constant_(average.net.weight, 0.0)
        average.update(net)
        kept = 0.5 ** (10 / min(150, 0.05 * 10 * step))  # Karras et al. 2020, appendix B
        assert average.net.weight.item() == pytest.approx(1 - kept, abs=1e-6)
    slow = Average(one_weight(0.0), 0.999, half_life=10_000, ramp=1e9, batch=10)
    slow.update(net)
    assert slow.net.weight.item() == pytest.approx(1 - 0.5**0.001, rel=1e-3)


def test_buffers_of_an_average_are_copied_as_they_are():
    net = nn.BatchNorm1d(2)
    average = Average(net, 0.99)
    net(torch.randn(8, 2, generator=stream(0)) + 3)
    average.update(net)
    assert torch.equal(average.net.running_mean, net.running_mean)
    assert average.net.num_batches_tracked == net.num_batches_tracked == 1


def test_an_average_never_learns_and_never_trains():
    average = Average(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), 0.9)
    assert not average.net.training and not any(p.requires_grad for p in average.net.parameters())


def test_a_grid_shows_every_image_in_its_place(tmp_path):
    shown = torch.stack([torch.full((3, 4, 4), k / 10) for k in range(7)])
    curves.save_grid(shown, tmp_path / "grid.png", columns=3, scale=2)
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (3 * 4 * 2, 3 * 4 * 2)
        seen = [picture.getpixel((8 * (k % 3) + 3, 8 * (k // 3) + 3))[0] for k in range(9)]
    assert seen == [round(k * 25.5) for k in range(7)] + [255, 255]


def test_curves_are_drawn_from_the_log(tmp_path):
    lines = [
        {"images": 100 * k, "loss": 1 / (k + 1), "seconds": 3} | ({"accuracy": 0.5} if k else {}) for k in range(5)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"images": 5')
    DRAW(tmp_path)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (720, 234)  # two panels of 4 by 2.6 inches at 90 dots


def test_an_empty_log_draws_nothing(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"images": 8, "seconds": 1}\n')
    DRAW(tmp_path)
    assert not (tmp_path / "curves.png").exists()

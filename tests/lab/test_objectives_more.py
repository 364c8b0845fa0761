"""Objectives with a state, with pairs, with classes; penalties of the generator; what does not fit is refused."""

import math

import pytest
import torch
import torch.nn.functional as F
from lab_helpers import recipe
from torch import nn

from zeuxis.errors import BadInput, UnknownName
from zeuxis.lab import adversarial_setup as setup
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.adversarial_options import Adam, Options
from zeuxis.lab.objectives import OBJECTIVES, called_right
from zeuxis.lab.penalties import GENERATOR_PENALTIES
from zeuxis.lab.tasks.base import Lab
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.nets.gan.base import Classified, mix_styles
from zeuxis.rng import stream

REAL, FAKE = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])


def task_of(name, folder, **changes):
    return Adversarial(Lab(recipe(name, **changes), folder, torch.device("cpu"), torch.float32))


def soft(x):
    return math.log1p(math.exp(x))


def test_minimax_saturates_where_the_discriminator_is_sure():
    sure = torch.tensor([-10.0], requires_grad=True)
    OBJECTIVES["minimax"]().generator(sure).backward()
    kept = float(sure.grad.abs())
    sure.grad = None
    OBJECTIVES["non-saturating"]().generator(sure).backward()
    assert kept < 1e-4 and float(sure.grad.abs()) > 0.99
    assert OBJECTIVES["minimax"]().generator(FAKE).item() == pytest.approx(-(soft(-3) + soft(0)) / 2)


def test_relativistic_pairs_by_hand():
    objective = OBJECTIVES["relativistic"]()
    assert objective.discriminator(REAL, FAKE).item() == pytest.approx((soft(-5) + soft(-0.5)) / 2)
    assert objective.generator(FAKE, REAL).item() == pytest.approx((soft(5) + soft(0.5)) / 2)


def test_the_generator_meets_other_real_pictures(data):
    task, seen = task_of("r3gan", data, options={"augmentation": [], "penalties": {}}), []
    judge = task.discriminator.forward
    task.discriminator.forward = lambda x, y=None: seen.append(x.detach().clone()) or judge(x, y)
    task.step(0, 0.0)
    real, fake, again, others = seen
    assert torch.equal(fake, again) and not torch.equal(real, others)


def test_the_margin_of_an_energy_by_hand():
    objective = OBJECTIVES["energy"](margin=2.0)
    real, fake = -torch.tensor([0.5, 1.5]), -torch.tensor([1.0, 3.0])
    assert objective.discriminator(real, fake).item() == pytest.approx(1.0 + (1.0 + 0.0) / 2)
    assert objective.generator(fake).item() == pytest.approx(2.0)


def test_the_equilibrium_by_hand():
    objective = OBJECTIVES["began"](gamma=0.5, rate=0.1)
    real, fake = -torch.tensor([0.8]), -torch.tensor([0.2])
    assert objective.discriminator(real, fake).item() == pytest.approx(0.8)  # k = 0 at first
    found = objective.after_step({"D(real)": real.mean(), "D(fake)": fake.mean()})
    assert found == pytest.approx({"k": 0.1 * (0.4 - 0.2), "convergence": 0.8 + 0.2})
    assert objective.discriminator(real, fake).item() == pytest.approx(0.8 - 0.02 * 0.2)
    other = OBJECTIVES["began"](gamma=0.5, rate=0.1)
    other.load_state(objective.state())
    assert other.k == objective.k
    for error, k in ((-9.0, 0.0), (9.0, 1.0)):  # it stays in [0, 1]
        for _ in range(20):
            objective.after_step({"D(real)": torch.tensor(-error), "D(fake)": torch.tensor(0.0)})
        assert objective.k == k


def test_source_and_class_by_hand():
    y = torch.tensor([[1, 0], [0, 2]])
    heads = (torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.zeros(2, 3))
    real, fake = Classified(REAL, heads, y), Classified(FAKE, heads, y)
    classes = F.cross_entropy(heads[0], y[:, 0]) + math.log(3)
    plain, objective = OBJECTIVES["non-saturating"](), OBJECTIVES["auxiliary-class"](weight=0.5)
    assert objective.discriminator(real, fake).item() == pytest.approx(
        float(plain.discriminator(REAL, FAKE) + classes), rel=1e-6
    )
    assert objective.generator(fake).item() == pytest.approx(float(plain.generator(FAKE) + classes / 2), rel=1e-6)
    options = {"source": "wasserstein", "weight": 1.0, "generator_weight": 0.1, "fakes": False}
    plain, objective = OBJECTIVES["wasserstein"](), OBJECTIVES["auxiliary-class"](**options)
    of_real = real._replace(classes=(heads[0] * 2, heads[1]))
    real_classes = F.cross_entropy(2 * heads[0], y[:, 0]) + math.log(3)
    assert float(objective.discriminator(of_real, fake)) == pytest.approx(
        float(plain.discriminator(REAL, FAKE) + real_classes), rel=1e-6
    )
    assert float(objective.generator(fake)) == pytest.approx(float(plain.generator(FAKE) + classes / 10), rel=1e-6)
    assert objective.threshold is None  # as its source's: values have no zero


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "began"}, "Expected a source of non-saturating, .* got 'began'"),
        ({"source": ["hinge"]}, "Expected a source of"),
        ({"fakes": 0}, "fakes to be true or false, got 0"),
        ({"generator_weight": 0}, "generator_weight above 0"),
    ],
)
def test_source_and_class_of_wrong_options(options, said):
    with pytest.raises(BadInput, match=said):
        OBJECTIVES["auxiliary-class"](**options)


@pytest.mark.parametrize(("name", "share"), [("hinge", 0.75), ("least-squares", 0.75), ("wasserstein", 0.75)])
def test_the_accuracy_of_a_discriminator(name, share):
    real, fake = torch.tensor([2.0, -3.0]), torch.tensor([-4.0, -4.0])
    real = real if name != "wasserstein" else torch.tensor([2.0, -4.0])
    fake = fake if name != "wasserstein" else torch.tensor([-5.0, -1.0])
    assert float(called_right(OBJECTIVES[name](), real, fake)) == share


WRONG = [
    ("dcgan", {"objective": "began"}, BadInput, "needs reconstruction errors, the discriminator of dcgan gives logits"),
    (
        "began",
        {"objective": "hinge", "objective_options": {}},
        BadInput,
        "gives reconstruction errors. Choose objective = 'energy' or 'began'",
    ),
    ("dcgan", {"objective": "auxiliary-class"}, BadInput, 'needs labels and .* architecture = "acgan", or "wgan-gp"'),
    ("wgan-gp", {"objective": "auxiliary-class"}, BadInput, "discriminator has the option classify = true"),
    ("wgan-gp", {"discriminator": {"classify": 1}}, BadInput, "classify to be true or false, got 1"),
    ("acgan", {"labels": []}, BadInput, "needs labels"),
    ("dcgan", {"labels": [], "mismatched": True}, BadInput, "mismatched needs labels"),
    ("cgan", {"labels": []}, BadInput, "needs labels"),
    ("cgan-mlp", {"labels": []}, BadInput, "needs labels"),
    ("dcgan", {"style_mixing": 0.5}, BadInput, "style_mixing needs a generator with styles"),
    ("dcgan", {"generator_penalties": {"path-length": {"weight": 1}}}, BadInput, "path-length needs a generator with"),
    ("dcgan", {"generator_penalties": {"path": {"weight": 1}}}, UnknownName, "Did you mean path-length"),
    ("began", {"objective_options": {"gama": 1}}, UnknownName, "objective began 'gama'. Did you mean gamma"),
    ("began", {"objective_options": {"gamma": 2}}, BadInput, "gamma above 0 and at most 1, got 2"),
    ("dcgan", {"generator": {"upsampling": "bicubic"}}, BadInput, '"transposed" or "nearest", got .bicubic'),
    ("mlp-gan", {"discriminator": {"dropout": 1.0}}, BadInput, "dropout from 0 to below 1"),
    ("cgan-mlp", {"discriminator": {"dropout": -0.1}}, BadInput, "dropout from 0 to below 1"),
    ("r3gan", {"generator": {"widths": [8, 8]}}, BadInput, "3 widths"),
    ("r3gan", {"generator": {"widths": [9, 9, 9], "group_width": 4}}, BadInput, "multiples of group_width 4"),
    ("dcgan", {"adaptive": {"speed": 1}}, BadInput, "no 'adaptive.speed'|'speed'"),
]


@pytest.mark.parametrize(("name", "wrong", "error", "said"), WRONG, ids=[f"{w[0]}-{w[1]}"[:60] for w in WRONG])
def test_what_does_not_fit_is_refused_in_one_sentence(name, wrong, error, said, data):
    with pytest.raises(error, match=said) as refusal:
        task_of(name, data, options=wrong)
    assert "\n" not in str(refusal.value)


class Linear(nn.Module):
    """Styles to pictures by one matrix, so that every path is as long as its weights say."""

    def __init__(self, scale):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def map(self, z, y=None):
        return z.clone().requires_grad_(True)

    def layer_sizes(self):
        return [4]

    def synthesise(self, ws):
        return (self.scale * ws[:, 0]).view(-1, 1, 4, 4)


def test_the_length_of_a_path_by_hand():
    """w -> scale w, 16 numbers to 16 pixels: |J^T n| = scale |n|, n normal over 4, so about 1."""
    penalty, net = GENERATOR_PENALTIES["path-length"](), Linear(3.0)
    rng = stream(0)
    z, y = torch.randn(500, 16, generator=rng), torch.zeros(500, 0)
    value = penalty(net, z, y, rng)
    assert penalty.mean == pytest.approx(0.01 * 3.0, rel=0.05) and value.item() == pytest.approx(8.9, rel=0.1)
    value.backward()
    assert net.scale.grad.item() > 1
    for _ in range(600):
        value = penalty(net, z, y, rng)
    assert penalty.mean == pytest.approx(3.0, rel=0.05) and value.item() < 0.5
    other = GENERATOR_PENALTIES["path-length"]()
    other.load_state(penalty.state())
    assert other.mean == penalty.mean


def test_filters_that_point_apart_cost_nothing():
    penalty, net = GENERATOR_PENALTIES["orthogonal"](), nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 5.0, 0.0]]))
    assert penalty(net, None, None, None).item() == 0
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 2.0, 0.0], [0.0, 5.0, 0.0]]))
    value = penalty(net, None, None, None)
    assert value.item() == pytest.approx(2 * 10.0**2)  # twice the product of the two rows, squared
    value.backward()
    assert bool((net.weight.grad != 0).any())


def test_embeddings_and_gains_of_norms_may_be_alike(data):
    """In BigGAN they are linear layers, not embeddings; the filters behind the spectral norm count."""
    net = task_of("biggan", data).generator
    GENERATOR_PENALTIES["orthogonal"]()(net, None, None, None).backward()
    counted = {name for name, p in net.named_parameters() if p.grad is not None and bool((p.grad != 0).any())}
    assert "generator.gen_z.parametrizations.weight.original" in counted
    assert any("conv_2.parametrizations" in name for name in counted)
    assert not [name for name in counted if "embeddings" in name or "scale" in name or "offset" in name]


def test_path_length_and_mixing_train_stylegan2_and_their_state_is_kept(data):
    options = {"generator_penalties": {"path-length": {"weight": 2.0, "every": 2}}, "style_mixing": 0.9}
    task = task_of("stylegan2", data, options=options)
    plain = task_of("stylegan2", data)
    found = [task.step(step, 0.0) for step in range(3)]
    assert [line["path-length"] > 0 for line in found] == [True, False, True]
    assert task.state()["penalty/path-length"]["mean"] > 0 and "penalty/path-length" not in plain.state()
    assert found[0]["d_loss"] != plain.step(0, 0.0)["d_loss"]


def test_styles_are_mixed_from_a_random_layer_on():
    torch.manual_seed(0)
    net = ARCHITECTURES["stylegan2"]()[0](16, (), z_dim=4, w_dim=6, widths=[6, 6, 4])
    seen = []
    net.synthesise = lambda ws: seen.append(ws) or ws
    z = torch.randn(64, 4, generator=stream(0))
    mix_styles(net, z, torch.zeros(64, 0), 0.5, stream(1))
    own = (seen[0] == net.map(z)[:, None]).all(2)  # (N, L): the layers with the first style
    assert bool(own[:, 0].all()) and 0.3 < float(own.all(1).double().mean()) < 0.7
    assert all(row == sorted(row, reverse=True) for row in own.tolist())
    mix_styles(net, z, torch.zeros(64, 0), 0.0, stream(1))
    assert bool((seen[1] == net.map(z)[:, None]).all())


def test_schedules_end_where_they_should():
    assert setup.eased(1.0, None, 0.3, 0.5) == 1.0
    found = [setup.eased(0.9, 0.99, progress, 0.5) for progress in (0.0, 0.25, 0.5, 0.8)]
    assert found == pytest.approx([0.9, 0.945, 0.99, 0.99])
    net, adam = nn.Linear(2, 2), Adam(lr=1e-3, lr_end=1e-4, betas=(0.0, 0.9), beta2_end=0.99)
    optimizer, opt = setup.build_adam(net, adam), Options(architecture="dcgan", burn_in=0.5)
    setup.set_optimizer(optimizer, adam, opt, 0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4)
    assert optimizer.param_groups[0]["betas"] == pytest.approx((0.0, 0.99))


class Growing(nn.Module):
    """Hears how far the training is."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.heard = inner, []

    def forward(self, images, y=None):
        return self.inner(images, y)

    def set_progress(self, p):
        self.heard.append(p)

    def after_step(self, figures):
        return {"heard": float(len(self.heard)), "seen": float(figures["d_loss"])}


def test_a_network_hears_of_progress_and_of_each_step(data):
    task = task_of("dcgan", data)
    task.nets["discriminator"] = task.discriminator = Growing(task.discriminator)
    for step in range(2):
        found = task.step(step, step / 2)
        assert found["heard"] == step + 1 and found["seen"] == found["d_loss"]
    assert task.discriminator.heard == [0.0, 0.5]
    grown = []
    task.generator.set_progress = grown.append
    task.samples(task.nets)
    assert grown and set(grown) == {0.5}

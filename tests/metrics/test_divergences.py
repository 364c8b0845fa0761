"""Divergences against SciPy, against one another, and at their ends; Gaussians and windows against closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_samples import drawn
from scipy import stats
from scipy.spatial import distance
from scipy.special import rel_entr

from zeuxis.errors import BadInput
from zeuxis.metrics import divergences as d
from zeuxis.metrics.parzen import best_width, parzen_log_likelihood

P, Q = torch.tensor([0.5, 0.3, 0.2, 0.0]).double(), torch.tensor([0.1, 0.4, 0.4, 0.1]).double()
APART = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])


def probabilities(size=5):
    numbers = st.lists(st.floats(0.01, 1), min_size=size, max_size=size)
    return numbers.map(lambda x: torch.tensor(x, dtype=torch.float64) / sum(x))


def test_scipy_has_the_same_numbers():
    assert d.kl(P, Q) == pytest.approx(rel_entr(P.numpy(), Q.numpy()).sum())
    assert d.jensen_shannon(P, Q) == pytest.approx(distance.jensenshannon(P.numpy(), Q.numpy()) ** 2)
    assert d.entropy(P) == pytest.approx(stats.entropy(P.numpy()))
    assert d.total_variation(P, Q) == pytest.approx(distance.cityblock(P.numpy(), Q.numpy()) / 2)
    assert d.hellinger(P, Q) == pytest.approx(distance.euclidean(P.sqrt().numpy(), Q.sqrt().numpy()) / math.sqrt(2))


@settings(max_examples=30, deadline=None)
@given(p=probabilities(), q=probabilities())
def test_every_generator_gives_the_divergence_of_its_name(p, q):
    assert d.f_divergence(p, q, "kl") == pytest.approx(d.kl(p, q), abs=1e-12)
    assert d.f_divergence(p, q, "reverse-kl") == pytest.approx(d.kl(q, p), abs=1e-12)
    assert d.f_divergence(p, q, "total-variation") == pytest.approx(d.total_variation(p, q), abs=1e-12)
    assert d.f_divergence(p, q, "squared-hellinger") == pytest.approx(d.hellinger(p, q) ** 2, abs=1e-12)
    assert d.f_divergence(p, q, "jensen-shannon") == pytest.approx(d.jensen_shannon(p, q), abs=1e-12)
    assert d.f_divergence(p, q, "gan") == pytest.approx(2 * d.jensen_shannon(p, q), abs=1e-12)
    assert d.f_divergence(p, q, "pearson-chi2") == pytest.approx(float(((p - q) ** 2 / q).sum()), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(p=probabilities(), q=probabilities())
def test_the_inequalities_between_them_hold(p, q):
    tv, h = d.total_variation(p, q), d.hellinger(p, q)
    assert h**2 <= tv + 1e-12 and tv <= math.sqrt(2) * h + 1e-12
    assert 2 * tv**2 <= d.kl(p, q) + 1e-12  # Pinsker
    assert 0 <= d.jensen_shannon(p, q) <= math.log(2) * tv + 1e-12
    assert d.cross_entropy(p, q) >= d.entropy(p)  # Gibbs: the most likely model is p itself


@pytest.mark.parametrize("name", d.GENERATORS)
def test_equal_distributions_are_at_zero_also_where_they_have_no_mass(name):
    assert d.f_divergence(P, P, name) == pytest.approx(0, abs=1e-12)


def test_distributions_apart_are_at_the_other_end():
    expected = {"kl": math.inf, "reverse-kl": math.inf, "total-variation": 1, "squared-hellinger": 1,
                "jensen-shannon": math.log(2), "pearson-chi2": math.inf, "gan": math.log(4)}  # fmt: skip
    assert {name: d.f_divergence(*APART, name) for name in d.GENERATORS} == pytest.approx(expected)
    assert d.kl(*APART) == math.inf and d.jensen_shannon(*APART) == pytest.approx(math.log(2))


def test_a_generator_of_your_own():
    le_cam = d.Generator(lambda t: (t - 1) ** 2 / (t + 1), 1.0, 1.0)
    assert d.f_divergence(P, Q, le_cam) == pytest.approx(float(((P - Q) ** 2 / (P + Q)).sum()))


def test_maximum_likelihood_finds_the_nearest_model_in_kl():
    counts = torch.tensor([6.0, 3, 1])
    shares = counts / 10
    models = [torch.tensor([a, b, 10 - a - b]) / 10 for a in range(1, 9) for b in range(1, 10 - a)]
    likely = [float((counts * m.log()).sum()) for m in models]
    near = [d.kl(shares, m) for m in models]
    assert likely.index(max(likely)) == near.index(min(near))
    assert d.cross_entropy(shares, models[3]) == pytest.approx(-likely[3] / 10)


def test_gaussians_have_a_closed_form():
    m1, m2 = torch.tensor([1.0]), torch.tensor([3.0])
    s1, s2 = 2.0, 5.0
    by_hand = math.log(s2 / s1) + (s1**2 + 4) / (2 * s2**2) - 0.5
    assert d.kl_of_gaussians(m1, torch.tensor([[4.0]]), m2, torch.tensor([[25.0]])) == pytest.approx(by_hand)
    root = drawn(4, 1, 4)
    mean, cov = drawn(1, 2, 4)[0], root @ root.T + torch.eye(4)
    one, other = (torch.distributions.MultivariateNormal(m, c) for m, c in ((mean, cov), (mean + 1, 2 * cov)))
    expected = float(torch.distributions.kl_divergence(one, other))
    assert d.kl_of_gaussians(mean, cov, mean + 1, 2 * cov) == pytest.approx(expected)
    with pytest.raises(BadInput, match="positive definite"):
        d.kl_of_gaussians(m1, torch.tensor([[0.0]]), m2, torch.tensor([[1.0]]))


@pytest.mark.parametrize("wrong", [[0.5, 0.6], [1.5, -0.5], [math.nan, 1.0], [1.0]])
def test_what_is_no_distribution_is_refused(wrong):
    for of in (d.kl, d.jensen_shannon, d.total_variation, d.hellinger, lambda p, q: d.f_divergence(p, q, "kl")):
        with pytest.raises(BadInput, match="probabilities"):
            of(torch.tensor(wrong), torch.tensor([0.5, 0.5]))
    with pytest.raises(BadInput, match="jensen-shannon"):
        d.f_divergence(P, Q, "wasserstein")


def test_windows_are_scipys_kernel_density_and_the_best_width_is_near_the_right_one():
    samples, test = drawn(200, 1, 2), drawn(50, 2, 2)
    scale = 0.4
    by_hand = stats.norm.pdf(test[:, None].numpy(), samples[None].numpy(), scale).prod(2).mean(1)
    found = parzen_log_likelihood(test.float(), samples.float(), scale)
    assert found.numpy() == pytest.approx(torch.from_numpy(by_hand).log().numpy(), abs=1e-5)
    assert best_width(test, samples, [0.01, 0.1, 0.4, 3.0]) == 0.4
    with pytest.raises(BadInput, match="width"):
        parzen_log_likelihood(test, samples, 0.0)


def test_windows_prefer_copies_of_centres_to_real_rows():
    """Why image generators are not ranked by it (Theis et al. 2016): fewer and wrong samples win."""
    train, test, fresh = drawn(2000, 1, 64), drawn(200, 2, 64), drawn(300, 3, 64)
    centre = train.mean(0).expand(300, -1)
    widths = [0.5, 0.7, 1.0, 1.4]

    def figure(rows):
        return float(parzen_log_likelihood(test, rows, best_width(train[:200], rows, widths)).mean())

    assert figure(centre) > figure(fresh)

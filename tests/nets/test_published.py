"""Generators and discriminators from published files draw what the reference implementations drew."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zeuxis.errors import BadInput
from zeuxis.hub.convert import convert
from zeuxis.hub.layouts.biggan import published
from zeuxis.hub.model_file import build, read_model
from zeuxis.nets import NETWORKS
from zeuxis.nets.biggan import statistics_at
from zeuxis.nets.stylegan3 import Layer
from zeuxis.nets.stylegan_layers import truncate

FIXTURES = Path(__file__).parent.parent / "fixtures"
STYLEGANS = sorted(path.name for path in FIXTURES.glob("stylegan*"))
CLOSE = 1e-5  # of the largest absolute value
SHAPES = ((10, 3), (6, 3), (6, 5))  # queries, keys and values of an attention


@pytest.fixture(scope="module", params=STYLEGANS)
def case(request, tmp_path_factory):
    folder = FIXTURES / request.param
    file = convert(folder / "network.pkl", tmp_path_factory.mktemp("converted") / "net.safetensors")
    return (
        file,
        load_file(folder / "inputs.safetensors"),
        load_file(folder / "outputs.safetensors"),
    )


def generator(file, over_batch=True):
    net = build(file)
    for module in net.modules():
        if isinstance(module, Layer):
            module.over_batch = over_batch
    return net


def labels(inputs):
    c = inputs["c"]
    return c if c.shape[1] else None


def styles(net, inputs):
    c = labels(inputs)
    centre = net.w_avg if net.w_avg.ndim == 1 else net.w_avg[c.argmax(1)]
    return net.map(inputs["z"], c)[:, None].repeat(1, net.num_ws, 1), centre


def check(found, wanted, close=CLOSE):
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max() / wanted.abs().max()) <= close


def test_styles_are_those_of_the_reference(case):
    file, inputs, outputs = case
    ws, centre = styles(generator(file), inputs)
    for name in [name for name in outputs if name.startswith("w_psi")]:
        psi, _, cutoff = name.removeprefix("w_psi").partition("_cutoff")
        check(truncate(ws, centre, float(psi), int(cutoff) if cutoff else None), outputs[name])


@torch.no_grad()
def test_pictures_are_those_of_the_reference(case):
    file, inputs, outputs = case
    net = generator(file)
    ws, centre = styles(net, inputs)
    for name in [name for name in outputs if name.startswith("image_psi")]:
        psi, _, how = name.removeprefix("image_psi").partition("_")
        wanted = outputs[name]
        check(net.synthesise(truncate(ws, centre, float(psi)), noise=how != "nonoise")[: len(wanted)], wanted)
        assert (wanted[1:] - wanted[:1]).abs().max() > 0.01  # a fixture that does not vary proves nothing
    check(net.synthesise(inputs["w_plus"]), outputs["image_w_plus"])


@torch.no_grad()
def test_a_row_alone_is_the_row_of_the_batch(case):
    file, inputs, outputs = case
    net = generator(file, over_batch=False)
    ws, _ = styles(net, inputs)
    whole = net.synthesise(ws)
    assert torch.equal(net.synthesise(ws.roll(1, 0)).roll(-1, 0), whole)
    check(whole, outputs["image_psi1.0"], 1e-4)  # without the reference's mean over the batch


@torch.no_grad()
def test_the_discriminator_judges_as_the_reference(case):
    file, inputs, outputs = case
    if "discriminator" not in read_model(file).parts:
        assert not any(name.startswith("logits") for name in outputs)
        return
    judge = build(file, "discriminator")
    c = labels(inputs)
    for name in [name for name in outputs if name.startswith("logits_psi")]:
        check(judge(outputs[name.replace("logits", "image")], c), outputs[name])
    if "logits_first_alone" in outputs:
        alone = judge(outputs["image_psi1.0"][:1], None if c is None else c[:1])
        check(alone, outputs["logits_first_alone"])


@torch.no_grad()
@pytest.mark.parametrize("single", [True, False])
def test_image_by_image_and_all_at_once_agree(single):
    net = build_fixture_stylegan2()
    ws = torch.randn(3, net.num_ws, net.w_dim, generator=torch.Generator().manual_seed(0))
    by_rule = net.synthesise(ws)
    for size in net.synthesis.sizes[1:]:
        net.synthesis.get_submodule(f"b{size}").pays_single = single
    check(net.synthesise(ws), by_rule)


def build_fixture_stylegan2():
    from zeuxis.hub.convert import read_checkpoint
    from zeuxis.hub.weights import fill

    path = FIXTURES / "stylegan2_ada_c0_64px" / "network.pkl"
    part = read_checkpoint(path).parts["generator"]
    return fill(NETWORKS["stylegan2/generator"](**part.facts), part.tensors, path).requires_grad_(False)


# BigGAN


@pytest.fixture(scope="module")
def biggan(tmp_path_factory):
    folder = FIXTURES / "biggan_deep_32px"
    net = build(convert(folder, tmp_path_factory.mktemp("biggan") / "net.safetensors"))
    return net, load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")


@torch.no_grad()
@pytest.mark.parametrize("truncation", ["0.4", "0.5", "1.0", "0.413", "0.58"])
def test_biggan_draws_as_the_reference_does_with_its_faults(biggan, truncation):
    net, inputs, outputs = biggan
    net.set_truncation(float(truncation))
    found = net(inputs[f"z_t{truncation}"], net.embeddings(inputs["class_vector"]))
    assert float((found - outputs[f"image_t{truncation}"]).abs().max()) <= 2e-5


@torch.no_grad()
@pytest.mark.parametrize(("truncation", "gap"), [("0.4", 0.0), ("0.413", 0.149), ("0.58", 0.54)])
def test_exact_truncation_differs_where_the_reference_errs(biggan, truncation, gap):
    net, inputs, outputs = biggan
    net.set_truncation(float(truncation), exact=True)
    found = net(inputs[f"z_t{truncation}"], net.embeddings(inputs["class_vector"]))
    assert float((found - outputs[f"image_t{truncation}"]).abs().max()) == pytest.approx(gap, abs=0.01)


def test_biggan_with_gradients_draws_the_same_and_they_point_the_way(biggan):
    net, inputs, _ = biggan
    net.set_truncation(0.5)
    z, embedding = inputs["z_t0.5"], net.embeddings(inputs["class_vector"])
    leaf = embedding.detach().clone().requires_grad_()
    images = net(z, leaf)  # new tensors and torch's attention, in place of reused memory and attention in pieces
    torch.testing.assert_close(images.detach(), net(z, embedding.detach()), atol=2e-6, rtol=0)
    weight = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    (images * weight).sum().backward()
    step = 1e-3 * torch.nn.functional.normalize(leaf.grad, dim=1)
    with torch.no_grad():
        risen = ((net(z, embedding + step) - net(z, embedding - step)) * weight).sum()
    assert float(risen / (2 * (step * leaf.grad).sum())) == pytest.approx(1, abs=0.05)


@torch.no_grad()
def test_attention_in_pieces_is_attention():
    from zeuxis.nets.biggan_layers import _in_pieces

    query, key, value = (torch.randn(2, n, d, generator=torch.Generator().manual_seed(n)) for n, d in SHAPES)
    whole = torch.softmax(query @ key.mT, dim=2) @ value
    torch.testing.assert_close(_in_pieces(query, key, value, rows=4), whole)


def test_statistics_of_the_grid_and_between():
    assert statistics_at(0.5, 51, exact=True) == (25, 26, 1.0)
    low, high, share = statistics_at(0.413, 51, exact=True)
    assert (low, high) == (20, 21) and share == pytest.approx(0.35)
    assert statistics_at(0.413, 51, exact=False)[2] == pytest.approx(0.65)  # the wrong way round, as published
    with pytest.raises(BadInput, match=r"truncation from 0\.02 to 1"):
        statistics_at(0.0, 51, exact=False)


@pytest.mark.parametrize(
    ("size", "begins", "parameters"),
    [(128, "a6bb3c38", 50_388_609), (256, "edd106f6", 55_880_833), (512, "c7690e92", 56_163_905)],
)
def test_the_published_configurations(size, begins, parameters):
    config = published(size)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    assert sha256(text.encode()).hexdigest().startswith(begins)
    facts = {key: value for key, value in config.items() if key != "output_dim"}
    with torch.device("meta"):
        net = NETWORKS["biggan-deep/generator"](**facts)
    unused = 125 * (128 * 9 + 1)  # of the 128 colour channels, 3 are used
    assert sum(p.numel() for p in net.parameters()) + unused == parameters
    assert net.img_resolution == size

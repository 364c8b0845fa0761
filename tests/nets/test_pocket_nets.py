"""The pocket networks: shapes, what is frozen, what gradients reach."""

import pytest
import torch
from torch import nn

from zeuxis.nets.dual_encoder import DualEncoder, TextTower
from zeuxis.nets.gan.pocket import Activation, Head, PocketDiscriminator, PocketGenerator
from zeuxis.nets.layers import fold_spectrum
from zeuxis.nets.speedrun import SpeedrunNet
from zeuxis.nets.trunk import Trunk, TrunkClassifier
from zeuxis.rng import stream

SMALL = (4, 6, 8, 8)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=stream(seed, "noise"))


def generator():
    return PocketGenerator(classes=(3, 5), z_dim=4, embed_dim=6, widths=(8, 8, 6, 4))


def discriminator(normalised=False):
    return PocketDiscriminator(classes=(3, 5), width=7, trunk=Trunk(SMALL), normalised=normalised)


def test_the_trunk_gives_a_map_for_each_stage():
    net = Trunk(SMALL)
    shapes = [tuple(x.shape) for x in net.stages(noise(2, 3, 32, 32))]
    assert shapes == [(2, 6, 16, 16), (2, 8, 8, 8), (2, 8, 4, 4)]
    assert net(noise(2, 3, 32, 32)).shape == (2, 16)


def test_pooling_is_mean_and_maximum_over_places():
    last = noise(2, 3, 4, 4)
    assert torch.equal(Trunk.pool(last), torch.cat([last.mean((2, 3)), last.flatten(2).max(2).values], 1))


@pytest.mark.parametrize(("terms", "width"), [(5, 5), (0, 1)])
def test_the_trunk_classifier_has_two_heads(terms, width):
    classes, fine = TrunkClassifier(3, terms, SMALL)(noise(2, 3, 32, 32))
    assert classes.shape == (2, 3) and fine.shape == (2, width)


def test_generated_images_are_32_by_32_between_minus_one_and_one():
    net = generator()
    images = net(noise(3, 4), torch.tensor([[0, 0], [1, 3], [2, 4]]))
    assert images.shape == (3, 3, 32, 32) and images.abs().max() <= 1


def test_an_embedding_is_the_sum_of_class_and_term():
    net = generator()
    row = net.embed(torch.tensor([[2, 4]]))[0]
    assert torch.equal(row, net.class_embedding.weight[2] + net.term_embedding.weight[4])


def test_gradients_reach_the_latent_and_the_embedding():
    net = generator().eval()
    for module in net.modules():
        if isinstance(module, nn.Linear) and module.bias is None:  # gains and biases start at zero
            nn.init.normal_(module.weight, std=0.1)
    z, embedding = noise(2, 4).requires_grad_(), noise(2, 6, seed=1).requires_grad_()
    net(z, embedding)[0].square().sum().backward()
    assert (z.grad[0] != 0).all() and (embedding.grad[0] != 0).all()
    assert (z.grad[1] == 0).all() and (embedding.grad[1] == 0).all()  # each picture from its own latent


def test_a_picture_does_not_depend_on_its_batch():
    net, z, e = generator().eval(), noise(4, 4), noise(4, 6, seed=1)
    with torch.no_grad():
        assert torch.allclose(net(z, e)[1:2], net(z[1:2], e[1:2]), atol=1e-6)


def test_the_discriminator_has_one_logit_per_head():
    net = discriminator()
    assert net(noise(2, 3, 32, 32), torch.tensor([[0, 4], [2, 1]])).shape == (2, 4)
    assert net(noise(2, 3, 32, 32)).shape == (2, 4)


def test_a_head_projects_on_the_label():
    head = Head(3, 8, 5, classes=2, terms=2)
    x, y = noise(2, 3, 8, 8), torch.tensor([[0, 1], [1, 0]])
    h = head.body(x).mean((2, 3))
    projection = ((head.classes(y[:, 0]) + head.terms(y[:, 1])) * h).sum(1)
    assert torch.allclose(head(x, y), head(x, None) + projection, atol=1e-6)  # Eq. 3


def test_without_labels_the_class_does_not_count():
    net, x = discriminator().eval(), noise(1, 3, 32, 32)
    with torch.no_grad():
        one, two = (net(x, torch.tensor([[k, k]])) for k in (0, 1))
        assert not torch.allclose(one, two) and torch.equal(net(x), net(x, None))


def test_the_frozen_trunk_stays_frozen_in_training():
    net = discriminator().train()
    net.train(True)
    assert not net.trunk.training and net.pixels.training and net.heads.training
    assert not any(module.training for module in net.trunk.modules())
    before = {name: value.clone() for name, value in net.trunk.state_dict().items()}
    net(noise(4, 3, 32, 32)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in net.trunk.state_dict().items())
    assert all(p.grad is None for p in net.trunk.parameters())
    assert all(p.grad is not None for p in net.pixels.parameters())


def test_gradients_reach_the_image_through_every_head():
    net = discriminator()
    for k in range(4):
        x = noise(1, 3, 32, 32).requires_grad_()
        net(x)[0, k].backward()
        assert x.grad.abs().sum() > 0, f"head {k}"


def test_features_can_be_judged_later():
    net, x = discriminator().eval(), noise(2, 3, 32, 32)
    y = torch.tensor([[0, 4], [2, 1]])
    with torch.no_grad():
        assert torch.equal(net(x, y, frozen=net.frozen(x)), net(x, y))


def test_every_layer_of_the_heads_and_of_the_pixels_is_normalised_by_default():
    net = PocketDiscriminator(classes=(3, 5), width=7, trunk=Trunk(SMALL))
    layers = {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)}
    for name, layer in layers.items():
        assert nn.utils.parametrize.is_parametrized(layer) == (not name.startswith("trunk.")), name


def test_folded_weights_answer_as_the_normalised_ones():
    net, x, y = discriminator(normalised=True), noise(4, 3, 32, 32), torch.tensor([[0, 4], [2, 1], [1, 0], [1, 3]])
    for _ in range(3):
        net.train()(x, y)  # power iterations
    plain = discriminator()
    with torch.no_grad():
        before = net.eval()(x, y)
        plain.load_state_dict(fold_spectrum(net).state_dict())
        assert torch.allclose(plain.eval()(x, y), before, atol=1e-6)


def test_the_gain_of_the_activation():
    assert Activation(2.0)(torch.tensor([-1.0, 3.0])).tolist() == pytest.approx([-0.4, 6.0])


def test_the_judge_averages_an_image_and_its_mirror():
    net, x = SpeedrunNet(3, (8, 8, 8)), noise(2, 3, 32, 32)
    nn.init.normal_(net.whiten.weight)
    with torch.no_grad():
        net.train()(x)  # some statistics
        net.eval()
        assert torch.allclose(net(x), net(x.flip(3)), atol=1e-6)
        assert torch.allclose(net(x), (net.logits(x) + net.logits(x.flip(3))) / 2)
        assert not torch.allclose(net.logits(x), net.logits(x.flip(3)))


def test_in_training_the_judge_looks_once():
    net, x = SpeedrunNet(3, (8, 8, 8)).train(), noise(4, 3, 32, 32)
    assert net(x).shape == (4, 3)
    assert torch.equal(net(x), net.logits(x))


def test_whitened_patches_are_white():
    net, images = SpeedrunNet(3, (8, 8, 8)), noise(40, 3, 32, 32).cumsum(3).cumsum(2) / 20  # smooth, as photos are
    net.init_whitening(images, eps=0)
    with torch.no_grad():
        out = nn.functional.conv2d(images, net.whiten.weight)[:, :12]  # (N, 12, 31, 31)
    flat = out.transpose(0, 1).flatten(1)
    assert torch.allclose(flat @ flat.T / flat.shape[1], torch.eye(12), atol=0.02)
    assert torch.equal(net.whiten.weight[12:], -net.whiten.weight[:12])


def test_what_airbench_fixes_is_fixed():
    net = SpeedrunNet(3, (8, 8, 8))
    frozen = {name for name, p in net.named_parameters() if not p.requires_grad}
    assert frozen == {"whiten.weight", *(f"blocks.{i}.norm{j}.weight" for i in range(3) for j in (1, 2))}


def text_tower():
    net = TextTower(tokens=9, width=8, layers=2, heads=2, output=10, longest=6)
    nn.init.normal_(net.deep.weight)
    nn.init.normal_(net.weight.weight)
    return net.eval()


def test_sentence_vectors_have_length_one():
    found = text_tower()(torch.tensor([[1, 2, 3], [4, 0, 0]]))
    assert found.shape == (2, 10) and torch.allclose(found.norm(dim=1), torch.ones(2))


def test_padding_changes_no_sentence():
    net = text_tower()
    with torch.no_grad():
        short, padded = net(torch.tensor([[3, 5]])), net(torch.tensor([[3, 5, 0, 0, 0]]))
    assert torch.allclose(short, padded, atol=1e-6)


def test_the_order_of_words_counts_once_the_transformer_has_learned():
    net = text_tower()
    nn.init.normal_(net.places)
    with torch.no_grad():
        assert not torch.allclose(net(torch.tensor([[3, 5]])), net(torch.tensor([[5, 3]])), atol=1e-3)


def test_a_fresh_tower_is_a_weighted_mean_of_tokens():
    net = TextTower(tokens=9, width=8, layers=1, heads=2, output=10)
    nn.init.normal_(net.weight.weight)
    tokens = torch.tensor([[3, 5, 7]])
    share = net.weight(tokens)[0, :, 0].softmax(0)
    mean = (share[:, None] * net.tokens(tokens)[0]).sum(0)
    expected = nn.functional.normalize(net.direct(mean) + net.deep.bias, dim=0)
    assert torch.allclose(net(tokens)[0], expected, atol=1e-6)


def test_images_and_words_meet_in_one_space():
    net = DualEncoder(Trunk(SMALL), text_tower(), joint=7, sentence=10).eval()
    with torch.no_grad():
        seen, said = net.image(noise(2, 3, 32, 32)), net.words(torch.tensor([[1, 2], [3, 0], [4, 5]]))
    assert seen.shape == (2, 7) and said.shape == (3, 7)
    assert torch.allclose(torch.cat([seen, said]).norm(dim=1), torch.ones(5), atol=1e-6)


def test_images_are_embedded_in_float32_from_bf16():
    net = DualEncoder(Trunk(SMALL), text_tower(), joint=7, sentence=10).eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.image(noise(2, 3, 32, 32)).dtype == torch.float32

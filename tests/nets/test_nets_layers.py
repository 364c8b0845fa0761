"""Shared layers: folding changes the weights, never the output."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zeuxis.nets.layers import (
    ConditionalBatchNorm,
    Precisions,
    Residual,
    cast_copy,
    conv,
    conv_bn,
    dtype_of,
    fold_batch_norm,
    fold_spectrum,
    normalise_spectrum,
    placed,
    upsample,
)
from zeuxis.nets.trunk import Trunk
from zeuxis.rng import stream

CPU = torch.device("cpu")


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=stream(seed, "noise"))


def shake(net):
    """Batch-norm statistics, gains and biases as after a training, not as after a birth."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            width = module.num_features
            module.running_mean.copy_(noise(width, seed=1) * 0.3)
            module.running_var.copy_(noise(width, seed=2).square() + 0.5)
            if module.affine:
                nn.init.normal_(module.weight, 1, 0.3)
                nn.init.normal_(module.bias, 0, 0.3)
    return net.eval()


@pytest.mark.parametrize(("size", "stride", "out"), [(3, 1, 8), (1, 1, 8), (4, 2, 4), (2, 2, 4)])
def test_a_convolution_keeps_the_size_at_stride_one_and_halves_it_at_two(size, stride, out):
    assert conv(2, 5, size, stride)(noise(1, 2, 8, 8)).shape == (1, 5, out, out)


def test_upsampling_repeats_each_pixel():
    x = torch.arange(4.0).view(1, 1, 2, 2)
    assert upsample(x)[0, 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]


def test_a_residual_adds_to_its_input():
    layer = Residual(4).eval()
    for p in layer.body.parameters():
        nn.init.zeros_(p)
    x = noise(2, 4, 6, 6)
    assert torch.equal(layer(x), x)


def test_conditional_batch_norm_starts_as_plain_batch_norm():
    x, y = noise(8, 5, 4, 4), noise(8, 3, seed=1)
    found = ConditionalBatchNorm(5, 3)(x, y)
    assert torch.allclose(found, F.batch_norm(x, None, None, training=True), atol=1e-6)


def test_conditional_batch_norm_gives_every_row_its_gain_and_bias():
    layer = ConditionalBatchNorm(2, 2)
    nn.init.normal_(layer.gain.weight), nn.init.normal_(layer.bias.weight)
    x, y = noise(6, 2, 4, 4), noise(6, 2, seed=1)
    normal = F.batch_norm(x, None, None, training=True)
    gain, bias = 1 + y @ layer.gain.weight.T, y @ layer.bias.weight.T
    assert torch.allclose(layer(x, y), normal * gain[:, :, None, None] + bias[:, :, None, None], atol=1e-5)


def test_conditional_batch_norm_trains_and_evaluates_alike_when_the_statistics_are_the_batch():
    layer = ConditionalBatchNorm(5, 3)
    nn.init.normal_(layer.gain.weight), nn.init.normal_(layer.bias.weight)
    layer.norm.momentum = None  # cumulative average: after one batch the statistics are its own
    x, y = noise(16, 5, 4, 4) * 2 + 1, noise(16, 3, seed=1)
    trained = layer(x, y)
    layer.norm.running_var.mul_((16 * 16 - 1) / (16 * 16))  # the running variance is the unbiased one
    assert torch.allclose(layer.eval()(x, y), trained, atol=1e-5)


def test_conditional_batch_norm_in_eval_mode_sees_each_row_alone():
    layer = ConditionalBatchNorm(5, 3)
    nn.init.normal_(layer.gain.weight)
    shake(layer)
    x, y = noise(4, 5, 4, 4), noise(4, 3, seed=1)
    assert torch.allclose(layer(x, y)[2:3], layer(x[2:3], y[2:3]), atol=1e-6)


def spectral_net():
    net = nn.Sequential(conv(3, 6), nn.ReLU(), conv(6, 4, 4, 2), nn.Flatten(), nn.Linear(4 * 16, 3))
    net = normalise_spectrum(net)
    for _ in range(40):  # power iterations
        net.train()(noise(2, 3, 8, 8))
    return net.eval()


def test_a_normalised_layer_has_spectral_norm_one():
    for layer in spectral_net():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_folding_the_spectrum_changes_no_output():
    net, x = spectral_net(), noise(5, 3, 8, 8, seed=3)
    before = net(x)
    names = set(fold_spectrum(net).state_dict())
    assert torch.allclose(net(x), before, atol=1e-6)
    assert names == {"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"}


def test_embeddings_are_normalised_too_and_nothing_twice():
    net = normalise_spectrum(normalise_spectrum(nn.Sequential(nn.Embedding(4, 3))))
    table = net.eval()[0](torch.arange(4))
    fold_spectrum(net)
    assert torch.equal(net[0](torch.arange(4)), table) and set(net.state_dict()) == {"0.weight"}


def test_folding_batch_norm_changes_no_output():
    net, x = shake(Trunk((4, 6, 8, 8))), noise(3, 3, 32, 32)
    before = net(x)
    fold_batch_norm(net)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert torch.allclose(net(x), before, atol=1e-4)


def test_a_batch_norm_is_folded_wherever_it_follows_a_convolution():
    net = shake(nn.Sequential(nn.ReLU(), conv(3, 4, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)))
    x = noise(2, 3, 8, 8)
    before = net(x)
    fold_batch_norm(net)
    assert isinstance(net[2], nn.Identity) and isinstance(net[4], nn.BatchNorm2d)  # no convolution before that one
    assert torch.allclose(net(x), before, atol=1e-4)


def test_a_cast_copy_computes_in_bf16_and_stays_close():
    net, x = shake(Trunk((8, 8, 16, 16))), noise(4, 3, 32, 32)
    with torch.no_grad():
        exact, rough = net(x), cast_copy(net, torch.bfloat16)(x)
    assert rough.dtype == torch.bfloat16 and exact.dtype == torch.float32
    assert torch.corrcoef(torch.stack([exact.flatten(), rough.float().flatten()]))[0, 1] > 0.999
    assert (rough.float() - exact).abs().mean() < 0.02 * exact.abs().mean()


def test_a_cast_copy_leaves_the_original_and_the_norms_alone():
    net = conv_bn(3, 4)
    copied = cast_copy(net, torch.bfloat16)
    assert net[0].weight.dtype == torch.float32 and net[0].weight.requires_grad
    assert copied[0].weight.dtype == torch.bfloat16 and copied[1].weight.dtype == torch.float32
    assert not any(p.requires_grad for p in copied.parameters())


def test_precisions_are_copied_once_when_first_asked_for():
    net = conv_bn(3, 4)
    nets = Precisions(net)
    assert nets[torch.float32] is net and len(nets.copies) == 1
    assert nets[torch.bfloat16] is nets[torch.bfloat16] is not net
    assert dtype_of(nets[torch.bfloat16]) == torch.bfloat16


def test_placed_weights_are_channels_last_and_the_same():
    net = conv(3, 4)
    before = net.weight.detach().clone()
    assert placed(net, CPU) is net
    assert net.weight.is_contiguous(memory_format=torch.channels_last) and torch.equal(net.weight, before)


def test_float32_means_float32_on_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # torch's own default
    monkeypatch.setattr(nn.Module, "to", lambda net, *where, **how: net)  # no GPU is needed
    placed(nn.Conv2d(3, 3, 1), CPU)
    assert torch.backends.cudnn.allow_tf32
    placed(nn.Conv2d(3, 3, 1), torch.device("cuda"))
    assert not torch.backends.cudnn.allow_tf32

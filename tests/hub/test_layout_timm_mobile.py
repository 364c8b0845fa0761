"""MobileNets and EfficientNets of timm's layout as judges: logits of two reference implementations, and refusals."""

import json
import re

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.hub.model_file import build
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.choose import check_judge, make_judge

NAMES = ["cat", "dog", "horse", "ship", "truck"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))


def shaken(net, seed=0):
    """Weights that keep the signal alive, and batch norms that do something: first values hide mistakes."""
    rng = torch.Generator().manual_seed(seed)
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        with torch.no_grad():
            if name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=rng))
            elif value.ndim > 1:
                value.copy_(torch.randn(value.shape, generator=rng) * (2 / value[0].numel()) ** 0.5)
            elif value.is_floating_point():
                value.copy_(("weight" in name) + 0.3 * torch.randn(value.shape, generator=rng))
    return net.eval()


def calibrated(net, x):
    """Running statistics of one batch, so that the depth of the network does not silence it."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        net.train()(x)
    return net.eval()


X = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(1))
X += 2 * torch.randn(6, 3, 1, 1, generator=torch.Generator().manual_seed(2))


def written(folder, state, architecture, **more):
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    config = {"num_classes": len(NAMES), "label_names": NAMES} | more
    config |= {} if architecture is None else {"architecture": architecture}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def mobilenet_v2(tf):
    transformers = pytest.importorskip("transformers", reason="needs the extra `clip`")
    config = transformers.MobileNetV2Config(
        depth_multiplier=0.35, tf_padding=tf, layer_norm_eps=1e-3 if tf else 1e-5, num_labels=len(NAMES),
        finegrained_output=True,
    )  # fmt: skip
    net = calibrated(shaken(transformers.MobileNetV2ForImageClassification(config)), X)
    depths, place = (1, 2, 3, 4, 3, 3, 1), {"stem": (0, 0)}
    flat = [(stage, row) for stage, depth in enumerate(depths) for row in range(depth)][1:]
    place |= {str(k): where for k, where in enumerate(flat)}
    inner = {"expand_1x1": ("conv_pw", "bn1"), "conv_3x3": ("conv_dw", "bn2"), "reduce_1x1": ("conv_pwl", "bn3")}
    first = {"conv_3x3": ("conv_dw", "bn1"), "reduce_1x1": ("conv_pw", "bn2")}

    def renamed(name):
        name = name.removeprefix("mobilenet_v2.")
        kind = 0 if ".convolution." in name else 1
        last = name.rpartition(".")[2]
        if name.startswith("conv_stem.first_conv."):
            return f"{('conv_stem', 'bn1')[kind]}.{last}"
        if name.startswith("conv_1x1."):
            return f"{('conv_head', 'bn2')[kind]}.{last}"
        if name.startswith("classifier."):
            return name
        block, part = re.match(r"(?:layer\.(\d+)|conv_stem)\.(\w+)\.", name).groups()
        stage, row = place["stem" if block is None else block]
        return f"blocks.{stage}.{row}.{(first if block is None else inner)[part][kind]}.{last}"

    return net, {renamed(k): v for k, v in net.state_dict().items()}, f"{'tf_' * tf}mobilenetv2_035.lamb_in1k"


def efficientnet(tf=True):
    transformers = pytest.importorskip("transformers", reason="needs the extra `clip`")
    config = transformers.EfficientNetConfig(
        width_coefficient=0.5, depth_coefficient=1.0, image_size=64, hidden_dim=640, num_labels=len(NAMES),
        batch_norm_eps=1e-3, batch_norm_momentum=0.1, dropout_rate=0.0, drop_connect_rate=0.0,
    )  # fmt: skip
    net = calibrated(shaken(transformers.EfficientNetForImageClassification(config)), X)
    flat = [(stage, row) for stage, depth in enumerate((1, 2, 2, 3, 3, 4, 1)) for row in range(depth)]
    top = {"embeddings.convolution": "conv_stem", "embeddings.batchnorm": "bn1", "encoder.top_conv": "conv_head",
           "encoder.top_bn": "bn2", "classifier": "classifier"}  # fmt: skip
    wide = {"expansion.expand_conv": "conv_pw", "expansion.expand_bn": "bn1", "squeeze_excite.reduce": "se.conv_reduce",
            "squeeze_excite.expand": "se.conv_expand", "depthwise_conv.depthwise_conv": "conv_dw",
            "depthwise_conv.depthwise_norm": "bn2", "projection.project_conv": "conv_pwl",
            "projection.project_bn": "bn3"}  # fmt: skip
    first = wide | {"depthwise_conv.depthwise_norm": "bn1", "projection.project_conv": "conv_pw",
                    "projection.project_bn": "bn2"}  # fmt: skip

    def renamed(name):
        stem, _, last = name.removeprefix("efficientnet.").rpartition(".")
        if stem in top:
            return f"{top[stem]}.{last}"
        number, part = re.match(r"encoder\.blocks\.(\d+)\.(.+)", stem).groups()
        stage, row = flat[int(number)]
        return f"blocks.{stage}.{row}.{(wide if stage else first)[part]}.{last}"

    return net, {renamed(k): v for k, v in net.state_dict().items()}, "tf_efficientnet_b0.ns_jft_in1k"


@torch.no_grad()
@pytest.mark.parametrize("made", [lambda: mobilenet_v2(False), lambda: mobilenet_v2(True), efficientnet],
                         ids=["mobilenet-v2", "tf-mobilenet-v2", "tf-efficientnet"])  # fmt: skip
def test_logits_are_those_of_the_reference(made, tmp_path):
    reference, state, architecture = made()
    net = build(convert(written(tmp_path, state, architecture), tmp_path / "out.safetensors"), "network")
    wanted = reference(pixel_values=X).logits
    torch.testing.assert_close(net(X), wanted, atol=1e-4, rtol=1e-4)
    assert float(wanted.std(0).min()) > 0.05


V3 = {  # stage -> rows (kind, inner, out, size, stride, squeeze, relu); as v3 small but narrower
    0: [("ds", 8, 8, 3, 2, 4, True)],
    1: [("ir", 16, 12, 3, 2, 0, True), ("ir", 20, 12, 3, 1, 0, True)],
    2: [("ir", 24, 16, 5, 2, 8, False), ("ir", 32, 16, 5, 1, 8, False)],
    3: [("ir", 32, 20, 5, 1, 8, False)],
    4: [("ir", 40, 24, 5, 2, 16, False), ("ir", 48, 24, 5, 1, 16, False)],
    5: [("cn", 60, 60, 1, 1, 0, False)],
}


def v3_state(seed=0):
    """Name -> tensor of a MobileNet v3 in timm's layout."""
    rng, out = torch.Generator().manual_seed(seed), {}

    def conv(name, *shape, bias=False):
        out[f"{name}.weight"] = torch.randn(shape, generator=rng) * (2 / torch.Size(shape[1:]).numel()) ** 0.5
        if bias:
            out[f"{name}.bias"] = 0.3 * torch.randn(shape[0], generator=rng)

    def norm(name, width):
        out.update({f"{name}.{k}": 0.3 * torch.randn(width, generator=rng) for k in ("bias", "running_mean")})
        out.update({f"{name}.{k}": 0.8 + 0.4 * torch.rand(width, generator=rng) for k in ("weight", "running_var")})
        out[f"{name}.num_batches_tracked"] = torch.tensor(5)

    conv("conv_stem", 8, 3, 3, 3)
    norm("bn1", 8)
    cin = 8
    for stage, rows in V3.items():
        for k, (kind, inner, cout, size, _, squeeze, _) in enumerate(rows):
            stem = f"blocks.{stage}.{k}"
            if kind == "cn":
                conv(f"{stem}.conv", cout, cin, 1, 1)
                norm(f"{stem}.bn1", cout)
            else:
                names = ("conv_dw", "conv_pw") if kind == "ds" else ("conv_pw", "conv_dw", "conv_pwl")
                sizes = {"conv_dw": (inner, 1, size, size), "conv_pwl": (cout, inner, 1, 1)}
                sizes["conv_pw"] = (cout, inner, 1, 1) if kind == "ds" else (inner, cin, 1, 1)
                for i, name in enumerate(names):
                    conv(f"{stem}.{name}", *sizes[name])
                    norm(f"{stem}.bn{i + 1}", sizes[name][0])
                if squeeze:
                    conv(f"{stem}.se.conv_reduce", squeeze, inner, 1, 1, bias=True)
                    conv(f"{stem}.se.conv_expand", inner, squeeze, 1, 1, bias=True)
            cin = cout
    conv("conv_head", 32, cin, 1, 1, bias=True)
    conv("classifier", len(NAMES), 32, bias=True)
    return out


def v3_reference(w, x):
    """The equations of the papers in plain functions."""

    def norm(name, x):
        return F.batch_norm(x, *(w[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")))

    def conv(name, x, stride=1, groups=1):
        k = w[f"{name}.weight"]
        return F.conv2d(x, k, w.get(f"{name}.bias"), stride, k.shape[-1] // 2, groups=groups)

    def swish(x):
        return x * F.relu6(x + 3) / 6

    x = swish(norm("bn1", conv("conv_stem", x, 2)))
    for stage, rows in V3.items():
        for k, (kind, inner, _, _, stride, squeeze, relu) in enumerate(rows):
            stem, act = f"blocks.{stage}.{k}", F.relu if relu else swish
            if kind == "cn":
                x = act(norm(f"{stem}.bn1", conv(f"{stem}.conv", x)))
                continue
            h = x if kind == "ds" else act(norm(f"{stem}.bn1", conv(f"{stem}.conv_pw", x)))
            h = act(norm(f"{stem}.bn{1 + (kind == 'ir')}", conv(f"{stem}.conv_dw", h, stride, inner)))
            if squeeze:
                s = F.relu(conv(f"{stem}.se.conv_reduce", h.mean((2, 3), keepdim=True)))
                h = h * F.relu6(conv(f"{stem}.se.conv_expand", s) + 3) / 6
            last = "conv_pw" if kind == "ds" else "conv_pwl"
            h = norm(f"{stem}.bn{2 + (kind == 'ir')}", conv(f"{stem}.{last}", h))
            x = x + h if x.shape == h.shape else h
    h = swish(conv("conv_head", x.mean((2, 3), keepdim=True))).flatten(1)
    return F.linear(h, w["classifier.weight"], w["classifier.bias"])


@torch.no_grad()
def test_mobilenet_v3_is_what_the_equations_say(tmp_path):
    state = v3_state()
    net = build(convert(written(tmp_path, state, "mobilenetv3_small_100"), tmp_path / "out.safetensors"), "network")
    wanted = v3_reference(state, X)
    torch.testing.assert_close(net(X), wanted, atol=1e-4, rtol=1e-4)
    assert float(wanted.std(0).min()) > 0.05


@torch.no_grad()
def test_it_judges_with_its_own_preparation_and_names(tmp_path):
    told = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3], "input_size": [3, 64, 64], "crop_pct": 1.0,
            "interpolation": "bilinear"}  # fmt: skip
    folder = written(tmp_path, v3_state(), "mobilenetv3_small_075", pretrained_cfg=told)
    check_judge(str(folder))
    judge = make_judge(str(folder / "model.safetensors"))
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    mean, std = (torch.tensor(told[key])[:, None, None] for key in ("mean", "std"))
    wanted = v3_reference(v3_state(), (images - mean) / std).softmax(1)
    prepared = judge.prepare(Prompt((Phrase("a photo of a ship"),)))
    verdict = judge.verdict(images, prepared)
    torch.testing.assert_close(verdict.score, wanted[:, NAMES.index("ship")], atol=1e-4, rtol=0)
    assert verdict.label == tuple(NAMES[k] for k in wanted.argmax(1))


@pytest.mark.parametrize(
    ("architecture", "said"),
    [(None, "config.json"), ("mobilenetv3_large_100", "6 stages"), ("tf_mobilenetv3_small_minimal_100", "architecture"),
     ("efficientnetv2_s", "architecture"), (7, "config.json")],
)  # fmt: skip
def test_an_architecture_that_is_not_known_is_asked_for(architecture, said, tmp_path):
    with pytest.raises(WeightsRefused, match=said):
        read_checkpoint(written(tmp_path, v3_state(), architecture))


CHANGES = {
    "blocks.1.0.bn2.weight": None,
    "blocks.2.1.se.conv_reduce.weight": torch.zeros(9, 32, 1, 1),
    "blocks.3.0.conv_dw.weight": torch.zeros(32, 1, 5, 3),
    "blocks.4.0.conv_pwl.weight": torch.full((24, 40, 1, 1), torch.nan),
    "conv_head.bias": None,
    "blocks.0.0.more.weight": torch.zeros(2),
    "blocks.99.0.conv_dw.weight": torch.zeros(2, 1, 3, 3),
}


@pytest.mark.parametrize("name", CHANGES)
def test_damage_is_refused(name, tmp_path):
    state = {k: v for k, v in (v3_state() | {name: CHANGES[name]}).items() if v is not None}
    with pytest.raises(WeightsRefused):
        convert(written(tmp_path, state, "mobilenetv3_small_100"), tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()

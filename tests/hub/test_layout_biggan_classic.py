"""BigGAN under the names of BigGAN-PyTorch and StudioGAN: drawn as the equations say, refused where it does not fit."""

import json

import pytest
import torch
import torch.nn.functional as F

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.hub.convert import convert, read_checkpoint
from zeuxis.rng import stream

CLASSES, SHARED, PIECE, FIRST, WIDTHS = 5, 6, 4, 32, (32, 16, 16)
KINDS = ("ajbrock", "ajbrock-plain", "ajbrock-unshared", "ajbrock-synchronised", "studiogan", "studiogan-plain")


def shapes(kind):
    """Name -> shape, written down from the two programs; attention follows the second block."""
    studio, found = kind.startswith("studiogan"), {}
    normed = kind not in ("studiogan-plain",)
    unshared, hierarchical = kind == "ajbrock-unshared", kind in ("ajbrock", "studiogan", "studiogan-plain")
    condition = CLASSES if unshared else SHARED + PIECE * hierarchical
    piece = PIECE if hierarchical else 3 * PIECE

    def layer(name, *shape, bias=True, plain=False):
        if plain or not normed:
            found[f"{name}.weight"] = shape
        elif studio:
            inner = torch.Size(shape[1:]).numel()
            found.update({f"{name}.weight_orig": shape, f"{name}.weight_u": shape[:1], f"{name}.weight_v": (inner,)})
        else:
            found.update({f"{name}.weight": shape, f"{name}.u0": (1, shape[0]), f"{name}.sv0": (1,)})
        if bias:
            found[f"{name}.bias"] = shape[:1]

    def statistics(name, width, affine=False):
        inner = {"ajbrock-synchronised": ".bn.running_", "studiogan": ".bn.running_"}.get(kind, ".stored_")
        inner = ".running_" if studio and affine else ".bn.running_" if studio else inner
        found.update({f"{name}{inner}mean": (width,), f"{name}{inner}var": (width,)})
        if affine:
            found.update({f"{name}.{'weight' if studio else 'gain'}": (width,), f"{name}.bias": (width,)})

    if not unshared:
        found["shared.weight"] = (CLASSES, SHARED)
    layer("linear0" if studio else "linear", 4 * 4 * FIRST, piece)
    cin, row = FIRST, 0
    for i, cout in enumerate(WIDTHS):
        stem = f"blocks.{row}.0"
        for name, width in (("bn1", cin), ("bn2", cout)):
            statistics(f"{stem}.{name}", width)
            for part in ("gain", "bias"):
                shape = (CLASSES, width) if unshared else (width, condition)
                layer(f"{stem}.{name}.{part}", *shape, bias=False, plain=unshared)
        names = ("conv2d1", "conv2d2", "conv2d0") if studio else ("conv1", "conv2", "conv_sc")
        for name, shape in zip(names, ((cout, cin, 3, 3), (cout, cout, 3, 3), (cout, cin, 1, 1)), strict=True):
            layer(f"{stem}.{name}", *shape)
        if i == 1:
            row += studio
            stem = f"blocks.{row}.0" if studio else f"blocks.{row}.1"
            names = [f"conv1x1_{n}" for n in ("theta", "phi", "g", "attn")] if studio else ["theta", "phi", "g", "o"]
            sizes = ((cout // 8, cout), (cout // 8, cout), (cout // 2, cout), (cout, cout // 2))
            for name, shape in zip(names, sizes, strict=True):
                layer(f"{stem}.{name}", *shape, 1, 1, bias=False)
            found[f"{stem}.{'sigma' if studio else 'gamma'}"] = (1,) if studio else ()
        cin, row = cout, row + 1
    statistics("bn4" if studio else "output_layer.0", cin, affine=True)
    layer("conv2d5" if studio else "output_layer.2", 3, cin, 3, 3)
    return found


def state(kind, seed=0):
    rng = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, shape in shapes(kind).items():
        value = torch.randn(shape, generator=rng)
        if name.endswith(("var", "sv0")):
            value = 0.5 + value.abs()
        elif name.endswith((".gain", "bn4.weight")):
            value = 1 + 0.3 * value
        elif name.endswith((".weight_u", ".weight_v", ".u0")):
            value = F.normalize(value.flatten(), dim=0).reshape(shape)
        drawn[name] = value
    for name in [name for name in drawn if name.endswith("weight_orig")]:
        stem = name.removesuffix("weight_orig")  # u and v as training leaves them
        left, _, right = torch.linalg.svd(drawn[name].flatten(1), full_matrices=False)
        drawn |= {f"{stem}weight_u": left[:, 0].clone(), f"{stem}weight_v": right[0].clone()}
    return drawn


def reference(kind, w, z, y):
    """The generator in plain functions on the file's own tensors: z (N, D), y (N,) class numbers."""
    studio, eps = kind.startswith("studiogan"), 1e-4 if kind.startswith("studiogan") else 1e-5

    def weight(name):
        if f"{name}.weight_orig" in w:
            full = w[f"{name}.weight_orig"]
            return full / (w[f"{name}.weight_u"] @ full.flatten(1) @ w[f"{name}.weight_v"])
        full = w[f"{name}.weight"]
        if f"{name}.u0" not in w:
            return full
        v = F.normalize(w[f"{name}.u0"] @ full.flatten(1))
        u = F.normalize(v @ full.flatten(1).T)
        return full / (v @ full.flatten(1).T @ u.T).squeeze()

    def layer(name, x):
        full = weight(name)
        if full.ndim == 2:
            return F.linear(x, full, w.get(f"{name}.bias"))
        return F.conv2d(x, full, w.get(f"{name}.bias"), padding=full.shape[-1] // 2)

    def standard(name, x):
        mean, var = (next(w[f"{name}{k}{s}"] for k in (".bn.running_", ".running_", ".stored_") if f"{name}{k}{s}" in w)
                     for s in ("mean", "var"))  # fmt: skip
        return (x - mean[:, None, None]) / (var[:, None, None] + eps).sqrt()

    def norm(name, x, c):
        if kind == "ajbrock-unshared":
            gain, bias = (F.embedding(y, w[f"{name}.{part}.weight"]) for part in ("gain", "bias"))
        else:
            gain, bias = (F.linear(c, weight(f"{name}.{part}")) for part in ("gain", "bias"))
        return standard(name, x) * (1 + gain)[:, :, None, None] + bias[:, :, None, None]

    def attention(stem, x):
        names = [f"conv1x1_{n}" for n in ("theta", "phi", "g", "attn")] if studio else ["theta", "phi", "g", "o"]
        q, k, v = (layer(f"{stem}.{name}", x) for name in names[:3])
        k, v = F.max_pool2d(k, 2).flatten(2), F.max_pool2d(v, 2).flatten(2)
        beta = torch.softmax(q.flatten(2).transpose(1, 2) @ k, dim=-1)
        o = layer(f"{stem}.{names[3]}", (v @ beta.transpose(1, 2)).view(len(x), -1, *x.shape[2:]))
        return x + w[f"{stem}.{'sigma' if studio else 'gamma'}"] * o

    shared = None if kind == "ajbrock-unshared" else F.embedding(y, w["shared.weight"])
    pieces = z.split(PIECE, 1) if kind in ("ajbrock", "studiogan", "studiogan-plain") else [z]
    cs = [torch.cat([shared, piece], 1) for piece in pieces[1:]] or [shared] * 3
    x = layer("linear0" if studio else "linear", pieces[0]).view(len(z), FIRST, 4, 4)
    names = ("conv2d1", "conv2d2", "conv2d0") if studio else ("conv1", "conv2", "conv_sc")
    row = 0
    for i in range(3):
        stem = f"blocks.{row}.0"
        h = F.interpolate(F.relu(norm(f"{stem}.bn1", x, cs[i])), scale_factor=2)
        h = layer(f"{stem}.{names[1]}", F.relu(norm(f"{stem}.bn2", layer(f"{stem}.{names[0]}", h), cs[i])))
        x = h + layer(f"{stem}.{names[2]}", F.interpolate(x, scale_factor=2))
        if i == 1:
            row += studio
            x = attention(f"blocks.{row}.0" if studio else f"blocks.{row}.1", x)
        row += 1
    last = "bn4" if studio else "output_layer.0"
    gain, bias = w.get(f"{last}.gain", w.get(f"{last}.weight")), w[f"{last}.bias"]
    x = F.relu(standard(last, x) * gain[:, None, None] + bias[:, None, None])
    return torch.tanh(layer("conv2d5" if studio else "output_layer.2", x))


def saved(folder, kind, content=None):
    path = folder / "G_ema.pth"
    tensors = state(kind) if content is None else content
    counters = {"bn4.num_batches_tracked": torch.tensor(3)} if kind.startswith("studiogan") else {}
    wrapped = {"state_dict": tensors | counters, "optimizer": {"state": {}}, "step": 9, "run_name": "x"}
    torch.save(wrapped if kind.startswith("studiogan") else tensors, path)
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_it_draws_what_the_equations_say(kind, tmp_path):
    path = saved(tmp_path, kind)
    check_generator(str(path))
    generator = make_generator(str(path), space="mix")
    assert generator.resolution == 32 and generator.labels == tuple("01234") and generator.truncation == 1
    part = read_checkpoint(path).parts["generator"].facts
    assert part["hierarchical"] == (kind in ("ajbrock", "studiogan", "studiogan-plain")) and part["attention"] == [1]
    z = torch.randn(4, part["z_dim"], generator=stream(0))
    x = torch.cat([z, torch.eye(CLASSES)[[0, 2, 3, 4]]], dim=1)
    images = generator.render(x)
    wanted = (reference(kind, state(kind), z, torch.tensor([0, 2, 3, 4])) + 1) / 2
    torch.testing.assert_close(images, wanted, atol=2e-5, rtol=0)
    assert (images[1:] - images[:1]).abs().amax(dim=(1, 2, 3)).min() > 0.05
    generator.set_precision(torch.bfloat16)
    assert (generator.render(x) - images).abs().mean() < 0.05


@torch.no_grad()
def test_classes_are_mixed_chosen_and_named(tmp_path):
    path = saved(tmp_path, "studiogan")
    (tmp_path / "config.json").write_text(
        json.dumps({"id2label": dict(enumerate(["ape", "bee", "cow", "doe", "elk"]))})
    )
    generator = make_generator(str(path), classes=("cow", "bee"))
    x = generator.space.sample(3, stream(1))
    assert generator.labels[2] == "cow" and generator.kept == [1, 2]
    assert generator.describe(x[0]) in ("100 % cow", "100 % bee")
    assert generator.render(x).shape == (3, 3, 32, 32)
    with pytest.raises(BadInput, match="truncation"):
        make_generator(str(path), truncation=0.0)


def test_what_leaves_no_trace_in_the_tensors_is_told_by_a_configuration(tmp_path):
    path = saved(tmp_path, "ajbrock")
    assert read_checkpoint(path).parts["generator"].facts["eps"] == 1e-5
    (tmp_path / "config.json").write_text(json.dumps({"eps": 1e-3}))
    assert read_checkpoint(path).parts["generator"].facts["eps"] == 1e-3
    for told in ({"eps": "small"}, {"activation": "elu"}):
        (tmp_path / "config.json").write_text(json.dumps(told))
        with pytest.raises(WeightsRefused, match=next(iter(told))):
            read_checkpoint(path)


CHANGES = {
    "blocks.1.0.bn2.gain.weight": None,
    "blocks.0.0.conv2.weight": torch.zeros(32, 31, 3, 3),
    "blocks.2.0.conv_sc.bias": torch.full((16,), torch.nan),
    "linear.weight": torch.zeros(500, 4),
    "output_layer.2.u0": torch.zeros(1, 7),
    "blocks.9.0.conv1.weight": torch.zeros(3, 3, 3, 3),
    "blocks.0.0.conv3.weight": torch.zeros(3, 3, 3, 3),
    "blocks.0.0.conv4.weight": torch.zeros(3, 3, 3, 3),
    "linear.u1": torch.zeros(1, 512),
    "linear.weight_orig": "text",
    "info.weight": torch.zeros(2),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_does_not_fit_is_refused_by_name(name, tmp_path):
    tensors = state("ajbrock") | {name: CHANGES[name]}
    path = saved(tmp_path, "ajbrock", {k: v for k, v in tensors.items() if v is not None})
    with pytest.raises(WeightsRefused):
        convert(path, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()

"""Networks of GANs written down plainly from their papers, for lab_published.py: layers of torch, NCHW, float32.

Each function takes the options of a recipe's networks (`g`, `d`, resolution, channels, classes, mixing) and gives its
generator and discriminator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

Options = SimpleNamespace
Layers = list[nn.Module]
Pair = tuple[nn.Module, nn.Module]


class Net(nn.Module):
    """Parts by name, layers or weights, and how an output is computed of them."""

    def __init__(self, way: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.way = way
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        return self.way(self, *inputs)


def layer(function: Callable[[Tensor], Tensor]) -> nn.Module:
    return Net(lambda _, x: function(x))


def conv(cin: int, cout: int, size: int = 3, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, size, stride, (size - 1) // 2, bias=bias)


def lrelu() -> nn.Module:
    return nn.LeakyReLU(0.2)


def double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def half(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2)


def planes(x: Tensor) -> Tensor:
    return x[:, :, None, None]


def weights(*shape: int, std: float = 0.0) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * std)


def one_hot(y: Tensor, classes: Sequence[int]) -> Tensor:
    return torch.cat([F.one_hot(y[:, k], count) for k, count in enumerate(classes)], 1).float()


def table(classes: Sequence[int], width: int) -> nn.Sequential:
    return nn.Sequential(layer(lambda y: one_hot(y, classes)), nn.Linear(sum(classes), width, bias=False))


def told(layers: Layers, classes: Sequence[int] = ()) -> nn.Module:
    """Labels as one-hot vectors behind z; without classes none."""
    body = nn.Sequential(*layers)
    return Net(lambda m, x, y: m.body(torch.cat([x, one_hot(y, classes)], 1) if classes else x), body=body)


def projected(layers: Layers, embed: nn.Module, real: nn.Module | None = None, scale: float = 1.0) -> nn.Module:
    """Miyato and Koyama 2018, "cGANs with projection discriminator", arXiv 1802.05637."""

    def way(m: Any, x: Tensor, y: Tensor) -> Tensor:
        h = m.body(x)
        found = (m.embed(y) * h).sum(1) * scale
        return found if m.real is None else found + m.real(h)[:, 0]

    return Net(way, body=nn.Sequential(*layers), embed=embed, real=real)


def normalised(net: nn.Module) -> nn.Module:
    """Miyato et al. 2018, "Spectral normalization for generative adversarial networks", arXiv 1802.05957."""
    for module in [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]:
        spectral_norm(module)
    return net


def maxout(cin: int, cout: int, pieces: int) -> nn.Module:
    """Goodfellow et al. 2013, "Maxout networks", arXiv 1302.4389."""
    largest = layer(lambda x: x.max(2).values)
    return nn.Sequential(nn.Linear(cin, cout * pieces), nn.Unflatten(1, (cout, pieces)), largest)


def mlp_gan(o: Options) -> Pair:
    """Goodfellow et al. 2014, "Generative adversarial nets", arXiv 1406.2661."""
    up, down = [o.g.z_dim, *o.g.widths], [o.channels * o.resolution**2, *o.d.widths]
    g = [m for a, b in pairwise(up) for m in (nn.Linear(a, b), nn.ReLU())]
    g += [nn.Linear(up[-1], down[0]), nn.Tanh(), nn.Unflatten(1, (o.channels, o.resolution, -1))]
    d = [m for a, b in pairwise(down) for m in (maxout(a, b, o.d.pieces), nn.Dropout(o.d.dropout))]
    return told(g), told([nn.Flatten(), *d, nn.Linear(down[-1], 1)])


def cgan_mlp(o: Options) -> Pair:
    """Mirza and Osindero 2014, "Conditional generative adversarial nets", arXiv 1411.1784, section 4.1."""
    (a, b, c), (p, q, r), (i, j, k) = o.g.widths, o.d.widths, o.d.pieces
    pixels, count, drop = o.channels * o.resolution**2, sum(o.classes), nn.Dropout(0.5)  # in both, ours in D

    def joint(of_x: nn.Module, of_y: nn.Module, *both: nn.Module) -> nn.Module:
        def way(m: Any, x: Tensor, y: Tensor) -> Tensor:
            return m.both(torch.cat([m.of_x(x.flatten(1)), m.of_y(one_hot(y, o.classes))], 1))

        return Net(way, of_x=of_x, of_y=of_y, both=nn.Sequential(drop, *both))

    shaped = nn.Unflatten(1, (o.channels, o.resolution, -1))
    both = [nn.ReLU(), nn.Linear(a + b, c), nn.ReLU(), drop, nn.Linear(c, pixels), nn.Tanh(), shaped]
    g = joint(nn.Linear(o.g.z_dim, a), nn.Linear(count, b), *both)
    return g, joint(maxout(pixels, p, i), maxout(count, q, j), maxout(p + q, r, k), drop, nn.Linear(r, 1))


def dcgan_up(o: Options, labels: int = 0) -> Layers:
    """Radford, Metz and Chintala 2016, arXiv 1511.06434: the generator."""
    width = o.g.width * o.resolution // 8
    first = nn.ConvTranspose2d(o.g.z_dim + labels, width, 4, bias=False)
    layers: Layers = [layer(planes), first, nn.BatchNorm2d(width), nn.ReLU()]
    while width > o.g.width:
        width //= 2
        layers += [nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return [*layers, nn.ConvTranspose2d(width, o.channels, 4, 2, 1), nn.Tanh()]


def dcgan(o: Options) -> Pair:
    """Radford et al. 2016, "Unsupervised representation learning with deep convolutional GANs", arXiv 1511.06434."""
    width, d = o.d.width, [conv(o.channels, o.d.width, 4, 2), lrelu()]
    while width < o.d.width * o.resolution // 8:
        width *= 2
        d += [conv(width // 2, width, 4, 2, bias=False), nn.BatchNorm2d(width), lrelu()]
    return told(dcgan_up(o)), told([*d, nn.Conv2d(width, 1, 4)])


def acgan(o: Options) -> Pair:
    """Odena et al. 2017, "Conditional image synthesis with auxiliary classifier GANs", arXiv 1610.09585, appendix."""
    cin, cout, body = o.channels, o.d.width, Layers()
    for stride in (2, 1, 2, 1, 2, 1):
        norm = [nn.BatchNorm2d(cout)] if body else []
        body += [conv(cin, cout, 3, stride, not norm), *norm, lrelu(), nn.Dropout(o.d.dropout)]
        cin, cout = cout, 2 * cout
    heads = nn.ModuleList(nn.Linear(cin * (o.resolution // 8) ** 2, count) for count in (1, sum(o.classes)))

    def way(m: Any, x: Tensor, y: Tensor) -> list[Tensor]:
        h = m.body(x).flatten(1)
        return [head(h) for head in m.heads]

    # 110 numbers into G as in the paper, ours has a table of 32 for the label
    return told(dcgan_up(o, sum(o.classes)), o.classes), Net(way, body=nn.Sequential(*body), heads=heads)


def residual(cin: int, width: int, change: str = "", norm: bool = False, first: bool = False) -> nn.Module:
    """A block of WGAN-GP, arXiv 1704.00028, appendix F. The skip comes before the pooling but in the first block."""

    def way(m: Any, x: Tensor) -> Tensor:
        h = x if first else F.relu(m.norm1(x))
        h = m.conv1(double(h) if change == "up" else h)
        h = m.conv2(F.relu(m.norm2(h)))
        if not change:
            return x + h
        if change == "up":
            return m.skip(double(x)) + h
        return (m.skip(half(x)) if first else half(m.skip(x))) + half(h)

    one, two = (nn.BatchNorm2d(c) if norm else nn.Identity() for c in (cin, width))
    skip = conv(cin, width, 1) if change else None
    return Net(way, norm1=one, conv1=conv(cin, width), norm2=two, conv2=conv(width, width), skip=skip)


def wgan_gp(o: Options, sums: bool = False) -> Pair:
    """Gulrajani et al. 2017, "Improved training of Wasserstein GANs", arXiv 1704.00028, appendix F."""
    up, down, steps = o.g.width, o.d.width, int(math.log2(o.resolution)) - 2  # no labels, ours has some
    g = [nn.Linear(o.g.z_dim, 16 * up), nn.Unflatten(1, (up, 4, 4))]
    g += [residual(up, up, "up", norm=True) for _ in range(steps)]
    g += [nn.BatchNorm2d(up), nn.ReLU(), conv(up, o.channels), nn.Tanh()]
    d = [residual(down if k else o.channels, down, "down", first=not k) for k in range(steps - 1)]
    d += [residual(down, down), residual(down, down), nn.ReLU(), nn.AvgPool2d(8, divisor_override=1 if sums else None)]
    return told(g), told([*d, nn.Flatten(), nn.Linear(down, 1)])


def sngan(o: Options) -> Pair:
    """Miyato et al. 2018, "Spectral normalization for GANs", arXiv 1802.05957, table 4."""
    g, d = wgan_gp(o, sums=True)
    return g, normalised(d)


def began(o: Options) -> Pair:
    """Berthelot, Schumm and Metz 2017, "BEGAN", arXiv 1703.10717, figure 1."""
    steps, n = int(math.log2(o.resolution)) - 3, o.d.width

    def twice(a: int, b: int) -> Layers:
        return [conv(a, b), nn.ELU(), conv(b, b), nn.ELU()]

    def decoder(cin: int, w: int) -> Layers:
        ups = [m for _ in range(steps) for m in (layer(double), *twice(w, w))]
        return [nn.Linear(cin, 64 * w), nn.Unflatten(1, (w, 8, 8)), *twice(w, w), *ups, conv(w, o.channels)]

    body: Layers = [conv(o.channels, n), nn.ELU(), *twice(n, n)]
    for a, b in pairwise(range(n, (steps + 2) * n, n)):
        body += [conv(a, b, 3, 2), nn.ELU(), *twice(b, b)]
    body += [nn.Flatten(), nn.Linear((steps + 1) * n * 64, o.d.code), *decoder(o.d.code, n)]
    d = Net(lambda m, x, y: -(x - m.body(x)).abs().mean((1, 2, 3)), body=nn.Sequential(*body))  # minus Eq. 1
    return told(decoder(o.g.z_dim, o.g.width)), d


class Scaled(nn.Module):
    """Equalised learning rate, linear or convolution: Karras et al. 2018, arXiv 1710.10196, section 4.1."""

    def __init__(self, *shape: int, gain: float = 2**0.5, rate: float = 1.0, bias: float | None = 0.0, stride: int = 1):
        super().__init__()
        self.weight, self.scale = weights(*shape, std=1 / rate), gain * rate / math.sqrt(math.prod(shape[1:]))
        self.bias = None if bias is None else nn.Parameter(torch.full(shape[:1], bias))
        self.rate, self.how = rate, {"stride": stride, "padding": shape[-1] // 2 if stride == 1 else 0}

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight * self.scale, None if self.bias is None else self.bias * self.rate
        return F.linear(x, weight, bias) if weight.ndim == 2 else F.conv2d(x, weight, bias, **self.how)


def rms(x: Tensor) -> Tensor:
    """Pixel norm, arXiv 1710.10196, section 4.2."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def fir(x: Tensor, taps: Sequence[float], pad: tuple[int, int], up: int = 1, down: int = 1) -> Tensor:
    """Zeros between pixels, a filter for each channel, every `down`-th pixel."""
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, up * h, up * w)
    f = torch.tensor(taps) * up / sum(taps)
    return F.conv2d(F.pad(x, (*pad, *pad)), torch.outer(f, f).repeat(c, 1, 1, 1), stride=down, groups=c)


def widths(of: Options, resolution: int) -> list[int]:
    return [min(of.channel_base // 2**k, of.channel_max) for k in range(2, int(math.log2(resolution)) + 1)]


def tail(c: int, group: int) -> Layers:
    """From 4x4 pixels to c numbers in ProGAN and both StyleGANs; minibatch deviation: arXiv 1710.10196, section 3."""

    def deviation(x: Tensor) -> Tensor:
        y = x.view(group, -1, *x.shape[1:])
        y = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean((1, 2, 3))  # (N / group,)
        return torch.cat([x, planes(y.repeat(group)[:, None]).expand(-1, 1, *x.shape[2:])], 1)

    return [layer(deviation), Scaled(c, c + 1, 3, 3), lrelu(), nn.Flatten(), Scaled(c, 16 * c), lrelu()]


def progan(o: Options) -> Pair:
    """Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and variation", 1710.10196."""
    ups, downs = widths(o.g, o.resolution), widths(o.d, o.resolution)
    g: Layers = [layer(rms), Scaled(16 * ups[0], o.g.z_dim, gain=math.sqrt(2) / 4), nn.Unflatten(1, (ups[0], 4, 4))]
    g += [lrelu(), layer(rms), Scaled(ups[0], ups[0], 3, 3), lrelu(), layer(rms)]
    for a, b in pairwise(ups):
        g += [layer(double), Scaled(b, a, 3, 3), lrelu(), layer(rms), Scaled(b, b, 3, 3), lrelu(), layer(rms)]
    d: Layers = [Scaled(downs[-1], o.channels, 1, 1), lrelu()]
    for b, a in pairwise(downs[::-1]):
        d += [Scaled(b, b, 3, 3), lrelu(), Scaled(a, b, 3, 3), lrelu(), nn.AvgPool2d(2)]
    d += [*tail(downs[0], o.d.group), Scaled(1, downs[0], gain=1.0)]
    return told([*g, Scaled(o.channels, ups[-1], 1, 1, gain=1.0)]), told(d)


def mapping(z_dim: int, embed_dim: int, w_dim: int, depth: int, classes: Sequence[int]) -> nn.Module:
    """z -> w, arXiv 1812.04948, section 2; labels as in StyleGAN2-ADA, Karras et al. 2020, arXiv 2006.06676."""

    def way(m: Any, *inputs: Tensor) -> Tensor:  # z and labels, or labels
        return m.body(torch.cat([rms(x) for x in (*inputs[:-1], m.embed(one_hot(inputs[-1], classes)))], 1))

    sizes = [z_dim + embed_dim, *[w_dim] * depth]
    body = nn.Sequential(*(m for a, b in pairwise(sizes) for m in (Scaled(b, a, rate=0.01), lrelu())))
    return Net(way, embed=Scaled(embed_dim, sum(classes), gain=1.0), body=body, w_avg=nn.Buffer(torch.zeros(w_dim)))


def styles(m: Any, z: Tensor, y: Tensor, count: int, mixing: float) -> list[Tensor]:
    """A style for each layer, with the mean style and mixing regularisation of arXiv 1812.04948, section 3.1."""
    w = m(z, y)
    m.w_avg.lerp_(w.detach().mean(0), 0.005)
    cut = int(torch.randint(1, count, ())) if torch.rand(()) < mixing else count
    return [w] * cut + ([m(torch.randn_like(z), y)] * (count - cut) if mixing else [])


def adain(cin: int, cout: int, w_dim: int, up: bool = False) -> nn.Module:
    """A layer of StyleGAN, arXiv 1812.04948, figure 1: convolution, noise, bias, leaky ReLU, style (Eq. 1)."""

    def way(m: Any, x: Tensor, w: Tensor) -> Tensor:
        x = fir(m.conv(double(x)), (1, 2, 1), (1, 1)) if up else m.conv(x)
        x = F.leaky_relu(x + m.noise * torch.randn(len(x), 1, *x.shape[2:]) + m.bias, 0.2)
        scale, shift = planes(m.style(w)).chunk(2, 1)
        return F.instance_norm(x) * (scale + 1) + shift

    kernel = Scaled(cout, cin, 3, 3, bias=None) if cin else nn.Identity()
    style = Scaled(2 * cout, w_dim, gain=1.0)
    return Net(way, conv=kernel, noise=weights(cout, 1, 1), bias=weights(cout, 1, 1), style=style)


def stylegan(o: Options) -> Pair:
    """Karras, Laine and Aila 2019, "A style-based generator architecture for GANs", arXiv 1812.04948."""
    of, ups, downs = o.g, widths(o.g, o.resolution), widths(o.d, o.resolution)
    places = [(a, b, k > 0) for k, (c, b) in enumerate(pairwise([0, *ups])) for a in (c, b)]
    layers = [adain(a, b, of.w_dim, up=later and k % 2 == 0) for k, (a, b, later) in enumerate(places)]

    def way(m: Any, z: Tensor, y: Tensor) -> Tensor:
        x = m.const.expand(len(z), -1, -1, -1)
        for block, w in zip(m.layers, styles(m.mapping, z, y, len(m.layers), o.mixing), strict=True):
            x = block(x, w)
        return m.colours(x)

    mapped = mapping(of.z_dim, of.w_dim, of.w_dim, of.mapping_layers, o.classes)
    const, colours = weights(ups[0], 4, 4, std=1.0), Scaled(o.channels, ups[-1], 1, 1, gain=1.0)
    g = Net(way, mapping=mapped, const=const, layers=nn.ModuleList(layers), colours=colours)
    d: Layers = [Scaled(downs[-1], o.channels, 1, 1), lrelu()]
    for b, a in pairwise(downs[::-1]):  # bilinear, table 1, B: filtered, convolved, then the mean; ours strides
        blur = layer(lambda x: fir(x, (1, 2, 1), (1, 1)))
        d += [Scaled(b, b, 3, 3), lrelu(), blur, Scaled(a, b, 3, 3), nn.AvgPool2d(2), lrelu()]
    c = downs[0]
    d += [*tail(c, o.d.group), Scaled(c, c, gain=1.0)]
    return g, projected(d, mapping(0, c, c, o.d.mapping_layers, o.classes), scale=c**-0.5)


def modulated(cin: int, cout: int, size: int, w_dim: int, up: bool = False, colours: bool = False) -> nn.Module:
    """Karras et al. 2020, arXiv 1912.04958, Eqs. 1 and 3: weights for each picture, one convolution in N groups."""

    def way(m: Any, x: Tensor, style: Tensor) -> Tensor:
        n, c, h, w = x.shape
        weight = m.weight / math.sqrt(c * size**2) * m.affine(style)[:, None, :, None, None]  # (N, out, in, k, k)
        if not colours:
            weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, n * c, h, w)
        if up:
            x = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=n)
            x = 4 * fir(x.view(n, cout, *x.shape[2:]), (1, 3, 3, 1), (1, 1))
        else:
            x = F.conv2d(x, weight.flatten(0, 1), padding=size // 2, groups=n).view(n, cout, h, w)
        if colours:
            return x + m.bias
        return F.leaky_relu(x + m.noise * torch.randn(n, 1, *x.shape[2:]) + m.bias, 0.2) * math.sqrt(2)

    parts = {} if colours else {"noise": weights(1)}
    weight, affine = weights(cout, cin, size, size, std=1.0), Scaled(cin, w_dim, gain=1.0, bias=1.0)
    return Net(way, weight=weight, affine=affine, bias=weights(cout, 1, 1), **parts)


def stylegan2(o: Options) -> Pair:
    """Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", arXiv 1912.04958, section 4.1."""
    of, c, taps = o.g, o.g.widths, (1, 3, 3, 1)  # ours: no noise, convolves before it doubles, means of 2x2 pixels

    def way(m: Any, z: Tensor, y: Tensor) -> Tensor:
        ws = styles(m.mapping, z, y, 2 * len(c) - 1, o.mixing)
        x = m.first(m.const.expand(len(z), -1, -1, -1), ws[0])
        image = m.colours[0](x, ws[0])
        for up, same, colours, w, w_same in zip(m.ups, m.same, m.colours[1:], ws[1::2], ws[2::2], strict=True):
            x = same(up(x, w), w_same)
            image = fir(image, taps, (2, 1), up=2) + colours(x, w_same)
        return image

    ups = nn.ModuleList(modulated(a, b, 3, of.w_dim, up=True) for a, b in pairwise(c))
    same = nn.ModuleList(modulated(b, b, 3, of.w_dim) for b in c[1:])
    colours = nn.ModuleList(modulated(b, o.channels, 1, of.w_dim, colours=True) for b in c)
    parts = {"mapping": mapping(of.z_dim, of.embed_dim, of.w_dim, of.mapping_layers, o.classes)}
    parts |= {"first": modulated(c[0], c[0], 3, of.w_dim), "ups": ups, "same": same, "colours": colours}

    def down(a: int, b: int) -> nn.Module:
        blur, once = layer(lambda x: fir(x, taps, (2, 2))), layer(lambda x: fir(x, taps, (1, 1), down=2))
        body = nn.Sequential(Scaled(a, a, 3, 3), lrelu(), blur, Scaled(b, a, 3, 3, stride=2), lrelu())
        skip = nn.Sequential(once, Scaled(b, a, 1, 1, gain=1.0, bias=None))
        return Net(lambda m, x: (m.skip(x) + m.body(x)) * 0.5**0.5, body=body, skip=skip)

    g, c = Net(way, const=weights(c[0], 4, 4, std=1.0), **parts), o.d.widths
    d = [Scaled(c[-1], o.channels, 1, 1), lrelu(), *(down(b, a) for b, a in pairwise(c[::-1])), *tail(c[0], o.d.group)]
    return g, projected(d, table(o.classes, c[0]), Scaled(1, c[0], gain=1.0), c[0] ** -0.5)


def r3gan(o: Options) -> Pair:
    """Huang et al. 2024, "The GAN is dead; long live the GAN! A modern baseline GAN", arXiv 2501.05441."""

    def flat(cin: int, cout: int) -> nn.Module:
        return nn.Identity() if cin == cout else conv(cin, cout, 1, bias=False)

    def block(c: int, of: Options) -> nn.Module:
        n, groups = c * of.expansion, c * of.expansion // of.group_width
        biased = [Net(lambda m, x: F.leaky_relu(x + m.bias, 0.2), bias=weights(n, 1, 1)) for _ in range(2)]
        grouped = nn.Conv2d(n, n, 3, 1, 1, groups=groups, bias=False)
        body = nn.Sequential(flat(c, n), biased[0], grouped, biased[1], flat(n, c))
        return Net(lambda m, x: x + m.body(x), body=body)

    def stage(c: int, of: Options) -> Layers:
        return [block(c, of) for _ in range(of.blocks)]

    def way(m: Any, z: Tensor, y: Tensor) -> Tensor:
        return m.body(m.basis * planes(m.linear(torch.cat([z, m.embed(y)], 1))))

    up, down = layer(lambda x: fir(x, (1, 2, 1), (1, 1), up=2)), layer(lambda x: fir(x, (1, 2, 1), (1, 1), down=2))
    c, last = o.g.widths, o.d.widths[0]
    g = [*stage(c[0], o.g), *(m for a, b in pairwise(c) for m in (flat(a, b), up, *stage(b, o.g)))]
    parts = {"linear": nn.Linear(o.g.z_dim + o.g.embed_dim, c[0], bias=False), "basis": weights(c[0], 4, 4, std=1.0)}
    parts |= {"embed": table(o.classes, o.g.embed_dim), "body": nn.Sequential(*g, flat(c[-1], o.channels))}
    c = o.d.widths[::-1]
    d = [flat(o.channels, c[0]), *stage(c[0], o.d)]
    d += [m for a, b in pairwise(c) for m in (down, flat(a, b), *stage(b, o.d))]
    d += [nn.Conv2d(last, last, 4, groups=last, bias=False), nn.Flatten(), nn.Linear(last, o.d.embed_dim, bias=False)]
    return Net(way, **parts), projected(d, table(o.classes, o.d.embed_dim))


def attention(width: int) -> nn.Module:
    """Zhang et al. 2019, "Self-attention generative adversarial networks", arXiv 1805.08318, section 3."""

    def way(m: Any, x: Tensor, *_: Tensor) -> Tensor:
        key, value = (F.max_pool2d(net(x), 2).flatten(2) for net in (m.key, m.value))  # (N, C', HW / 4)
        shares = (m.query(x).flatten(2).transpose(1, 2) @ key).softmax(2)  # (N, HW, HW / 4)
        return x + m.gamma * m.out((value @ shares.transpose(1, 2)).unflatten(2, x.shape[2:]))

    sizes = {"query": (width, width // 8), "key": (width, width // 8)}
    sizes |= {"value": (width, width // 2), "out": (width // 2, width)}
    return Net(way, gamma=weights(1), **{name: conv(*size, 1, bias=False) for name, size in sizes.items()})


def biggan(o: Options) -> Pair:
    """Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis", 1809.11096: deep."""
    wide, condition, stages = 4 * o.g.width, o.g.z_dim + o.g.embed_dim, int(math.log2(o.resolution)) - 2

    def norm(width: int) -> nn.Module:
        def way(m: Any, x: Tensor, c: Tensor) -> Tensor:
            return m.norm(x) * (1 + planes(m.gain(c))) + planes(m.bias(c))

        gain, bias = (nn.Linear(condition, width, bias=False) for _ in range(2))
        return Net(way, norm=nn.BatchNorm2d(width, affine=False), gain=gain, bias=bias)

    def block(width: int, change: Callable[[Tensor], Tensor], at: int, normed: bool) -> nn.Module:
        """Four convolutions, figure 16; pixels doubled before the second or halved before the last."""

        def way(m: Any, x: Tensor, *c: Tensor) -> Tensor:
            h = x
            for k, (same, net) in enumerate(zip(m.norms, m.convs, strict=True)):
                h = F.relu(same(h, *c) if normed else h)
                h = net(change(h) if k == at else h)
            return h + change(x)

        sizes = [width, *[width // 4] * 3, width]
        convs = [conv(a, b, size) for (a, b), size in zip(pairwise(sizes), (1, 3, 3, 1), strict=True)]
        norms = [norm(size) if normed else nn.Identity() for size in sizes[:4]]
        return Net(way, norms=nn.ModuleList(norms), convs=nn.ModuleList(convs))

    def way(m: Any, z: Tensor, y: Tensor) -> Tensor:
        c = torch.cat([z, m.embed(y)], 1)
        x = m.body["first"](c).unflatten(1, (wide, 4, 4))
        for part in m.body["blocks"]:
            x = part(x, c)
        return m.body["last"](x)

    ups = [block(wide, double if k % 2 else layer(lambda x: x), 1, True) for k in range(2 * stages)]
    ups.insert(2 * stages - 2, attention(wide))  # at half the size
    last = nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU(), conv(wide, o.channels), nn.Tanh())
    body = nn.ModuleDict({"first": nn.Linear(condition, 16 * wide), "blocks": nn.ModuleList(ups), "last": last})
    g, wide_d = Net(way, embed=table(o.classes, o.g.embed_dim), body=normalised(body)), 4 * o.d.width
    d = [block(wide_d, layer(lambda x: x) if k % 2 else half, 3, False) for k in range(2 * stages)]
    d = [conv(o.channels, wide_d), *d[:2], attention(wide_d), *d[2:], layer(lambda x: F.relu(x).sum((2, 3)))]
    return g, normalised(projected(d, table(o.classes, wide_d), nn.Linear(wide_d, 1)))


def cyclegan(o: Options) -> Pair:
    """Zhu et al. 2017, "Unpaired image-to-image translation using cycle-consistent GANs", arXiv 1703.10593."""

    def unit(net: nn.Module, act: nn.Module) -> Layers:
        return [net, nn.InstanceNorm2d(net.out_channels), act]

    def generator(c: int) -> nn.Module:
        body = [nn.ReflectionPad2d(3), *unit(nn.Conv2d(o.channels, c, 7), nn.ReLU())]
        body += [m for w in (c, 2 * c) for m in unit(conv(w, 2 * w, 3, 2), nn.ReLU())]
        for _ in range(o.g.blocks):
            one, two = ([nn.ReflectionPad2d(1), *unit(nn.Conv2d(4 * c, 4 * c, 3), nn.ReLU())] for _ in range(2))
            body.append(Net(lambda m, x: x + m.body(x), body=nn.Sequential(*one, *two[:-1])))
        for w in (2 * c, c):
            body += unit(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, output_padding=1), nn.ReLU())
        return nn.Sequential(*body, nn.ReflectionPad2d(3), nn.Conv2d(c, o.channels, 7), nn.Tanh())

    def patches(c: int, count: int) -> nn.Module:
        body = [conv(o.channels, c, 4, 2), lrelu()]
        for k in range(1, count + 1):
            body += unit(conv(c * 2 ** (k - 1), c * 2**k, 4, 2 if k < count else 1), lrelu())
        return nn.Sequential(*body, conv(c * 2**count, 1, 4))

    g = nn.ModuleList(generator(o.g.width) for _ in range(2))
    return g, nn.ModuleList(patches(o.d.width, o.d.layers) for _ in range(2))

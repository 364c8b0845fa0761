"""StyleGAN, StyleGAN2, StyleGAN3 and StyleGAN-XL from a converted file: pictures from Z, W or W+, squares or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.generators.base import as_judged, as_rgb, check_colours
from zeuxis.generators.biggan import allowed, class_names
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.model_file import Model, build, read_model
from zeuxis.nets.layers import Precisions, bounded, placed
from zeuxis.nets.stylegan_layers import Noise, truncate
from zeuxis.rng import stream
from zeuxis.spaces import Normal, Product, Space, SparseMix, Whitened, check, parts

SPACES = ("z", "w", "w+")
STYLES = 10_000  # mapped samples that W's axes are taken from, as in StyleGAN2's projector
MOST_GENES = 2**16  # a saved picture holds no more
GROUPS = {
    "coarse": (0, 8),
    "middle": (16, 32),
    "fine": (64, 2**30),
}  # pixels of the layers, Karras et al. 2019, section 3.1


class StyleGAN:
    """Latent = z (with a class where the network is conditional), or whitened styles.

    space              "z"; "w": one style; "w+": one per layer
    truncation         psi: how far from the mean style, 1 is as trained, lower: higher fidelity, lower diversity
    truncation_cutoff  truncate only this many first layers
    classes, ban       names or numbers of the only classes to breed from, and of those never to
    noise              StyleGAN2: the noise of layers up to so many pixels is bred as well (details such as strands of
                       hair); 0: the stored noise for every picture
    """

    name = "stylegan"

    def __init__(
        self,
        path: Path,
        device: torch.device | None = None,
        *,
        truncation: float = 0.7,
        truncation_cutoff: int | None = None,
        space: str = "z",
        classes: Sequence[str] = (),
        ban: Sequence[str] = (),
        noise: int = 0,
    ) -> None:
        if space not in SPACES:
            raise BadInput(f"Expected space {', '.join(SPACES)} for a StyleGAN, got {space!r}.")
        self.device = device or torch.device("cpu")
        self.path, self.sha256 = path, file_sha256(path)
        self.model = read_model(path)
        check_colours(self.model)
        net: Any = build(path, "generator")
        self.resolution, self.num_ws = net.img_resolution, net.num_ws
        self.truncation, self.cutoff, self.kind = truncation, truncation_cutoff, space
        self.labels = class_names(net.c_dim)
        self.check_classes(self.model, classes, ban)
        self.kept = allowed(self.labels, classes, ban) if net.c_dim else []
        self._nets = Precisions(placed(net, self.device))
        self._judges: Precisions | None = None
        self.dtype = torch.float32
        self._style_space = self._make_space(net)
        self._noise = self._noise_shapes(net, noise)
        genes = sum(map(math.prod, self._noise.values()))
        self.space = Product(*parts(self._style_space), Normal(genes)) if genes else self._style_space

    @staticmethod
    def check_classes(model: Model, classes: Sequence[str], ban: Sequence[str]) -> None:
        """BadInput or UnknownName for classes that the network does not have."""
        count = model.parts["generator"].get("c_dim", 0)
        if count:
            allowed(class_names(count), classes, ban)
        elif classes or ban:
            raise BadInput("This generator was trained without classes: leave --class and --ban out.")

    @property
    def img_size(self) -> tuple[int, int]:
        """Rows and columns of a picture."""
        size: tuple[int, int] = getattr(self.net, "img_size", (self.resolution, self.resolution))
        return size

    @property
    def net(self) -> Any:
        """The network in float32."""
        return self._nets[torch.float32]

    def _make_space(self, net: Any) -> Space:
        classes = SparseMix(tuple(self.labels[k] for k in self.kept), most=1) if net.c_dim else None
        if self.kind == "z":
            z = Normal(net.z_dim)
            return Product(z, classes) if classes else z
        seen = []
        for number, part in enumerate(torch.arange(STYLES).chunk(10)):
            rng = stream(0, "styles", number)
            drawn = torch.randn(len(part), net.z_dim, generator=rng).to(self.device)
            chosen = classes.sample(len(part), rng) if classes else None
            with torch.no_grad():
                seen.append(net.map(drawn, self._one_hot(chosen)).cpu())
        return Whitened(torch.cat(seen), 1 if self.kind == "w" else net.num_ws)

    def _noise_shapes(self, net: Any, most: int) -> dict[tuple[int, bool], tuple[int, int]]:
        """Which layers' noise is bred. BadInput where there is none, or more than a saved picture holds."""
        if not bounded("noise of a StyleGAN", most, 0, 2048):
            return {}
        shapes: dict[tuple[int, bool], tuple[int, int]] = net.noise_shapes(most) if hasattr(net, "noise_shapes") else {}
        genes = sum(map(math.prod, shapes.values()))
        if not genes or genes + self._style_space.dim > MOST_GENES:
            what = "no noise" if not genes else f"{genes:,} numbers of noise, more than a picture holds,"
            raise BadInput(f"This generator has {what} up to {most} pixels: leave noise out, or ask for 4 to 64.")
        return shapes

    def set_precision(self, dtype: torch.dtype) -> None:
        """Draw in `dtype`; mapping, styles and the picture stay float32."""
        self.dtype = dtype

    def styles(self, x: Tensor) -> Tensor:
        """`(N, D)` -> truncated styles `(N, num_ws, w_dim)`."""
        x, net = check(self.space, x).to(self.device)[:, : self._style_space.dim], self.net
        if self.kind != "z":
            ws = self._style_space.decode(x)  # (N, 1 or num_ws, E)
            ws = ws.expand(-1, self.num_ws, -1)
            centre = net.w_avg if net.w_avg.ndim == 1 else net.w_avg[self.kept].mean(dim=0)
            return truncate(ws, centre, self.truncation, self.cutoff)
        z, genes = self._style_space.decode(x) if isinstance(self._style_space, Product) else (x, None)
        c = self._one_hot(genes)
        w = net.map(z, c)
        centre = net.w_avg if net.w_avg.ndim == 1 or c is None else net.w_avg[c.argmax(dim=1)]
        return truncate(w[:, None].expand(-1, self.num_ws, -1), centre, self.truncation, self.cutoff)

    def encode(self, ws: Tensor, what: str = "The styles") -> Tensor:
        """Styles `(K, 1 or num_ws, w_dim)`, as they enter the network, -> latents `(K, D)` whose `styles` they are.

        BadInput for a space that has no styles, for other sizes, and for truncation 0. Styles further from the mean
        than any of the space are brought to its edge.
        """
        net, space = self.net, self._style_space
        if not isinstance(space, Whitened) or self.truncation == 0:
            raise BadInput(f"{what} can be a start in W or W+ only. Give --space w+, and no --truncation 0.")
        if ws.shape[2] != net.w_dim or ws.shape[1] not in (1, self.num_ws):
            raise BadInput(
                f"{what}: expected 1 or {self.num_ws} styles of {net.w_dim} numbers for this generator, got "
                f"{ws.shape[1]} of {ws.shape[2]}. Take those of this network."
            )
        if space.layers == 1 and not torch.allclose(ws, ws[:, :1].expand_as(ws), atol=1e-5):
            raise BadInput(f"{what} has another style for each layer. Give --space w+.")
        ws = ws.to(self.device).expand(-1, self.num_ws, -1)
        centre = net.w_avg if net.w_avg.ndim == 1 else net.w_avg[self.kept].mean(dim=0)
        free = truncate(ws, centre, 1 / self.truncation, self.cutoff)
        genes = space.encode(free[:, : space.layers]).cpu()
        if self._noise:
            stored = torch.cat([net.stored_noise(key).flatten() for key in self._noise]).cpu()
            genes = torch.cat([genes, stored.expand(len(genes), -1)], dim=1)
        return self.space.clip(genes)

    def draw(self, ws: Tensor, noise: Noise = True) -> Tensor:
        """Styles `(N, num_ws, w_dim)` -> `(N, 3, H, W)` float32 in [0, 1] as RGB; noise is the stored one or given."""
        net: Any = self._nets[self.dtype]
        images: Tensor = net.synthesise(ws.to(self.device), noise)
        return as_rgb(((images.float() + 1) / 2).clamp(0, 1))

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, H, W)` float32 in [0, 1], the larger side `resolution`. BadInput for another width, NaN
        or infinity.
        """
        ws = self.styles(x)
        return self.draw(ws, self._maps(x.to(self.device))) if self._noise else self.draw(ws)

    def _maps(self, x: Tensor) -> dict[tuple[int, bool], Tensor]:
        """The noise in latents `(N, D)`, for each layer `(N, 1, H, W)`."""
        pieces = torch.split(x[:, self._style_space.dim :], [math.prod(shape) for shape in self._noise.values()], dim=1)
        return {key: piece.reshape(-1, 1, *self._noise[key]) for key, piece in zip(self._noise, pieces, strict=True)}

    def layer_sizes(self) -> list[int]:
        """For each of the num_ws styles the pixels of the layer that it steers."""
        if self.model.family == "stylegan3":
            layers = self.model.parts["generator"]["layers"]
            sizes = [layers[0]["out_size"], *(layer["out_size"] for layer in layers)]
            return [min(self.resolution, 2 ** (int(size).bit_length() - 1)) for size in sizes]
        return [4 * 2 ** (i // 2) for i in range(self.num_ws)]

    def realism(self, images: Tensor) -> Tensor:
        """`(N, 3, R, R) -> (N,)`: the discriminator, asked about each image alone, so that neighbours do not matter."""
        if self._judges is None:
            if "discriminator" not in self.model.parts:
                raise BadInput(f"{self.name} came without a discriminator. Set realism to 0.")
            self._judges = Precisions(placed(build(self.path, "discriminator"), self.device))
        judge, facts = self._judges[self.dtype], self.model.parts["discriminator"]
        images, c_dim = as_judged(images, facts.get("img_channels", 3), self.name), facts["c_dim"]
        kept = self.kept or [0]
        c = torch.eye(c_dim, device=self.device)[kept].mean(dim=0, keepdim=True) if c_dim else None
        return torch.cat([judge(image[None].to(self.device) * 2 - 1, c) for image in images]).flatten().float()

    def describe(self, x: Tensor) -> str:
        """The class of one latent `(D,)`, where the network has classes."""
        return self.space.describe(x)

    def _one_hot(self, genes: Tensor | None) -> Tensor | None:
        """Class genes `(N, kept)` -> `(N, c_dim)` with a single 1."""
        if genes is None:
            return None
        number = torch.tensor(self.kept, device=self.device)[genes.to(self.device).argmax(dim=1)]
        return torch.nn.functional.one_hot(number, len(self.labels)).float()

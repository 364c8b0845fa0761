"""One- and few-step diffusion models as generators: pictures from noise and a phrase, from a local diffusers folder.

Rombach et al., "High-resolution image synthesis with latent diffusion models" (2022), https://arxiv.org/abs/2112.10752
(the networks); Sauer et al., "Adversarial diffusion distillation" (2023), https://arxiv.org/abs/2311.17042 (one step);
Karras et al., "Elucidating the design space of diffusion-based generative models" (2022),
https://arxiv.org/abs/2206.00364 (Euler steps without added noise). Components are built from their configurations and
filled strictly; no pipeline of the folder is run, and nothing is downloaded.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput, MissingExtra, WeightsRefused
from zeuxis.hub.beside import of_a_network, read_json
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.convert import read_raw
from zeuxis.hub.tokenizer import check_ids, read_tokenizer, tokenizer_files
from zeuxis.hub.weights import filled, planned
from zeuxis.nets.layers import bounded
from zeuxis.spaces import Normal, check

WEIGHTS = {  # component -> its file, as diffusers and transformers save it
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
SCHEDULER = "scheduler/scheduler_config.json"
LEVELS = ("beta_start", "beta_end", "beta_schedule")  # what every file of noise levels says
MOST_GENES = 2**16  # a saved picture holds no more: 4 x 128 x 128
PASSING = ("position_ids",)  # counters that older versions saved
OLDER = ((r"^text_model\.", ""),)  # names before transformers 5, which published files have


def is_pipeline(path: Path) -> bool:
    """Whether a folder has the parts of a latent diffusion model."""
    try:
        return path.is_dir() and all((path / part / "config.json").is_file() for part in ("unet", "vae"))
    except (OSError, ValueError):  # a name that nothing can have
        return False


def licence_of(path: Path) -> str:
    """What the README of a folder names as its licence; "" without."""
    readme = path / "README.md"
    if not readme.is_file():
        return ""
    with readme.open(encoding="utf-8", errors="replace") as file:
        found = re.search(r"^licen[cs]e(?:_name)?:\s*([\w.+ -]{1,60})$", file.read(4096), re.MULTILINE | re.IGNORECASE)
    return found[1].strip() if found else ""


class Diffusion:
    """Latent = the noise that the first step starts from, standard normal; all steps after it are determined.

    text   the phrase that the picture is drawn for; in a run the words of its prompt. Without guidance, as distilled
           models are meant to be used
    steps  1 to 8 Euler steps
    size   pixels a side; 0 is what the network was trained at
    """

    name = "diffusion"

    def __init__(
        self, path: Path, device: torch.device | None = None, *, text: str = "", steps: int = 1, size: int = 0
    ) -> None:
        diffusers, transformers = _packages()
        if not is_pipeline(path):
            raise BadInput(f"Expected a diffusers folder with unet and vae in it, got {path}. Give its place.")
        self.device, self.path = device or torch.device("cpu"), path
        self.times, self.sigmas, self.predicts = _schedule(path / SCHEDULER, bounded("steps", steps, 1, 8))
        parts = {part: _Part(path, part) for part in WEIGHTS}
        unet = parts["unet"].plan(diffusers.UNet2DConditionModel)
        vae = parts["vae"].plan(diffusers.AutoencoderKL)
        words = parts["text_encoder"].plan(transformers.CLIPTextModel, transformers.CLIPTextConfig)
        if unet.config.addition_embed_type is not None:
            raise WeightsRefused(path / "unet/config.json", "takes more than one phrase (SDXL), which is not read")
        self.scale = _scale(vae.config, path / "vae/config.json")
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        own = unet.config.sample_size
        side = bounded("size of a diffusion model", size, 0, 2048) // factor or bounded("sample_size", own, 1, 2**12)
        self.shape = (int(unet.config.in_channels), int(side), int(side))
        if math.prod(self.shape) > MOST_GENES:
            raise BadInput(f"Expected noise of at most {MOST_GENES:,} genes, got {self.shape}. Give a smaller size.")
        self.resolution = self.shape[1] * factor
        self.space = Normal(math.prod(self.shape), bound=6.0)
        self._try(unet, vae, words)
        self.condition = self._read(transformers, parts["text_encoder"], str(text)).to(self.device)  # (1, L, E)
        self.unet, self.vae = (parts[part].filled().to(self.device) for part in ("unet", "vae"))
        self.sha256 = _sha256(path)
        self._copies = {torch.float32: self.unet}
        self.dtype = torch.float32

    @staticmethod
    def check(path: Path) -> None:
        """Missing where a package is not installed; WeightsRefused for a folder without weights."""
        _packages()
        for part in WEIGHTS:
            _Part(path, part)
        _schedule(path / SCHEDULER, 1)
        tokenizer_files(path / "tokenizer")

    def set_precision(self, dtype: torch.dtype) -> None:
        """The denoiser computes in `dtype`; noise, phrase and decoder stay float32."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, R, R)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        z = check(self.space, x).to(self.device, torch.float32).reshape(-1, *self.shape) * self.sigmas[0]
        for time, sigma, after in zip(self.times, self.sigmas, self.sigmas[1:], strict=False):
            z = z + (after - sigma) * self._slope(z, time, sigma)  # Karras et al. 2022, algorithm 1 without churn
        images: Tensor = self.vae.decode(z / self.scale).sample  # nominally in [-1, 1]
        return (images.float() / 2 + 0.5).clamp(0, 1)

    def describe(self, x: Tensor) -> str:
        """Nothing to say: noise has no names."""
        return ""

    def _slope(self, z: Tensor, time: float, sigma: float) -> Tensor:
        """dz / d sigma: the noise that the network sees in z."""
        if self.dtype not in self._copies:
            self._copies[self.dtype] = copy.deepcopy(self.unet)
            for value in self._copies[self.dtype].parameters():  # its own `to` warns of layers that it has not
                value.data = value.data.to(self.dtype)
        scaled = z / math.sqrt(sigma**2 + 1)
        words = self.condition.expand(len(z), -1, -1).to(self.dtype)
        seen = self._copies[self.dtype](scaled.to(self.dtype), time, encoder_hidden_states=words).sample.float()
        if self.predicts == "epsilon":
            return torch.as_tensor(seen)
        clean = (scaled - seen * sigma) / math.sqrt(sigma**2 + 1)  # what a velocity says of it
        noise: Tensor = (z - clean) / sigma
        return noise

    @torch.no_grad()
    def _try(self, unet: Any, vae: Any, words: Any) -> None:
        """A picture without numbers, of networks without memory. WeightsRefused where the parts do not fit together."""
        z, ids = torch.empty(1, *self.shape, device="meta"), torch.empty(1, 2, dtype=torch.long, device="meta")
        try:
            seen = unet(z, self.times[0], encoder_hidden_states=words(ids).last_hidden_state).sample
            images = vae.decode(seen).sample
            if seen.shape != z.shape or images.shape != (1, 3, self.resolution, self.resolution):
                raise ValueError(f"pictures of shape {tuple(images.shape)} from noise of {tuple(z.shape)}")
        except Exception as error:  # forged configurations may fail anywhere
            said = " ".join(str(error).split())[:160] or type(error).__name__
            raise WeightsRefused(self.path, f"holds parts that draw no picture together: {said}") from error

    @torch.no_grad()
    def _read(self, transformers: Any, part: _Part, text: str) -> Tensor:
        tokenizer, net = read_tokenizer(transformers.CLIPTokenizer, self.path / "tokenizer"), part.filled()
        longest = int(net.config.max_position_embeddings)
        tokens = tokenizer(text, max_length=longest, truncation=True, padding="max_length", return_tensors="pt")
        check_ids(tokens["input_ids"], int(net.config.vocab_size), self.path / "tokenizer")
        read = torch.as_tensor(net(tokens["input_ids"]).last_hidden_state)
        if not bool(torch.isfinite(read).all()):
            raise WeightsRefused(part.file, "makes no numbers of a phrase: they are NaN or infinite")
        return read


class _Part:
    """A component of the folder: its configuration, and the tensors that fill what is built from it."""

    def __init__(self, path: Path, part: str) -> None:
        self.file, self.config = path / part / WEIGHTS[part], path / part / "config.json"
        for file in (self.file, self.config):
            if not file.is_file():
                raise WeightsRefused(path, f"has no {part}/{file.name}; only safetensors are read")

    def plan(self, network: Any, settings: Any = None) -> Any:
        """The network without memory. WeightsRefused unless the file fills it."""
        config = of_a_network(read_json(self.config))
        if settings is None:  # of diffusers: what it does not know it names on the screen
            known = inspect.signature(network.__init__).parameters
            config = {name: value for name, value in config.items() if name in known and name != "self"}
            self.make: Callable[[], nn.Module] = lambda: network.from_config(config)
        else:
            self.make = lambda: network(settings(**config))
        plan, self.tensors = planned(self.make, read_raw(self.file).content, self.file, self.config, PASSING, OLDER)
        return plan.eval()

    def filled(self) -> Any:
        """The network with its weights."""
        return filled(self.make, self.tensors, self.config).requires_grad_(False)


def _scale(config: Any, file: Path) -> float:
    """What the decoder's input is divided by. WeightsRefused for none, and for a decoder that shifts it too."""
    scale = config.scaling_factor
    if type(scale) not in (int, float) or not 1e-6 < abs(scale) < 1e6:
        raise WeightsRefused(file, f"scales noise by {scale!r:.40}, expected a number")
    if any(getattr(config, name, None) is not None for name in ("shift_factor", "latents_mean", "latents_std")):
        raise WeightsRefused(file, "shifts its noise, which is not read")
    return float(scale)


def _packages() -> tuple[Any, Any]:
    try:
        import diffusers
        import transformers
    except ImportError as error:
        raise MissingExtra("diffusers", "diffusion", "A diffusion model") from error
    return diffusers, transformers


def _schedule(file: Path, steps: int) -> tuple[list[float], list[float], str]:
    """Times and noise levels of the steps, the last level 0, and what the network predicts.

    sigma = sqrt((1 - a) / a), a the product of all (1 - beta) up to a time; times are spaced from the last one down.
    WeightsRefused for a file of other noise levels, and without one.
    """
    told = read_json(file)
    missing = [name for name in LEVELS if name not in told]
    if missing:
        raise WeightsRefused(file, f"says nothing about {', '.join(missing)}" if told else "is missing")
    if told.get("trained_betas") is not None or told.get("rescale_betas_zero_snr"):
        raise WeightsRefused(file, "describes noise levels that are not read: trained_betas, rescale_betas_zero_snr")
    config: dict[str, Any] = {"num_train_timesteps": 1000, "prediction_type": "epsilon"} | told
    predicts, spaced, count = config["prediction_type"], config["beta_schedule"], config["num_train_timesteps"]
    if predicts not in ("epsilon", "v_prediction"):
        raise WeightsRefused(file, f"predicts {predicts!r:.40}, which is not read")
    first, last = config["beta_start"], config["beta_end"]
    good = all(isinstance(b, float) and 0 < b < 1 for b in (first, last)) and type(count) is int and 8 <= count <= 10**5
    if not good or spaced not in ("linear", "scaled_linear"):
        raise WeightsRefused(file, f"describes no noise levels that are read: {spaced!r:.40} from {first!r:.20}")
    power = 2 if spaced == "scaled_linear" else 1
    betas = torch.linspace(first ** (1 / power), last ** (1 / power), count, dtype=torch.float64) ** power
    kept = (1 - betas).cumprod(dim=0)
    levels = ((1 - kept) / kept).sqrt()
    times = [round(count - k * count / steps) - 1 for k in range(steps)]
    if not all(1e-6 < float(levels[t]) < 1e6 for t in times):
        raise WeightsRefused(file, f"describes noise levels of 0 or without end: {first!r:.20} to {last!r:.20}")
    return [float(t) for t in times], [*(float(levels[t]) for t in times), 0.0], str(predicts)


def _sha256(path: Path) -> str:
    """One hash over every file that is read."""
    files = [path / part / name for part in WEIGHTS for name in ("config.json", WEIGHTS[part])]
    digest = hashlib.sha256()
    for file in (*files, *sorted(tokenizer_files(path / "tokenizer")), path / SCHEDULER):
        digest.update(f"{file.parent.name}/{file.name} {file_sha256(file)}\n".encode())
    return digest.hexdigest()

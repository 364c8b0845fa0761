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
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput, MissingExtra, WeightsRefused
from zeuxis.hub.beside import read_json
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.convert import read_raw
from zeuxis.hub.weights import fill
from zeuxis.nets.layers import bounded
from zeuxis.spaces import Normal, check

WEIGHTS = {  # component -> its file, as diffusers and transformers save it
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
HAVING_A_SAY = (".safetensors", ".json", ".txt")
MOST_GENES = 2**16  # a saved picture holds no more: 4 x 128 x 128
PASSING = ("position_ids",)  # counters that older versions saved


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
        self.sha256 = _sha256(path)
        self.unet = _filled(path, "unet", diffusers.UNet2DConditionModel.from_config).to(self.device)
        self.vae = _filled(path, "vae", diffusers.AutoencoderKL.from_config).to(self.device)
        if self.unet.config.addition_embed_type is not None:
            raise WeightsRefused(path / "unet/config.json", "takes more than one phrase (SDXL), which is not read")
        factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        side = bounded("size of a diffusion model", size, 0, 2048) // factor or self.unet.config.sample_size
        self.shape = (int(self.unet.config.in_channels), int(side), int(side))
        if math.prod(self.shape) > MOST_GENES:
            raise BadInput(f"Expected noise of at most {MOST_GENES:,} genes, got {self.shape}. Give a smaller size.")
        self.resolution = self.shape[1] * factor
        self.space = Normal(math.prod(self.shape), bound=6.0)
        self.times, self.sigmas, self.predicts = _schedule(path, bounded("steps", steps, 1, 8))
        self.condition = self._read(transformers, str(text)).to(self.device)  # (1, L, E)
        self._copies = {torch.float32: self.unet}
        self.dtype = torch.float32

    @staticmethod
    def check(path: Path) -> None:
        """Missing where a package is not installed; WeightsRefused for a folder without weights."""
        _packages()
        for part, file in WEIGHTS.items():
            if not (path / part / file).is_file():
                raise WeightsRefused(path, f"has no {part}/{file}; only safetensors are read")

    def set_precision(self, dtype: torch.dtype) -> None:
        """The denoiser computes in `dtype`; noise, phrase and decoder stay float32."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, R, R)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        z = check(self.space, x).to(self.device, torch.float32).reshape(-1, *self.shape) * self.sigmas[0]
        for time, sigma, after in zip(self.times, self.sigmas, self.sigmas[1:], strict=False):
            z = z + (after - sigma) * self._slope(z, time, sigma)  # Karras et al. 2022, algorithm 1 without churn
        images: Tensor = self.vae.decode(z / self.vae.config.scaling_factor).sample  # nominally in [-1, 1]
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
    def _read(self, transformers: Any, text: str) -> Tensor:
        def make(config: Mapping[str, Any]) -> nn.Module:
            return transformers.CLIPTextModel(transformers.CLIPTextConfig(**config))  # type: ignore[no-any-return]

        net = _filled(self.path, "text_encoder", make)
        try:
            tokenizer = transformers.CLIPTokenizer.from_pretrained(str(self.path / "tokenizer"), local_files_only=True)
        except Exception as error:  # whatever transformers makes of a forged or missing file
            raise WeightsRefused(self.path / "tokenizer", f"is no CLIP tokenizer: {str(error)[:160]}") from error
        longest = int(net.config.max_position_embeddings)
        tokens = tokenizer(text, max_length=longest, truncation=True, padding="max_length", return_tensors="pt")
        return torch.as_tensor(net(tokens["input_ids"]).last_hidden_state)


def _packages() -> tuple[Any, Any]:
    try:
        import diffusers
        import transformers
    except ImportError as error:
        raise MissingExtra("diffusers", "diffusion", "A diffusion model") from error
    return diffusers, transformers


def _schedule(path: Path, steps: int) -> tuple[list[float], list[float], str]:
    """Times and noise levels of the steps, the last level 0, and what the network predicts.

    sigma = sqrt((1 - a) / a), a the product of all (1 - beta) up to a time; times are spaced from the last one down.
    """
    file = path / "scheduler/scheduler_config.json"
    config: dict[str, Any] = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
    config |= {"num_train_timesteps": 1000, "prediction_type": "epsilon"} | read_json(file)
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
    return [float(t) for t in times], [*(float(levels[t]) for t in times), 0.0], str(predicts)


def _filled(path: Path, part: str, make: Callable[[dict[str, Any]], nn.Module]) -> Any:
    """A component, built from its configuration and filled strictly."""
    file = path / part / WEIGHTS[part]
    config = {k: v for k, v in read_json(path / part / "config.json").items() if not k.startswith("_")}
    if not file.is_file():
        raise WeightsRefused(path, f"has no {part}/{WEIGHTS[part]}; only safetensors are read")
    state = {k: v for k, v in read_raw(file).content.items() if not str(k).endswith(PASSING)}
    try:
        net = make(config)
    except Exception as error:  # a forged configuration may fail anywhere
        raise WeightsRefused(path / part / "config.json", f"describes no {part}: {str(error)[:160]}") from error
    return fill(net, state, file).requires_grad_(False)


def _sha256(path: Path) -> str:
    """One hash over every file that has a say."""
    digest = hashlib.sha256()
    for part in (*WEIGHTS, "tokenizer", "scheduler"):
        for file in sorted((path / part).glob("*")):
            if file.is_file() and file.suffix in HAVING_A_SAY:
                digest.update(f"{part}/{file.name} {file_sha256(file)}\n".encode())
    return digest.hexdigest()

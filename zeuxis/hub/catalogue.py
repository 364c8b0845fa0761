"""The catalogue: every published checkpoint that the program can use, where it lies, how large it is, on what terms.

Sizes and hashes are those that public listings state; what none states is None, and the first download records it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zeuxis.registry import unknown

Kind = Literal["generator", "scorer", "judge", "features"]


@dataclass(frozen=True)
class File:
    """One file of a model: its name in the cache, where it lies, bytes and sha256 (`prefix`: only its first digits)."""

    name: str
    url: str
    bytes: int | None = None
    sha256: str | None = None
    prefix: str | None = None


@dataclass(frozen=True)
class Model:
    """A checkpoint. `hub` is its id on the Hugging Face Hub where it is fetched from there, with `revision`."""

    name: str
    kind: Kind
    about: str
    licence: str
    noncommercial: bool = False
    files: tuple[File, ...] = ()
    hub: str | None = None
    revision: str | None = None
    size: int | None = None  # bytes in all, about, for what comes from the Hub
    published: tuple[File, ...] = ()  # of what comes from the Hub: files whose hash is published elsewhere, too

    @property
    def bytes(self) -> int | None:
        """What a pull downloads, as far as it is known."""
        known = [file.bytes for file in self.files]
        return sum(b for b in known if b) if known and None not in known else self.size


NVIDIA = "NVIDIA Source Code License: research and evaluation only, not for commercial use"
DEEPMIND = "weights by DeepMind, published on TF Hub; terms of redistribution are unclear (code: MIT)"
XL = "repository MIT, files derived from NVIDIA's: treat as non-commercial"
MIT, APACHE, BSD = "MIT", "Apache-2.0", "BSD-3-Clause"

_BIGGAN = "https://s3.amazonaws.com/models.huggingface.co/biggan/biggan-deep-{}-"
_ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/"
_TF = "https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/stylegan2-{}-config-f.pkl"
_SG3 = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan3/versions/1/files/stylegan3-{}.pkl"
_XL = "https://s3.eu-central-1.amazonaws.com/avg-projects/stylegan_xl/models/{}.pkl"
_CIFAR = "https://github.com/chenyaofo/pytorch-cifar-models/releases/download/resnet/"
_FID = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"


def _biggan(
    size: int, about_bytes: int, total: int | None, sha256: str | None, config: int, config_sha256: str | None = None
) -> Model:
    base = _BIGGAN.format(size)
    files = (
        File("config.json", f"{base}config.json", config, config_sha256),
        File("pytorch_model.bin", f"{base}pytorch_model.bin", total, sha256),
    )
    about = f"BigGAN-deep, the 1000 classes of ImageNet, {size} px"
    return Model(f"biggan-deep-{size}", "generator", about, DEEPMIND, files=files, size=about_bytes)


def _nvidia(
    name: str, url: str, about: str, total: int | None = None, sha256: str | None = None, licence: str = NVIDIA
) -> Model:
    return Model(name, "generator", about, licence, True, (File("network.pkl", url, total, sha256),))


_TF_ABOUT = {"ffhq": "faces, 1024 px", "car": "cars, 512 px", "church": "churches, 256 px", "cat": "cats, 256 px",
             "horse": "horses, 256 px"}  # fmt: skip
_FFHQ_TF = (381_673_535, "adf127ea7bb8a7788c8bdeda3c9937f7310b669b09ecf799ca53a631ff46948d")
_FFHQ_ADA = (381_624_121, "a205a346e86a9ddaae702e118097d014b7b8bd719491396a162cca438f2f524c")
_METFACES = (None, "880a460d011a3696c088f58f5844b44271b17903963f2671f96f72dfbce5f76f")
_ADA_ABOUT = {"ffhq": "faces, 1024 px", "metfaces": "painted faces, 1024 px", "afhqcat": "cats, 512 px",
              "afhqdog": "dogs, 512 px", "afhqwild": "wild animals, 512 px", "cifar10": "10 classes, 32 px",
              "brecahad": "tissue, 512 px"}  # fmt: skip
_SG3_DATA = ("ffhq-1024x1024", "ffhqu-1024x1024", "ffhqu-256x256", "metfaces-1024x1024", "metfacesu-1024x1024",
             "afhqv2-512x512")  # fmt: skip
_T_FFHQ = "efd9fa1f967a11b5390399a8ed512dc32e341c245fa2d4dafa6d94e96222085b"
_XL_DATA = (*(f"imagenet{r}" for r in (16, 32, 64, 128, 256, 512, 1024)), "cifar10",
            *(f"ffhq{r}" for r in (256, 512, 1024)), *(f"pokemon{r}" for r in (256, 512, 1024)))  # fmt: skip


def _all() -> list[Model]:
    sg3 = [
        _nvidia(
            f"stylegan3-{kind}-{data.partition('x')[0]}",
            _SG3.format(f"{kind}-{data}"),
            f"StyleGAN3-{kind.upper()}, {data}",
            None,
            _T_FFHQ if (kind, data) == ("t", "ffhq-1024x1024") else None,
        )
        for data in _SG3_DATA
        for kind in ("t", "r")
    ]
    tf_known = {"ffhq": _FFHQ_TF}
    ada_known = {"ffhq": _FFHQ_ADA, "metfaces": _METFACES}
    return [
        _biggan(128, 211_000_000, None, "b86146a8cfcde4cda135adba4b2806f78b3abe2dac9d0fd090cc3ab318604ad9", 630),
        _biggan(256, 234_412_452, 234_411_737, "5900ef4065047e3aa0d1b66197b7f2664dceb59b27080e414ad57e203c485bc5", 715,
                "edd106f65ff28ee1638491a978cfa6bc50dfa0344aab70749a7b8eb08bbec677"),
        _biggan(512, 235_800_000, None, None, 800),
        *(
            _nvidia(f"stylegan2-{data}", _TF.format(data), f"StyleGAN2 config F, {about}", *tf_known.get(data, ()))
            for data, about in _TF_ABOUT.items()
        ),
        *(
            _nvidia(f"stylegan2-ada-{data}", f"{_ADA}{data}.pkl", f"StyleGAN2-ADA, {about}", *ada_known.get(data, ()))
            for data, about in _ADA_ABOUT.items()
        ),
        *sg3,
        *(_nvidia(f"stylegan-xl-{data}", _XL.format(data), f"StyleGAN-XL, {data}", licence=XL) for data in _XL_DATA),
        Model("clip-vit-b-32", "scorer", "CLIP ViT-B/32 of OpenAI: the usual guide", MIT,
              hub="openai/clip-vit-base-patch32",
              revision="3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268", size=605_247_071, published=(
              File("pytorch_model.bin", "", 605_247_071,
                   "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f"),)),
        Model("clip-vit-b-16", "scorer", "CLIP ViT-B/16 of OpenAI: finer patches, four times the work", MIT,
              hub="openai/clip-vit-base-patch16"),
        Model("clip-vit-l-14", "scorer", "CLIP ViT-L/14 of OpenAI: the best of the three, eighteen times the work", MIT,
              hub="openai/clip-vit-large-patch14"),
        Model("open-clip-b-32", "scorer", "OpenCLIP ViT-B/32 trained on LAION-2B", MIT,
              hub="laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        Model("open-clip-l-14", "scorer", "OpenCLIP ViT-L/14 trained on LAION-2B", MIT,
              hub="laion/CLIP-ViT-L-14-laion2B-s32B-b82K", size=1_710_000_000),
        Model("open-clip-h-14", "scorer", "OpenCLIP ViT-H/14 trained on LAION-2B", MIT,
              hub="laion/CLIP-ViT-H-14-laion2B-s32B-b79K", size=3_940_000_000),
        Model("siglip-b-16-224", "scorer", "SigLIP: another loss and other data than CLIP, a good judge", APACHE,
              hub="google/siglip-base-patch16-224"),
        Model("siglip2-b-16-224", "scorer", "SigLIP 2: a good judge of what CLIP has guided", APACHE,
              hub="google/siglip2-base-patch16-224"),
        Model("resnet-50", "judge", "ResNet-50, the 1000 classes of ImageNet", APACHE, hub="microsoft/resnet-50",
              size=102_000_000),
        Model("resnet20-cifar10", "judge", "ResNet-20, CIFAR-10, 92.60 %", BSD, files=(
              File("network.pt", f"{_CIFAR}cifar10_resnet20-4118986f.pt", prefix="4118986f"),)),
        Model("resnet56-cifar10", "judge", "ResNet-56, CIFAR-10, 94.37 %", BSD, files=(
              File("network.pt", f"{_CIFAR}cifar10_resnet56-187c023a.pt", prefix="187c023a"),)),
        Model("inception-fid", "features", "Inception-v3 of 2015-12-05, for FID, KID and IS", APACHE, files=(
              File("network.pth", _FID, 95_628_359,
                   "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"),)),
    ]  # fmt: skip


MODELS: dict[str, Model] = {model.name: model for model in _all()}


def find(name: str) -> Model:
    """The model of that name. UnknownName with near names for any other."""
    if name not in MODELS:
        raise unknown("model", name, list(MODELS))
    return MODELS[name]


def size_in_words(size: int | None) -> str:
    """Bytes as people say them."""
    if size is None:
        return "size not known"
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"

"""SigLIP and SigLIP 2 (fixed resolution): Zhai et al., "Sigmoid loss for language image pre-training" (2023),
https://arxiv.org/abs/2303.15343 ; Tschannen et al., "SigLIP 2" (2025), https://arxiv.org/abs/2502.14786
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import MissingExtra, WeightsRefused
from zeuxis.hub.beside import of_a_network
from zeuxis.hub.tokenizer import check_ids, read_tokenizer
from zeuxis.scorers.dual import DualScorer, cut_after
from zeuxis.scorers.folder import filled, folder_sha256, need_transformers, pooled, read_config, read_state
from zeuxis.scorers.preprocess import HALF, Preprocess
from zeuxis.scorers.preprocess_config import of_folder


class SiglipScorer(DualScorer):
    """Pictures go straight to a square unless the folder says else; text is padded to 64 tokens without a mask."""

    name, family, longest = "siglip", "siglip", 64

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        transformers = need_transformers("A SigLIP scorer")
        folder = path if path.is_dir() else path.parent
        config = read_config(folder, "text_config", "vision_config")
        config.pop("model_type", None)
        state, file = read_state(folder)
        try:
            settings = transformers.SiglipConfig(**of_a_network(config))
            size = int(settings.vision_config.image_size)
            self.longest = int(settings.text_config.max_position_embeddings)
            self.words = int(settings.text_config.vocab_size)
        except Exception as error:  # whatever transformers makes of a forged configuration
            raise WeightsRefused(folder / "config.json", f"describes no SigLIP: {str(error)[:160]}") from error
        self.lower = read_config(folder).get("model_type") == "siglip2"  # its tokenizer was trained on lower case
        self.tokenizer = _tokenizer(transformers, folder)
        net = filled(lambda: transformers.SiglipModel(settings), state, file)
        self.sha256, self.folder = folder_sha256(folder, file), folder
        plain = Preprocess(size, HALF, HALF, resize="squash", crop=None)
        super().__init__(net, of_folder(folder, plain), device)

    def image_features(self, net: nn.Module, pixels: Tensor) -> Tensor:
        """`(N, 3, S, S) -> (N, E)`."""
        features: Any = net.get_image_features
        return pooled(features(pixel_values=pixels))

    def read(self, texts: list[str]) -> Tensor:
        """Sentences, cut at 64 tokens -> `(P, E)`."""
        texts = [text.lower() for text in texts] if self.lower else texts
        tokens = self.tokenizer(
            texts, max_length=self.longest, truncation=True, padding="max_length", return_tensors="pt"
        ).to(self.device)
        check_ids(tokens["input_ids"], self.words, self.folder)
        features: Any = self.net.get_text_features
        return pooled(features(input_ids=tokens["input_ids"]))

    def cut_words(self, text: str) -> str:
        """What does not fit into 64 tokens, the last of which is a mark."""
        if len(self.tokenizer(text, verbose=False)["input_ids"]) <= self.longest:
            return ""
        words, ends, place = text.split(), [], 0
        for word in words:
            place = text.index(word, place) + len(word)
            ends.append(place)
        for kept in range(len(words) - 1, 0, -1):
            if len(self.tokenizer(" ".join(words[:kept]), verbose=False)["input_ids"]) <= self.longest:
                return cut_after(text, ends, kept)
        return text


def _tokenizer(transformers: Any, folder: Path) -> Any:
    try:
        if (folder / "tokenizer.json").is_file():
            return read_tokenizer(transformers.PreTrainedTokenizerFast, folder)
        import sentencepiece  # noqa: F401  # transformers' own message does not say how to install it

        return read_tokenizer(transformers.SiglipTokenizer, folder)
    except ImportError as error:
        raise MissingExtra("sentencepiece or protobuf", "clip", "SigLIP's tokenizer") from error

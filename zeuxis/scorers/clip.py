"""CLIP from a transformers folder or an OpenCLIP checkpoint: Radford et al., "Learning transferable visual models from
natural language supervision" (2021), https://arxiv.org/abs/2103.00020
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import WeightsRefused
from zeuxis.hub.beside import of_a_network
from zeuxis.hub.tokenizer import check_ids
from zeuxis.scorers import open_clip
from zeuxis.scorers.clip_tokenizer import clip_tokenizer
from zeuxis.scorers.dual import DualScorer, cut_after
from zeuxis.scorers.folder import filled, folder_sha256, need_transformers, pooled, read_config, read_state
from zeuxis.scorers.preprocess import Preprocess
from zeuxis.scorers.preprocess_config import of_folder


class ClipScorer(DualScorer):
    """Vision transformers only. Its activation is the one its config names: another gives worse embeddings silently."""

    name, family, longest = "clip", "clip", 77
    english = True

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        transformers = need_transformers("A CLIP scorer")
        folder = path if path.is_dir() else path.parent
        alone = path if open_clip.is_file(path) else None  # OpenAI's .pt, or another one beside OpenCLIP's config
        if alone is not None or open_clip.is_checkpoint(folder):
            config, state, file = open_clip.read(folder, alone)
        else:
            config = read_config(folder, "text_config", "vision_config", "projection_dim")
            state, file = read_state(folder)
        try:
            settings = transformers.CLIPConfig(**of_a_network(config))
            size, self.words = int(settings.vision_config.image_size), int(settings.text_config.vocab_size)
            self.longest = int(settings.text_config.max_position_embeddings)
        except Exception as error:  # whatever transformers makes of a forged configuration
            raise WeightsRefused(folder / "config.json", f"describes no CLIP: {str(error)[:160]}") from error
        self.tokenizer = clip_tokenizer(transformers, folder, self.words)
        net = filled(lambda: transformers.CLIPModel(settings), state, file)
        self.sha256, self.folder = folder_sha256(folder, file), folder
        super().__init__(net, of_folder(folder, Preprocess(size)), device)

    def image_features(self, net: nn.Module, pixels: Tensor) -> Tensor:
        """`(N, 3, S, S) -> (N, E)`."""
        features: Any = net.get_image_features
        return pooled(features(pixel_values=pixels))

    def read(self, texts: list[str]) -> Tensor:
        """Sentences, cut at 77 tokens -> `(P, E)`."""
        tokens = self.tokenizer(
            texts, max_length=self.longest, truncation=True, padding="max_length", return_tensors="pt"
        ).to(self.device)
        check_ids(tokens["input_ids"], self.words, self.folder)
        features: Any = self.net.get_text_features
        return pooled(features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]))

    def cut_words(self, text: str) -> str:
        """What does not fit into 77 tokens, the first and the last of which are marks."""
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return cut_after(text, [end for _, end in found["offset_mapping"]], self.longest - 2)

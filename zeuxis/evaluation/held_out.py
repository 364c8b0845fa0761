"""Classifiers that did not guide: what they take bred pictures for, whatever family they are of.

Of a classifier with probabilities the first guess and the first five count; of a judge that only speaks (a plugin, the
toy) the first; a scorer is asked zero-shot, as its nearest of the phrases of all classes (Radford et al. 2021, 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput, UnknownName
from zeuxis.evaluation.class_lists import ClassList, phrase_of
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.hub.model_file import file_sha256
from zeuxis.hub.pocket import first_sha256, pocket_path
from zeuxis.scorers.base import Scorer
from zeuxis.scorers.choose import make_judge, make_scorer
from zeuxis.scorers.dual import SCALE
from zeuxis.scorers.nouns import words_of
from zeuxis.scorers.prompts import parse_prompt

TOP = 5
BATCH = 64


@dataclass(frozen=True)
class Seen:
    """What a classifier takes N pictures of one class for.

    `label` the first guess and `probability` its own, `right` whether that is the class. `top` whether the class is
    among the first five, [] where only the first is known; `groups` group -> whether the first guess belongs to it. All
    are empty, and `known` is False, where the classifier has no word for the class.
    """

    label: list[str]
    probability: list[float]
    right: list[bool]
    top: list[bool] = field(default_factory=list)
    groups: dict[str, list[bool]] = field(default_factory=dict)
    known: bool = True


class HeldOut:
    """A classifier by the name that the user gave, for the classes of a list."""

    def __init__(self, name: str, classes: ClassList, template: str, device: torch.device | None = None) -> None:
        self.name, self.list, self.template = Path(name).name if Path(name).exists() else name, classes, template
        self.judge: Any = _opened(name, device)
        self.sha256: str = self.judge.sha256
        self.zero_shot = hasattr(self.judge, "embed_images")
        self.labels: tuple[str, ...] = tuple(classes.classes) if self.zero_shot else getattr(self.judge, "classes", ())
        self._texts = self._phrases() if self.zero_shot else None

    def see(self, pixels: Tensor, name: str) -> Seen:
        """Pictures uint8 `(N, 3, H, W)` that were bred for the class `name`."""
        images = pixels.float() / 255
        if not self.labels or not (self.zero_shot or hasattr(self.judge, "probabilities")):
            return self._heard(images, name)
        wanted = self.labels_of(name)
        chance = torch.cat([self._probabilities(piece).cpu() for piece in torch.split(images, BATCH)])
        best, first = chance.max(1)
        labels, shares = [self.labels[k] for k in first.tolist()], [round(p, 5) for p in best.tolist()]
        if not wanted:
            return Seen(labels, shares, [False] * len(pixels), known=False)
        leading = chance.topk(min(TOP, chance.shape[1]), dim=1).indices
        groups = {g: torch.isin(first, torch.tensor(self.group(g))).tolist() for g in self.list.classes.get(name, ())}
        right, top = torch.isin(first, torch.tensor(wanted)), torch.isin(leading, torch.tensor(wanted)).any(1)
        return Seen(labels, shares, right.tolist(), top.tolist(), groups)

    def labels_of(self, name: str) -> list[int]:
        """The numbers of its own classes that a class means: of ImageNet five for "cat"; none without a word for it."""
        if self.zero_shot:
            return [self.labels.index(name)] if name in self.labels else []
        asked = self.judge.prepare(parse_prompt((phrase_of(self.template, name),)))
        found = getattr(asked, "labels", (getattr(asked, "label", -1),))
        return [k for k in found if k >= 0]

    def group(self, name: str) -> list[int]:
        """Its own classes in a group: those of the group's members in the list, those that its word means, and those
        that end with it, as "Border terrier" does.
        """
        found = {k for member in self.list.members(name) for k in self.labels_of(member)}
        if not self.zero_shot:
            found |= set(self.labels_of(name)) if name not in self.list.classes else set()
        found |= {k for k, label in enumerate(self.labels) if words_of(label)[-1:] == words_of(name)[-1:]}
        return sorted(found)

    @torch.no_grad()
    def _probabilities(self, images: Tensor) -> Tensor:
        if self._texts is None:
            return self.judge.probabilities(images)  # type: ignore[no-any-return]
        return (SCALE * self.judge.embed_images(images) @ self._texts.T).softmax(1)  # type: ignore[no-any-return]

    def _phrases(self) -> Tensor:
        self.judge.set_precision(torch.float32)
        found: Tensor = self.judge.embed_texts([phrase_of(self.template, name) for name in self.list.classes])
        return torch.nn.functional.normalize(found, dim=1)

    @torch.no_grad()
    def _heard(self, images: Tensor, name: str) -> Seen:
        """Of a judge that says its first guess only: it is right where no class has more than the one asked for."""
        asked = self.judge.prepare(parse_prompt((phrase_of(self.template, name),)))
        found = [self.judge.verdict(piece, asked) for piece in torch.split(images, BATCH)]
        score, sure = torch.cat([v.score for v in found]), torch.cat([v.confidence for v in found])
        labels = [label for v in found for label in v.label]
        known = bool(score.isfinite().any())
        return Seen(labels, [round(p, 5) for p in sure.tolist()], (score >= sure).tolist(), known=known)


def check_not_guiding(classifiers: Sequence[HeldOut], guides: Sequence[Scorer]) -> None:
    """BadInput for a classifier whose weights guide the search, or are among those that a guide uses."""
    for guide in guides:
        for one in classifiers:
            if guides_by(guide, one.sha256):
                raise BadInput(
                    f"The classifier {one.name} guides the search itself ({guide.name}), so it cannot say whether "
                    "others see the same. Leave it out of --classifier, or guide by another --scorer."
                )


def check_apart(space: FeatureSpace, guides: Sequence[Scorer]) -> None:
    """BadInput for features that a guide uses, or that are its own."""
    for guide in guides:
        if guides_by(guide, space.sha256):
            raise BadInput(
                f"The features {space.name} guide the search themselves (by {guide.name}), so they cannot say whether "
                "bred pictures are like real ones. Choose other --features, or guide by another --scorer."
            )


def guides_by(guide: Scorer, sha256: str) -> bool:
    """Whether a scorer's weights are those of this file, or it uses them."""
    return first_sha256(sha256) in {first_sha256(guide.sha256)} | looked_through(guide)


def looked_through(guide: Scorer) -> set[str]:
    """The sha256 of other files that a scorer uses: MobileNet v2 for those over the package's features."""
    from zeuxis.scorers.pocket64 import AlignedScorer

    return {first_sha256(file_sha256(pocket_path("mobilenet_v2")))} if isinstance(guide, AlignedScorer) else set()


def _opened(name: str, device: torch.device | None) -> Any:
    """A judge, or else a scorer; a judge that only asks a scorer is asked as that scorer."""
    make: Callable[..., Any] = make_judge
    try:
        judge = make(name, device)
    except UnknownName:
        try:
            judge = make_scorer(name, device)
        except UnknownName:
            return make(name, device)  # whose error has the names of judges
    return getattr(judge, "scorer", judge)

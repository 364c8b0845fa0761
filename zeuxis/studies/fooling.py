"""Do bred pictures fool classifiers that did not guide? A thesis of 2021 asked this of GA and BigGAN; anyone may here.

For each class of a list, `population` x `repetitions` pictures are bred for a phrase with the class in it and then
classified. As classifiers alone are fooled by blobs, the pictures are compared with real ones too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import torch

from zeuxis.compute.device import choose_device
from zeuxis.errors import BadInput
from zeuxis.evaluation.class_lists import ClassList, phrase_of, read_classes
from zeuxis.evaluation.embedding import embed_set
from zeuxis.evaluation.feature_spaces import FeatureSpace, open_features
from zeuxis.evaluation.held_out import HeldOut, Seen, check_apart, check_not_guiding
from zeuxis.evaluation.picture_sets import PictureSet, Some, open_pictures
from zeuxis.evaluation.realness import Figures, different, realness, together
from zeuxis.evaluation.recognition import Accuracy, accuracy
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config
from zeuxis.scorers.choose import make_scorer
from zeuxis.scorers.combine import parse_weighted
from zeuxis.studies import fooling_answer
from zeuxis.studies.breed import population
from zeuxis.studies.carry import Answer, Study, check_named, check_once, run_of
from zeuxis.studies.folder import Cell, Row, StudyFolder
from zeuxis.studies.questions import Fooling
from zeuxis.studies.rows import FoolingLine

REAL_SEEN = 200  # real pictures of a class that the classifiers are shown
KEPT = 2**28  # bytes of bred pictures that are kept from when they are classified to when they are compared and shown


class FoolingStudy(Study):
    """See the module."""

    line = FoolingLine
    brand = "Zeuxis · do bred pictures fool classifiers?"

    def __init__(self, settings: Fooling) -> None:
        self.settings: Fooling = settings
        self._pixels: dict[Cell, torch.Tensor] = {}

    @cached_property
    def class_list(self) -> ClassList:
        """The classes."""
        return read_classes(self.settings.classes)

    @cached_property
    def device(self) -> torch.device:
        """Where classifiers look."""
        return choose_device(self.settings.device)

    @cached_property
    def classifiers(self) -> list[HeldOut]:
        """Loaded when first asked for."""
        s = self.settings
        return [HeldOut(name, self.class_list, s.template, self.device) for name in s.classifier]

    @cached_property
    def space(self) -> FeatureSpace:
        """The features of bred and real pictures."""
        return open_features(self.settings.features, self.device)

    @cached_property
    def pictures(self) -> PictureSet | None:
        """Real ones: of the test split where there is one."""
        s = self.settings
        if s.real is None:
            return None
        return Some(open_pictures(s.real, None if s.data is None else Path(s.data), "test"), s.real_count)

    def check(self) -> None:
        """Names, places, the template, and that no classifier guides."""
        s, first = self.settings, next(iter(self.class_list.classes))
        check_named(s.generator)
        for search in s.search:
            check_config(s.run(search, phrase_of(s.template, first), s.seed, judge=None))
        names = [Path(name).name for name in s.classifier]
        check_once(names, "--classifier")
        check_once(s.search, "--search")
        assert self.pictures is None or len(self.pictures)
        guides = [make_scorer(parse_weighted(n)[0], self.device) for n in s.scorer]
        check_not_guiding(self.classifiers, guides)
        if s.real is not None:
            check_apart(self.space, guides)

    def cells(self) -> list[Cell]:
        """(search, class, seed)."""
        s = self.settings
        return [
            (search, name, str(seed)) for seed in s.seeds for search in s.search for name in self.class_list.classes
        ]

    def needs(self, row: Row) -> bool:
        """Also where a classifier did not look yet."""
        return super().needs(row) or not {one.name for one in self.classifiers} <= set(row["seen"])

    def run(self, cell: Cell, folder: StudyFolder) -> RunFolder:
        """The finished run of a cell."""
        return run_of(self, folder, cell, phrase_of(self.settings.template, cell[1]), judge=None)

    def pixels(self, cell: Cell, folder: StudyFolder) -> torch.Tensor:
        """The final population of a cell, uint8 `(N, 3, H, W)`: read from its run, unless it was and is kept."""
        known = self._pixels.get(cell)
        return known if known is not None else self._kept(cell, population(self.run(cell, folder))[0])

    def _kept(self, cell: Cell, pixels: torch.Tensor) -> torch.Tensor:
        if sum(of.numel() for of in self._pixels.values()) + pixels.numel() <= KEPT:
            self._pixels[cell] = pixels
        return pixels

    def do(self, cell: Cell, folder: StudyFolder) -> tuple[Row, str]:
        """Breed, and let every classifier look."""
        run = self.run(cell, folder)
        pixels, scores = population(run)
        self._kept(cell, pixels)
        seen = {one.name: one.see(pixels, cell[1]) for one in self.classifiers}
        row = {"scores": scores, "images": run.summary()["images"], "seen": {n: vars(s) for n, s in seen.items()}}
        words = ", ".join(f"{name} {sum(s.right)} of {len(s.right)}" for name, s in seen.items())
        return row, words

    def answer(self, rows: Mapping[Cell, Row], folder: StudyFolder) -> Answer:
        """Tables, figures and grids."""
        seen = {cell: {name: Seen(**one) for name, one in row["seen"].items()} for cell, row in rows.items()}
        return fooling_answer.answer(self, rows, seen, self._realness(rows, folder), self._of_real(), folder)

    def _of_real(self) -> dict[tuple[str, str], Accuracy]:
        """(class, classifier) -> how many real pictures of the class, of at most REAL_SEEN, it takes for the class."""
        if self.pictures is None or self.pictures.labels is None:
            return {}
        numbers = {_plain(name): k for k, name in enumerate(self.pictures.classes)}
        hits: dict[tuple[str, str], list[bool]] = {}
        for name in self.class_list.classes:
            rows = (self.pictures.labels == numbers.get(_plain(name), -1)).nonzero().flatten()[:REAL_SEEN].tolist()
            for piece in _of_one_size(self.pictures, rows):
                for one in self.classifiers:
                    seen = one.see(piece, name)
                    hits.setdefault((name, one.name), []).extend(seen.right if seen.known else [])
        found = {key: accuracy([of]) for key, of in hits.items()}
        return {key: of for key, of in found.items() if of is not None}

    def _realness(self, rows: Mapping[Cell, Row], folder: StudyFolder) -> dict[tuple[str, str], Figures]:
        """(search, class) -> figures beside real pictures; class "" is the mean of the classes."""
        real = None if self.pictures is None else embed_set(self.pictures, self.space)
        numbers = {_plain(name): k for k, name in enumerate(real.classes)} if real is not None else {}
        found: dict[tuple[str, str], Figures] = {}
        for search in self.settings.search:
            for name in self.class_list.classes:
                runs = [self.pixels(c, folder) for c in rows if c[:2] == (search, name)]
                pixels = torch.cat(runs)
                figures: Figures = {"different": different(pixels), "n": len(pixels), "why": "no real pictures given"}
                if real is not None and real.labels is not None and _plain(name) in numbers:
                    own = real.features[real.labels == numbers[_plain(name)]]
                    bred = [torch.cat([self.space.embed(p) for p in torch.split(run, 64)]) for run in runs]
                    figures |= realness(bred, own, self.space)
                elif real is not None:
                    figures["why"] = "no real pictures of this class"
                found[search, name] = figures
            found[search, ""] = together([found[search, name] for name in self.class_list.classes])
        return found


def _of_one_size(pictures: PictureSet, rows: list[int]) -> Iterator[torch.Tensor]:
    """Pictures uint8 `(N, 3, H, W)`; those that cannot be read are left out."""
    by_size: dict[tuple[int, ...], list[torch.Tensor]] = {}
    for row in rows:
        with contextlib.suppress(BadInput):
            picture = pictures.read(row)
            by_size.setdefault(tuple(picture.shape), []).append(picture)
    for of in by_size.values():
        yield from (torch.stack(of[k : k + 64]) for k in range(0, len(of), 64))


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())

"""The questions of `zeuxis evaluate` as settings: what each may be told beside what all are. No torch is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from zeuxis.config import Name, Phrase
from zeuxis.registry import Entry, Table
from zeuxis.studies.settings import Phrases, Settings, Words

STUDIES = Table(
    "evaluation",
    {
        "searches": Entry("zeuxis.studies.searches:SearchesStudy", "Searches at the same images, against a judge."),
        "similarity": Entry("zeuxis.studies.similarity:SimilarityStudy", "Range and plateau of the score."),
        "leakage": Entry("zeuxis.studies.leakage:LeakageStudy", "How far a colour word spreads beyond its object."),
        "generators": Entry("zeuxis.studies.generators:GeneratorsStudy", "The same phrases over several generators."),
        "fooling": Entry("zeuxis.studies.fooling:FoolingStudy", "What other classifiers take bred pictures for."),
    },
)
BASELINES = ("best-of-n", "zero-order")  # what a search has to beat
_SEARCH = "thesis, default, or a line such as 'ga augment=4'; several times"


class Fooling(Settings):
    """Flags of `zeuxis evaluate fooling`."""

    kind = "fooling"
    lists = ("classes",)
    search: Words = Field(
        ("thesis", "default"), min_length=1, description=f"thesis is its GA, 500 generations, plain score; {_SEARCH}"
    )
    classes: Name = Field("cifar10", description="cifar10, thesis-imagenet, or a file: a class a line, | its groups")
    template: Phrase = Field("a photo of a {}", description="the phrase, {} in the place of the class")
    classifier: Words = Field(
        ("pocket", "mobilenet-v1"), min_length=1, description="classifiers that did not guide; several times"
    )
    real: Name | None = Field(None, description="real pictures: a folder with a sub-folder a class, or a data set")
    data: Name | None = Field(None, description="where that data set lies: a file or its folder")
    real_count: int = Field(10_000, ge=100, le=1_000_000, description="real pictures taken, at random")
    features: Name = Field("mobilenet-v1", description="network that bred and real pictures are compared in")


class Searches(Settings):
    """Flags of `zeuxis evaluate searches`."""

    kind = "searches"
    search: Words = Field(
        ("ga-thesis", "de-rand", "de-best", "cma-ga", "sep-cma-es"),
        min_length=1,
        description="a line such as 'ga tournament=4'; several times; best-of-n and zero-order are always there",
    )
    phrase: Phrases = Field(("a photo of a cat", "a red fire truck"), min_length=1, description="several times")
    judge: Name = Field("auto", description="a classifier or scorer that guides nothing; auto: as suits the generator")
    view_every: int = Field(10, ge=1, le=10**6, description="generations between image grids and judge evaluations")
    repetitions: int = Field(50, ge=1, le=10_000, description="runs with seeds of their own")
    generations: int | None = Field(200, ge=1, le=10**6, description="the budget is population x generations images")


class Similarity(Settings):
    """Flags of `zeuxis evaluate similarity`."""

    kind = "similarity"
    search: Words = Field(("cma-ga augment=0",), min_length=1, description=_SEARCH)
    phrase: Phrases = Field(("a photo of a cat", "a red fire truck"), min_length=1, description="several times")
    repetitions: int = Field(1, ge=1, le=10_000, description="runs with seeds of their own")


class Leakage(Settings):
    """Flags of `zeuxis evaluate leakage`."""

    kind = "leakage"
    generator: Name = Field("auto", description="as for `zeuxis generate`; auto: by the phrase")
    search: Words = Field(("default",), min_length=1, description=f"remedies are compared as searches: {_SEARCH}")
    phrase: Phrases = Field(
        ("a yellow car in the city", "a red shoe", "a blue bag"),
        min_length=1,
        description="with one colour word, e.g. red, white or grey; several times",
    )
    population: int = Field(16, ge=1, le=4096, description="pictures of a run")


class Generators(Settings):
    """Flags of `zeuxis evaluate generators`."""

    kind = "generators"
    generator: Words = Field(("pocket", "pocket-products", "pocket-things"), min_length=1, description="several times")  # type: ignore[assignment]
    scorer: Words = Field(("pocket-64",), min_length=1, description="what guides, the same for all; several times")
    search: Name = Field("default", description="thesis, default, or a line such as 'ga augment=4'")
    phrase: Phrases = Field(
        ("a red shoe", "a brown handbag", "a white ship on the sea", "a black cat"),
        min_length=1,
        description="several times",
    )
    judge: Name = Field("mobilenet-v1", description="a classifier or scorer that does not guide")
    repetitions: int = Field(3, ge=1, le=10_000, description="runs with seeds of their own")


QUESTIONS: tuple[type[Settings], ...] = (Fooling, Searches, Similarity, Leakage, Generators)


def settings_of(kind: str, given: Mapping[str, Any]) -> Settings:
    """The settings of a study by its name. UnknownName, or BadInput in one sentence for what is wrong in them."""
    STUDIES.check(kind)
    return next(question for question in QUESTIONS if question.kind == kind).made(given)

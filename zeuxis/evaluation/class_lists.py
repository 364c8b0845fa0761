"""Lists of classes to breed pictures of, and what the thesis of 2021 found for its two.

A file has one class a line, after "|" the groups that it belongs to, if any; "#" begins a comment:

    Kerry blue terrier | terrier, dog
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zeuxis.errors import BadInput
from zeuxis.storage.reading import read_bounded

LARGEST, MOST, LONGEST = 2**20, 1000, 200  # bytes of a file, classes, letters of one
PLACE = "{}"


@dataclass(frozen=True)
class ClassList:
    """`classes` name -> its groups. `thesis` class -> per cent that the thesis's classifier took for it, and
    `thesis_total`; on a generator, guide and classifier of its own, so not to be compared figure by figure.
    """

    name: str
    classes: Mapping[str, tuple[str, ...]]
    thesis: Mapping[str, float] = field(default_factory=dict)
    thesis_total: float | None = None

    def members(self, group: str) -> tuple[str, ...]:
        """The classes of a group."""
        return tuple(name for name, groups in self.classes.items() if group in groups)


_ANIMAL, _VEHICLE = ("animal",), ("vehicle",)
CIFAR10 = ClassList(
    "cifar10",
    {"airplane": _VEHICLE, "automobile": _VEHICLE, "bird": _ANIMAL, "cat": _ANIMAL, "deer": _ANIMAL, "dog": _ANIMAL,
     "frog": _ANIMAL, "horse": _ANIMAL, "ship": _VEHICLE, "truck": _VEHICLE},
    {"airplane": 92.97, "automobile": 17.19, "bird": 2.34, "cat": 34.57, "deer": 0.0, "dog": 49.8, "frog": 7.62,
     "horse": 12.5, "ship": 11.72, "truck": 18.95},
    24.77,
)  # fmt: skip
THESIS_IMAGENET = ClassList(
    "thesis-imagenet",
    {"banana": ("fruit",), "cash machine": (), "hammer": (), "ice cream": (), "llama": (), "miniskirt": (),
     "pirate": (), "shopping cart": (), "wall clock": ("clock",), "Kerry blue terrier": ("terrier", "dog")},
    {"banana": 21.68, "cash machine": 24.22, "hammer": 27.54, "ice cream": 0.59, "llama": 7.03, "miniskirt": 42.97,
     "pirate": 0.98, "shopping cart": 24.41, "wall clock": 28.52, "Kerry blue terrier": 49.41},
    22.73,
)  # fmt: skip
LISTS = {found.name: found for found in (CIFAR10, THESIS_IMAGENET)}


def read_classes(said: str) -> ClassList:
    """A list by its name, or the classes of a file. BadInput for what is neither."""
    if said in LISTS:
        return LISTS[said]
    if not Path(said).is_file():
        raise BadInput(f"Expected {', '.join(LISTS)} or a file with a class a line for --classes, got {said[-80:]!r}.")
    try:
        lines = read_bounded(said, LARGEST, "list of classes").decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"Expected a list of classes in UTF-8, got {said[-80:]!r}: {error.reason}.") from error
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, _, groups = line.partition("#")[0].partition("|")
        if name := " ".join(name.split()):
            found[name] = tuple(g for g in (" ".join(part.split()) for part in groups.split(",")) if g)
    wrong = next((n for n, of in found.items() for n in (n, *of) if len(n) > LONGEST or not n.isprintable()), None)
    if not 1 <= len(found) <= MOST or wrong is not None:
        what = f"the class {wrong[:40]!r}" if wrong is not None else f"{len(found)} classes"
        raise BadInput(
            f"Expected 1 to {MOST} classes of at most {LONGEST} letters, a line each, got {what} in "
            f"{Path(said).name[-60:]!r}."
        )
    return ClassList(Path(said).name, found)


def phrase_of(template: str, name: str) -> str:
    """ "a photo of a {}", "airplane" -> "a photo of an airplane". BadInput for a template without one {}."""
    if template.count(PLACE) != 1:
        raise BadInput(f"Expected a template with {PLACE} once, in the place of the class, got {template[:80]!r}.")
    before, _, after = template.partition(PLACE)
    if name[0].lower() in "aeiou" and before.split()[-1:] == ["a"]:
        before = f"{before.rstrip()}n "
    return f"{before}{name}{after}"

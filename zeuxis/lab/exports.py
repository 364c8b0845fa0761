"""A GAN of the training lab as a model file, and a training that starts from one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from zeuxis.errors import BadInput, MissingModel
from zeuxis.hub.model_file import Part, read_model, tensors_of, write_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.hub.sentences import text_sha256
from zeuxis.nets.layers import fold_spectrum
from zeuxis.rng import stream

if TYPE_CHECKING:
    from zeuxis.lab.adversarial import Adversarial

MOST_ROWS = 2_000  # combinations of labels that a model file keeps as starts
NOT_EXPORTED = ("._u", "._v", "num_batches_tracked")  # of spectral normalisation, of batch norm


@torch.no_grad()
def write_export(task: Adversarial, generator: nn.Module, path: Path) -> Path:
    """Generator and discriminator, their spectral normalisation folded, as one model file."""
    trunk: Any = task.guide.trunk if task.guide else None
    fresh, plain = task.build(None if trunk is None else type(trunk)(trunk.widths))
    plain.load_state_dict(task.discriminator.state_dict())
    fold_spectrum(plain.eval())
    facts = task.facts | {k: v for k, v in task.opt.discriminator.items() if k != "normalised"}
    if trunk is not None:
        facts["trunk_widths"] = list(trunk.widths)
    if "normalised" in inspect.signature(type(plain)).parameters:
        facts["normalised"] = False
    own = task.facts | task.opt.generator
    if "normalised" in inspect.signature(type(generator)).parameters:
        fresh.load_state_dict(generator.state_dict())  # a copy would share its class with the one that is trained
        generator, own = fold_spectrum(fresh.eval()), own | {"normalised": False}
    for net, of in ((generator, own), (plain, facts)):
        if "progress" in inspect.signature(type(net)).parameters:  # one that has not come to its last stage yet
            of["progress"] = task.progress
    parts = {
        "generator": Part(own, generator.state_dict()),
        "discriminator": Part(facts, plain.state_dict()),
    }
    rows, counts = task.watch.combinations
    if len(rows) > MOST_ROWS:  # the captions of a large set, say; a search starts at any of those that are kept
        kept = torch.randperm(len(rows), generator=stream(0, "rows"))[:MOST_ROWS].sort().values
        rows, counts = rows[kept], counts[kept]
    config = task.lab.config
    about: dict[str, Any] = {
        "labels": {name: list(words) for name, words in task.words.items()},
        "rows": rows.tolist(),
        "counts": counts.tolist(),
        "data": task.train.source,
        "trained": {"recipe": config.about, "seed": config.seed, "figures": task.watch.latest},
    }
    if task.opt.texts:
        about["text_sha256"] = text_sha256()
    return write_model(path, f"gan-{task.opt.architecture}", parts, about=about, licence=task.train.licence)


def start_file(name: str, weights: Path | None) -> Path:
    """The model file that a training starts from, the package's without a folder. MissingModel if there is none."""
    path = weights / f"{name}.safetensors" if weights else pocket_path(name)
    if not path.is_file():
        raise MissingModel(f"Expected the model to start from at {path}. Give the folder that holds it as --weights.")
    return path


def start_from(task: Adversarial, path: Path, *nets: nn.Module) -> None:
    """Fill fresh networks (generator, discriminator) from an earlier export of the same architecture and labels.

    Or from a converted file of a published network, where the generator is of its class (`published` is its family);
    a discriminator that is not in it starts anew, as do the parts that a discriminator adds to that of the architecture
    it extends (`extends`: prefixes of their names) and, with the option `transfer`, the tables of the labels where the
    data have others (Wang et al. 2018, "Transferring GANs", arXiv 1805.01677). Optimisers start anew. BadInput for
    another training's export.
    """
    model, published = read_model(path), getattr(nets[0], "published", None)
    extended, added = getattr(nets[1], "extends", (None, ()))
    if model.family not in (f"gan-{task.opt.architecture}", f"gan-{extended}", published):
        other = f" or a converted {published}" if published else ""
        raise BadInput(f"{path} holds a {model.family}, expected gan-{task.opt.architecture}{other} to start from.")
    words = {name: list(words) for name, words in task.words.items()}
    others = model.family != published and model.about.get("labels") != words
    if others and not task.opt.transfer:
        differ = next((f"its {k} {a!r} is {b!r} here" for k, a, b in _differing(model.about.get("labels"), words)), "")
        raise BadInput(
            f"{path} was trained with other labels than those of the data{f': {differ}' if differ else ''}. Start "
            "without it, or set transfer = true: then what it knows of labels is left out."
        )
    for part, net in zip(("generator", "discriminator"), nets, strict=True):
        if model.family == published and part not in model.parts:
            continue
        own = {name: value for name, value in net.state_dict().items() if not name.endswith(NOT_EXPORTED)}
        given = {_normalised_name(name, own): value for name, value in tensors_of(path, part).items()}
        apart = ("trunk.",) if task.guide else ()  # its trunk is the one that --weights names
        if model.family == f"gan-{extended}":
            apart += added
        own, given = (
            {n: v for n, v in d.items() if not (n.startswith(apart) or (others and ".labels." in f".{n}"))}
            for d in (own, given)
        )
        every = own.keys() | given.keys()
        wrong = [n for n in every if not (n in own and n in given and own[n].shape == given[n].shape)]
        if wrong:
            raise BadInput(f"{path} does not fit this recipe's {part}: {min(wrong)} differs. Start without it.")
        net.load_state_dict(given, strict=False)
        _find_spectrum(net)


def _differing(known: Any, words: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """(label, word, other word) at each place where two sets of labels differ; nothing where their sizes do."""
    if isinstance(known, dict) and {k: len(v) for k, v in known.items()} == {k: len(v) for k, v in words.items()}:
        yield from ((k, a, b) for k in words for a, b in zip(known[k], words[k], strict=True) if a != b)


def _normalised_name(name: str, own: dict[str, Tensor]) -> str:
    """Where an exported weight goes: exports have spectral normalisation folded, networks in training have not."""
    stem, _, last = name.rpartition(".")
    inner = f"{stem}.parametrizations.{last}.original"
    return inner if inner in own else name


@torch.no_grad()
def _find_spectrum(net: nn.Module, iterations: int = 30) -> None:
    """Power iterations, one at each look at a weight: the vectors of fresh networks are not those of loaded weights."""
    normalised = [m for m in net.train().modules() if parametrize.is_parametrized(m, "weight")]
    for _ in range(iterations):
        for module in normalised:
            getattr(module, "weight")  # noqa: B009

"""Named configurations: a family of models and a search in one word, e.g. `pocket-ga`. What `--config` takes.

Beside them stand those of Galatolo, Cimino and Vaglini, "Generating images from caption and vice versa via CLIP-guided
generative latent space search" (2021, https://arxiv.org/abs/2102.01645) and of the thesis that followed it, under the
names they have there: MODEL_ga and MODEL_de, and with the discriminator's opinion MODEL_ga_d and MODEL_de_d. MODEL_ga_d
keeps the front between the two (NSGA-II, as theirs); differential evolution knows no front, so MODEL_de_d adds the
discriminator's opinion to the score. Populations and generations are theirs; the searches are ours (`--search
ga-thesis` has theirs), and CLIP is asked as it was trained to be.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, Missing, unreadable
from zeuxis.registry import unknown
from zeuxis.search import MULTI_OBJECTIVE, SEARCHES
from zeuxis.storage.files import atomic_write
from zeuxis.storage.reading import bounded, read_bounded

LARGEST = 2**20  # bytes

FAMILIES: dict[str, dict[str, Any]] = {
    "pocket": {"generator": "pocket", "scorer": ("pocket",), "judge": "pocket"},
    "toy": {"generator": "toy", "scorer": ("toy",), "judge": "toy"},
}

REALISM = 0.1  # what the discriminator may add to a cosine: see zeuxis.scorers.realism
CLIP = {"scorer": ("clip-vit-b-32",), "generations": 500, "view_every": 50, "augment": 0}
STYLEGAN2 = CLIP | {"population": 16, "truncation": 1.0, "space": "z"}
LSUN_AND_FACES = ("ffhq", "car", "church", "cat", "horse")
THESIS: dict[str, dict[str, Any]] = {
    **{f"StyleGAN2_{name}": STYLEGAN2 | {"generator": f"stylegan2-{name}"} for name in LSUN_AND_FACES},
    "DeepMindBigGAN256": CLIP | {"generator": "biggan-deep-256", "population": 64, "truncation": 1.0},
    "DeepMindBigGAN512": CLIP | {"generator": "biggan-deep-512", "population": 32, "truncation": 1.0},
}
# Three programs that turned CLIP's gradient into pictures: Aphantasia (Fourier spectrum), deep-daze (sine network) and
# Big Sleep (BigGAN, latents and classes), each by Adam with cut-outs. CLIP guides where it is here.
GRADIENT = {"search": "adam", "population": 16, "generations": 300, "view_every": 25, "augment": 8}
PROGRAMS: dict[str, dict[str, Any]] = {
    "aphantasia": GRADIENT | {"generator": "fft", "judge": "mobilenet-v1", "options": {"starts": 2, "rate": 0.1}},
    "deep-daze": GRADIENT | {"generator": "siren", "judge": "mobilenet-v1", "options": {"starts": 2, "rate": 0.03}},
    "big-sleep": GRADIENT
    | {"generator": "biggan-deep-512", "space": "mix", "truncation": 1.0, "judge": "mobilenet-v1"}
    | {"options": {"starts": 2, "rate": 0.07}},
}
CLIP_MODEL, WITHOUT_CLIP = "clip-vit-b-32", "pocket-64"
THESIS_SEARCHES = {"ga": "ga", "de": "de"}
WITH_DISCRIMINATOR = {"ga": "nsga2", "de": "de"}
# The first that is here: none of them guided the search.
THESIS_JUDGES = ("siglip2-b-16-224", "siglip-b-16-224", "clip-vit-b-16")


def names() -> list[str]:
    """Every family with every search; `FAMILY-pymoo:NAME` works as well."""
    return [*(f"{family}-{search}" for family in FAMILIES for search in SEARCHES), *PROGRAMS, *_thesis()]


def about() -> dict[str, str]:
    """Name -> one line."""
    searches = SEARCHES.about()
    own = {f"{family}-{search}": f"{family} models, {searches[search]}" for family in FAMILIES for search in SEARCHES}
    programs = {
        name: f"{of['generator']}, gradient with {of['augment']} cut-outs, as {name} does; CLIP, else {WITHOUT_CLIP}"
        for name, of in PROGRAMS.items()
    }
    return own | programs | {name: _in_words(name) for name in _thesis()}


def fields(name: str) -> dict[str, Any]:
    """The fields of RunConfig that a named configuration sets. UnknownName (with near names) for any other name."""
    return named(name)[0]


def named(name: str) -> tuple[dict[str, Any], object]:
    """As `fields`; and the mark in a file, by which its writer is known (zeuxis.trust); None without one."""
    for family, models in FAMILIES.items():
        search = name.removeprefix(f"{family}-")
        if search != name and search in SEARCHES:
            return models | {"search": search} | ({"realism": REALISM} if search in MULTI_OBJECTIVE else {}), None
    if name in PROGRAMS:
        return PROGRAMS[name] | {"scorer": (CLIP_MODEL if _here(CLIP_MODEL, "scorer") else WITHOUT_CLIP,)}, None
    thesis = _thesis()
    if name in thesis:
        return thesis[name] | {"judge": next(filter(_here, THESIS_JUDGES), None)}, None
    if name.endswith((".toml", ".json")) or "/" in name or Path(name).is_file():
        return _read(name)
    raise unknown("config", name, names())


def read_config(path: str | Path) -> dict[str, Any]:
    """The fields of RunConfig in a TOML or JSON file: flat, or in tables of the sections; or those of a run.json.

    BadInput for a file that is none of these. It may name files by path: what is in a file of somebody else is for its
    user to look at before he passes it on.
    """
    return _read(path)[0]


def _read(path: str | Path) -> tuple[dict[str, Any], object]:
    """The fields and the mark."""
    data = read_bounded(path, LARGEST, "configuration in TOML or JSON")
    try:
        text = data.decode("utf-8")
        content = bounded(
            json.loads(text, object_pairs_hook=_once) if str(path).endswith(".json") else tomllib.loads(text)
        )
    except (ValueError, RecursionError) as error:  # UnicodeError, JSONDecodeError and TOMLDecodeError are ValueErrors
        said = unreadable(error)
        raise BadInput(f"Expected a configuration in TOML or JSON at {path}, but it cannot be read: {said}.") from error
    if isinstance(content, dict) and isinstance(content.get("config"), dict) and "models" in content:  # a run.json
        content = content["config"] | {"mark": content.get("mark")}
    if not isinstance(content, dict):
        raise BadInput(
            f"Expected a table of fields in {path}, got {type(content).__name__}. Write one with --write-config."
        )
    mark = content.pop("mark", None)
    try:
        config = make_config(**content)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    return config.given(), mark


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table of JSON; ValueError for a name that is in it twice, as TOML has it."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(n for n in names if names.count(n) > 1)[:60]!r} is in a table twice")
    return found


def write_config(config: RunConfig, path: Path, mark: str = "") -> Path:
    """`config` as a TOML file, a table for each section, without the fields that have their default value.

    `mark`: by which its writer is known again (zeuxis.trust). BadInput where `path` holds something else than a
    configuration in TOML.
    """
    if path.exists() and path.stat().st_size and not _is_toml_config(path):
        raise BadInput(
            f"Expected a new file, or a configuration in TOML to replace, got {path}, which holds something else. "
            "Give another name."
        )
    tables = {
        name: [f"{field} = {toml_value(of)}" for field, of in fields.items()]
        for name, fields in config.sections().items()
    }
    text = "\n".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in tables.items())
    text = f'mark = "{mark}"\n\n{text}' if mark else text  # before the first table
    atomic_write(path, text.encode())
    return path


def _is_toml_config(path: Path) -> bool:
    try:
        _read(path)
    except BadInput:
        return False
    return path.suffix != ".json"


def toml_value(value: Any) -> str:
    """A value of a field in TOML; None, which TOML has not, is "none"."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_value(key)} = {toml_value(of)}" for key, of in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps("none" if value is None else value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _thesis() -> dict[str, dict[str, Any]]:
    found = {}
    for model, models in THESIS.items():
        for short, search in THESIS_SEARCHES.items():
            found[f"{model}_{short}"] = models | {"search": search}
            if model.startswith("StyleGAN2"):  # no discriminator of BigGAN was ever published
                found[f"{model}_{short}_d"] = models | {"search": WITH_DISCRIMINATOR[short], "realism": REALISM}
    return found


def _here(model: str, kind: str = "judge") -> bool:
    from zeuxis.hub.locate import locate

    try:
        return locate(model, kind).exists()
    except Missing:
        return False


def _in_words(name: str) -> str:
    found = _thesis()[name]
    guide = "CLIP and the discriminator" if "realism" in found else "CLIP"
    return f"{found['generator']} guided by {guide}, {found['search']}, population {found['population']}"

"""Files that a received configuration would have read: said, and asked for, before one of them is opened.

A run folder, a configuration file or an experiment names its models and picture prompts. Names of the program, of
installed plugins, of the catalogue and of the Hub lead to what the user has chosen to have here. A path leads anywhere:
to a network share, to a private picture. So a path counts only if the user has said it himself: on this command line,
in this call, or before, which a mark in the file shows (zeuxis.storage.marks). `module:factory`, code of somebody's
own, is another matter (zeuxis.plugins): no mark and no flag but its own lets it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from zeuxis.errors import BadInput
from zeuxis.generators import GENERATORS
from zeuxis.hub.catalogue import MODELS
from zeuxis.hub.locate import HUB_ID
from zeuxis.plugins import check_trusted, reference_in
from zeuxis.registry import Table
from zeuxis.scorers import JUDGES, SCORERS
from zeuxis.scorers.weights import split_weight
from zeuxis.search import SEARCHES
from zeuxis.storage.marks import mark, marked

FIELDS: dict[str, tuple[Table, ...]] = {  # of a configuration, that may name files; pictures have no table of names
    "generator": (GENERATORS,),
    "scorer": (SCORERS,),
    "judge": (JUDGES,),
    "held_out": (JUDGES, SCORERS),
    "image_prompt": (),
    "start_from": (),
    "warm": (),
}
KEY = "mark"  # in run.json and in a configuration file
SHOWN = 5  # files named in one sentence
NAMES = ("auto", "none")  # that mean no file


def named_files(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(field, what is said) of all that these fields of a configuration name by path, sorted."""
    found = set()
    for field, tables in FIELDS.items():
        value = fields.get(field)
        for said in value if isinstance(value, list | tuple) else [value]:
            if isinstance(said, str) and said and (not tables or is_file(_without_weight(said), tables)):
                found.add((field, said))
    return sorted(found)


def is_file(name: str, tables: Sequence[Table]) -> bool:
    """Whether a name is looked for on the disk: it is in none of the `tables`, not of the catalogue or the Hub, and no
    code. Nothing is touched but what lies in the current folder: a path may be that of a stranger's network share.
    """
    if name in NAMES or name in MODELS or any(table.known(name) or table.refers(name) for table in tables):
        return False
    if len(PurePath(name).parts) > 1 or any(c in name for c in "/\\~"):
        return not HUB_ID.fullmatch(name) or bool(Path(name).suffix) or Path(name).exists()
    return bool(Path(name).suffix) or _here(name)


def mark_of(fields: Mapping[str, Any]) -> str:
    """The mark that a file with these fields is given, once the user has said or allowed them; "" if none is needed."""
    files = named_files(fields)
    return mark(_words(files)) if files else ""


def check_files(
    fields: Mapping[str, Any],
    source: str | Path,
    *,
    said: Mapping[str, Any],
    given: object = None,
    allowed: bool = False,
) -> None:
    """BadInput with what would be read, unless the user has said it in `said`, the mark `given` is his, or `allowed`.

    `fields` are those of the configuration in `source`.
    """
    files = named_files(fields)
    own = set(named_files(said))
    foreign = [one for one in files if one not in own]
    if allowed or not foreign or marked(_words(files), given):
        return
    names = [f"{field.replace('_', ' ')} {name[-80:]!r}" for field, name in foreign]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    raise BadInput(
        f"{str(source)[-120:]} was not written by you on this computer, or names other files since, and would have "
        f"these read: {', '.join(names[:SHOWN])}{more}. If you trust it, say so: --trust-paths (in Python: "
        "trust_paths=True)."
    )


def check_code(fields: Mapping[str, Any]) -> None:
    """BadInput for a `module:factory` in these fields of a file that the user of this process has not said himself.

    Asked before the fields are handed on as what he has said: see `zeuxis.plugins.trust_fields`.
    """
    for field, tables in (*FIELDS.items(), ("search", (SEARCHES,))):
        value = fields.get(field)
        for said in value if isinstance(value, list | tuple) else [value]:
            code = reference_in(said) if isinstance(said, str) else ""
            if code and any(table.refers(code) for table in tables):
                check_trusted(field.replace("_", "-"), code)


def _words(files: list[tuple[str, str]]) -> list[str]:
    return [f"{field}={name}" for field, name in files]


def _here(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # a name that nothing can have
        return False


def _without_weight(said: str) -> str:
    """ "my.safetensors:0.5" -> "my.safetensors"; a name whose weight is wrong stays as it is."""
    try:
        return split_weight(said.strip())[0]
    except BadInput:
        return said.strip()

"""The kinds of jobs: what each checks before anything begins, what it does in its folder, which numbers come out.

| kind | configuration | numbers |
|---|---|---|
| run | fields of a run (RunConfig); precision is fp32 unless it is given | best score, judge's scores, images |
| train | recipe, data (a path), reader, variant, weights, device, fields in place of the recipe's | its last log line |
| evaluate | evaluation = a name of EVALUATIONS or module:callable; the rest are its arguments | what it returns |

Each goes on where an earlier attempt in the same folder ended, and asks `asked` whether it should save and end.
Nothing is chosen by the clock (a precision that is faster now): the same job gives the same numbers.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Protocol

from pydantic import ValidationError

from zeuxis.config import RunConfig, TrainConfig, in_words, make_config
from zeuxis.errors import BadInput
from zeuxis.experiments.worker import asked
from zeuxis.plugins import reference_in
from zeuxis.registry import Entry, Table
from zeuxis.search import SEARCHES
from zeuxis.storage.reading import read_bounded

Config = Mapping[str, Any]
Numbers = dict[str, float | int | str | bool | None]
OF_TRAINING = ("recipe", "data", "reader", "variant", "weights", "device")  # the rest of the table is the recipe's
METRIC_FIELDS = (
    *("generated", "real", "data", "reference", "held_out", "metrics", "features", "scorer", "count", "most", "draws"),
    *("strict", "device"),
)


class Kind(Protocol):
    """A kind of job."""

    def check(self, config: Config, trusted: bool) -> None:
        """BadInput for a configuration that cannot work, as far as can be told without loading a network."""
        ...

    def paths(self, config: Config) -> list[tuple[str, str]]:
        """(field, path) of all that would be read from the disk because the file says so."""
        ...

    def work(self, config: Config, folder: Path) -> Numbers:
        """Do it in `folder`, from where it stopped. KeyboardInterrupt once `asked`, with its state saved."""
        ...


class Run:
    """One search for one prompt with one seed."""

    def check(self, config: Config, trusted: bool) -> None:
        """As `zeuxis generate` does; models are not loaded."""
        settings = run_config(config)
        if not (settings.prompt or settings.image_prompt):
            raise BadInput("Expected a prompt, e.g. prompt = 'a red disc', got none.")
        named = settings.model_dump(include={"generator", "scorer", "judge", "search"})
        if any(reference_in(text) for value in named.values() for text in listed(value)):
            from zeuxis.trust import check_code  # loads torch

            check_code(named)
        if settings.search != "auto":
            SEARCHES.check(settings.search)

    def paths(self, config: Config) -> list[tuple[str, str]]:
        """Files of generators, scorers, judges and picture prompts."""
        named = {"generator", "scorer", "judge", "image_prompt", "start_from"}
        return model_files(run_config(config).model_dump(include=named))

    def work(self, config: Config, folder: Path) -> Numbers:
        """A run folder, without its page: `zeuxis show FOLDER --report` draws it."""
        from zeuxis.run import open_session

        with open_session(run_config(config), folder) as session:
            for _ in session:
                if asked() and not session.reason:
                    raise KeyboardInterrupt
            summary = session.finish()
        found: Numbers = {"best": summary.best.score, "best_generation": summary.best.generation}
        found |= {"generations": summary.generations, "images": summary.images}
        if summary.judged is not None:
            found |= {"judge_best": summary.judged.best, "judge_mean": summary.judged.mean}
        return found


class Train:
    """One network by one recipe."""

    def check(self, config: Config, trusted: bool) -> None:
        """Recipe and fields; the data set must be there."""
        train_config(config, trusted)
        if not Path(str(config["data"])).exists():
            raise BadInput(f"Expected a data set at {str(config['data'])[-120:]}, found nothing there.")

    def paths(self, config: Config) -> list[tuple[str, str]]:
        """The data set, networks to build on, a recipe of the user's own, folders that its options name."""
        from zeuxis.lab.recipe_files import PATHS

        found = [(name, str(config[name])) for name in ("data", "weights") if config.get(name)]
        options = config.get("options")
        found += [(name, str(options[name])) for name in PATHS if isinstance(options, dict) and options.get(name)]
        recipe = str(config.get("recipe"))
        return found + ([("recipe", recipe)] if _is_file(recipe) else [])

    def work(self, config: Config, folder: Path) -> Numbers:
        """A training folder, without its page: `zeuxis show FOLDER --report` draws it."""
        from zeuxis.compute.device import choose_device
        from zeuxis.lab import curves, history
        from zeuxis.lab.train import train

        weights = Path(config["weights"]) if config.get("weights") else None
        settings, device = train_config(config, trusted=True), choose_device(config.get("device", "auto"))
        train(settings, Path(config["data"]), folder, device=device, weights=weights, stop=asked)
        lines = curves.read_log(folder)
        last = (history.evaluations(lines) or lines)[-1]
        found: Numbers = {name: v for name, v in last.items() if name == "images" or name not in history.CLOCK}
        best = history.best(lines)
        return found | ({} if best is None else {f"best {best[0]}": best[1][best[0]], "best images": best[1]["images"]})


class Evaluate:
    """A callable `(folder, **arguments) -> table of numbers` by its name."""

    def check(self, config: Config, trusted: bool) -> None:
        """Its name, and its arguments where they are known here."""
        name = EVALUATIONS.check(str(config.get("evaluation") or "none"))
        if (own := _own(config)) is not None:
            own.check(_arguments(config), trusted)
        strange = sorted(set(_arguments(config)) - set(METRIC_FIELDS)) if name == "metrics" else []
        if strange:
            raise BadInput(f"The evaluation metrics has no {strange[0]!r}, only {', '.join(METRIC_FIELDS)}.")
        texts = ("generated", "real", "data", "reference", "held_out", "features", "scorer", "device")
        for one in texts if name == "metrics" else ():
            if not isinstance(config.get(one, ""), str):
                raise BadInput(f"The evaluation metrics needs a text as {one!r}, got {str(config[one])[:60]!r}.")
        for needed in ("generated", "real") if name == "metrics" else ():
            if needed not in config:
                raise BadInput(f"The evaluation metrics needs {needed!r}: a folder of pictures.")

    def paths(self, config: Config) -> list[tuple[str, str]]:
        """Every text that looks like a path, unless the evaluation knows better which are."""
        if (own := _own(config)) is not None:
            return own.paths(_arguments(config))
        texts = [
            (n, v) for n, given in _arguments(config).items() for v in (given if isinstance(given, list) else [given])
        ]
        return [(name, text) for name, text in texts if isinstance(text, str) and looks_like_a_path(text)]

    def work(self, config: Config, folder: Path) -> Numbers:
        """Call it; what it writes goes into `folder`."""
        found: Numbers = EVALUATIONS[config["evaluation"]](folder, **_arguments(config))
        return found


class Own(Protocol):
    """An evaluation of the program that knows its arguments: as a kind of job does."""

    def check(self, config: Config, trusted: bool) -> None:
        """As of a kind."""
        ...

    def paths(self, config: Config) -> list[tuple[str, str]]:
        """As of a kind."""
        ...


def _own(config: Config) -> Own | None:
    """The evaluation of a job where it knows its arguments; never code of somebody else's."""
    name = config.get("evaluation")
    found = EVALUATIONS[name] if isinstance(name, str) and name in EVALUATIONS.rows else None
    return found if hasattr(found, "check") and hasattr(found, "paths") else None


def _arguments(config: Config) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "evaluation"}


def metrics(folder: Path, generated: str, real: str, **settings: Any) -> Numbers:
    """`zeuxis metrics` as an evaluation: each metric's value, its interval and its floor. Report files in `folder`."""
    from zeuxis.evaluation.compare import compare_sets
    from zeuxis.experiments.metrics_page import write_metrics

    words = ["zeuxis", "metrics", generated, real, "--out", str(folder)]
    for name, value in settings.items():
        said = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        flag = f"--{name.replace('_', '-')}"
        words += [flag] * value if isinstance(value, bool) else [] if value is None else [flag, said]
    if isinstance(settings.get("metrics"), str):
        settings["metrics"] = [name.strip() for name in settings["metrics"].split(",")]
    for name in ("data", "held_out"):
        settings[name] = Path(settings[name]) if settings.get(name) else None
    found = compare_sets(Path(generated), real, **settings)
    if all(result.refused for result in found.results):
        raise BadInput(f"None of the metrics could be computed. {found.results[0].refused}")
    write_metrics(folder, found, shlex.join(words))
    numbers: Numbers = {}
    for result in found.results:
        low, high = result.interval or (None, None)
        numbers |= {result.metric: result.value, f"{result.metric} low": low, f"{result.metric} high": high}
        numbers[f"{result.metric} floor"] = result.floor
    return numbers


KINDS = Table(
    "kind of job",
    {
        "run": Entry(Run, "one search for one prompt with one seed"),
        "train": Entry(Train, "one network by one recipe"),
        "evaluate": Entry(Evaluate, "a callable by name: figures of pictures, networks, searches"),
    },
)
EVALUATIONS = Table(
    "evaluation",
    {
        "metrics": Entry("zeuxis.experiments.kinds:metrics", "pictures against real ones, as `zeuxis metrics`"),
        "fooling": Entry(
            "zeuxis.studies.jobs:fooling", "bred pictures before classifiers, as `zeuxis evaluate fooling`"
        ),
        "searches": Entry("zeuxis.studies.jobs:searches", "searches at the same images, against a judge"),
        "similarity": Entry("zeuxis.studies.jobs:similarity", "range and plateau of the score"),
        "leakage": Entry("zeuxis.studies.jobs:leakage", "how far a colour word spreads"),
        "generators": Entry("zeuxis.studies.jobs:generators", "the same phrases over several generators"),
    },
    group="zeuxis.evaluations",
)


def model_files(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(field, path) of what fields such as generator, scorer, judge and image_prompt name by path."""
    texts = [text for name in ("generator", "scorer", "judge", "held_out") for text in listed(fields.get(name))]
    if not any(fields.get(name) for name in ("image_prompt", "start_from")) and all(map(_plain_name, texts)):
        return []
    from zeuxis.trust import named_files  # loads torch: only where a name is in no table

    return named_files(fields)


def run_config(config: Config) -> RunConfig:
    """The run of a job. A prompt may be one text."""
    fields = {"precision": "fp32", **config}
    if isinstance(fields.get("prompt"), str):
        fields["prompt"] = (fields["prompt"],)
    return make_config(**fields)


def own_recipe(config: Config) -> str:
    """What is written in the recipe of a training where that is a file, not one of the package; "" without it."""
    from zeuxis.lab.recipe_files import LARGEST

    recipe = str(config.get("recipe"))
    try:
        data = read_bounded(recipe, LARGEST, "recipe in TOML") if _is_file(recipe) else b""
    except BadInput:  # the check of the job says so
        return ""
    return data.decode("utf-8", "replace")


def _is_file(recipe: str) -> bool:
    return recipe.endswith(".toml") or "/" in recipe


def train_config(config: Config, trusted: bool = False) -> TrainConfig:
    """The recipe of a job with the fields that the job has in their place; tables name by name."""
    from zeuxis.lab.recipe_files import load, merged

    for name in ("recipe", "data"):
        if not isinstance(config.get(name), str):
            raise BadInput(
                f"A training needs {name!r}, e.g. {name} = {'pocket-gan' if name == 'recipe' else 'cifar'!r}."
            )
    recipe = load(config["recipe"], trusted, str(config.get("variant", "cpu"))).model_dump(mode="json")
    given = {name: value for name, value in config.items() if name not in OF_TRAINING}
    if "reader" in config:  # what a recipe calls its data
        given["data"] = config["reader"]
    fields = merged(recipe, given)
    if fields["precision"] == "auto":
        fields["precision"] = "fp32"
    try:
        return TrainConfig.model_validate(fields)
    except ValidationError as error:
        raise BadInput(in_words(error, (*OF_TRAINING, *TrainConfig.model_fields))) from error


def _plain_name(name: str) -> bool:
    """Whether a name, perhaps with a weight, is of the program or an installed package, or code: no file."""
    from zeuxis.generators import GENERATORS
    from zeuxis.scorers import JUDGES, SCORERS

    bare = name.partition(":")[0]
    tables = (GENERATORS, SCORERS, JUDGES)
    return name in ("auto", "none") or any(name in t.rows or bare in t.rows or t.refers(name) for t in tables)


def listed(value: Any) -> list[str]:
    """A text, or several, or none of a configuration as a list of texts."""
    return [] if value is None else [value] if isinstance(value, str) else [str(one) for one in value]


def looks_like_a_path(text: str) -> bool:
    """Whether a text of a job's configuration may name something on the disk."""
    if not text.strip():
        return False
    if any(c in text for c in "/\\~") or PurePath(text).suffix:
        return True
    try:
        return any(Path(part).exists() for part in (text, text.partition(":")[2]) if part)  # dinov2:PLACE
    except (OSError, ValueError):  # a name that nothing can have
        return False

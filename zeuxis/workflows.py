"""What the command line, Python and a page share: a configuration and a listener in, a folder with its report out.

from zeuxis.workflows import generate
summary = generate("a red fire truck", generations=40, listener=lambda event: print(event.best_score))
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeuxis.config import TOP, make_config
from zeuxis.errors import BadInput, RunError
from zeuxis.pictures.enlarge import Enlarge
from zeuxis.plugins import trust_fields
from zeuxis.run.finish import Summary
from zeuxis.run.session import Session, open_session, reopen_session
from zeuxis.storage.files import remove
from zeuxis.types import Event


@dataclass(frozen=True)
class Outputs:
    """What is written when a run ends, beside its pictures: the report, `top` pictures, a GIF, an MP4.

    `enlarge` is the size of the enlarged copies in `top/`, 256 pixels across if not given. BadInput for a `top` below 0
    and for an `enlarge` that is no `Enlarge`.
    """

    report: bool = True
    top: int = TOP
    gif: bool = False
    mp4: bool = False
    enlarge: Enlarge | None = None

    def __post_init__(self) -> None:
        if isinstance(self.top, bool) or not isinstance(self.top, int) or self.top < 0:
            raise BadInput(f"Expected top to be a whole number of 0 or more, got {self.top!r}.")
        if self.enlarge is not None and not isinstance(self.enlarge, Enlarge):
            raise BadInput(f"Expected enlarge to be an Enlarge, e.g. Enlarge(512), got {self.enlarge!r}.")


class Listener:
    """Hears a run. All methods do nothing: override those that matter. None of them touches the run."""

    def opened(self, session: Session) -> None:
        """Models are loaded, nothing is drawn yet."""

    def heard(self, event: Event) -> bool | None:
        """A generation is done; False stops the run after it."""

    def ended(self, session: Session) -> None:
        """No generation will follow; pictures and report come next."""


class _Function(Listener):
    def __init__(self, function: Callable[[Event], object]) -> None:
        self.function = function

    def heard(self, event: Event) -> bool | None:
        return False if self.function(event) is False else None


Hears = Listener | Callable[[Event], object] | None  # a function hears the generations; False from it stops the run


def generate(
    prompt: str | Sequence[str],
    *,
    out: str | Path | None = None,
    listener: Hears = None,
    outputs: Outputs = Outputs(),
    trust_paths: bool = False,
    **fields: Any,
) -> Summary:
    """Search pictures for a prompt, from the first generation to the last; `fields` are those of RunConfig.

    Writes the run folder `out` (default: a new one under `runs/`) and its report; where `out` holds this very run
    already, goes on with it. `trust_paths`: also with files that a folder of somebody else names and `fields` do not.
    """
    prompt = (prompt,) if isinstance(prompt, str) else tuple(prompt)
    trust_fields(fields)
    config = make_config(prompt=prompt, **fields)
    return carry_out(lambda: open_session(config, out, trust_paths), listener, outputs)


def resume(
    folder: str | Path,
    *,
    listener: Hears = None,
    outputs: Outputs = Outputs(),
    trust_paths: bool = False,
    **changes: Any,
) -> Summary:
    """Go on with the run in `folder` to its end. `changes` may move the end: generations, budget, target, patience.

    They also repeat what the run names as `module:factory`, e.g. search="own:Walk": a folder alone imports no code.
    What a folder of somebody else names by path is read only if `changes` repeat it, or with `trust_paths`.
    """
    trust_fields(changes)
    return carry_out(lambda: reopen_session(folder, trust_paths=trust_paths, **changes), listener, outputs)


def carry_out(open_it: Callable[[], Session], listener: Hears = None, outputs: Outputs = Outputs()) -> Summary:
    """Open a session, iterate it until it ends or the listener stops it, write pictures and report."""
    if outputs.mp4:
        from zeuxis.report.animation import import_ffmpeg

        import_ffmpeg()  # better now than after the run
    hears = listener if isinstance(listener, Listener) else _Function(listener) if listener else Listener()
    with open_it() as session:
        hears.opened(session)
        try:
            for event in session:
                if hears.heard(event) is False:
                    break
        finally:
            hears.ended(session)
        _remove_stale(session, outputs)  # first: what is left by a kill in between would pass for the new run's
        summary = session.finish()
        _write(session, outputs)
    return summary


def train(
    recipe: str,
    data: str | Path,
    *,
    out: str | Path | None = None,
    weights: Path | None = None,
    variant: str = "cpu",
    images: int | None = None,
    device: str = "auto",
    report: Callable[[dict[str, float]], object] | None = None,
    say: Callable[[str], object] | None = None,
    trust_paths: bool = False,
    seeds: int = 1,
    processes: int = 1,
    tensorboard: bool = False,
    listener: Callable[[Any], object] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Path]:
    """Train a network by a recipe (a name or a TOML file) on a data set; returns the exported files.

    `variant` is one that the recipe has: "cpu", as it is, or another, as "gpu". Writes the folder `out` (default
    `runs/recipe-NAME`) with its page; the same call again goes on where it stopped. `report` hears each line of the
    log, `say` sentences for the user, `listener` of every step (`zeuxis.lab.history.Status`); `stop` is asked before
    each. `trust_paths`: also with a folder that the recipe names. With several `seeds` each has a sub-folder, and
    panel.html compares them. `processes` share each batch. Missing with `tensorboard` where its package is not there.
    """
    from zeuxis.compute.device import choose_device
    from zeuxis.lab.panel import train_panel
    from zeuxis.lab.recipe_files import default_folder, load
    from zeuxis.lab.train import train as run_recipe
    from zeuxis.report.panel import write_panel
    from zeuxis.report.training import TensorBoard, TrainingPage, check_one

    config = load(recipe, trust_paths, variant)
    if images is not None:
        config = config.model_copy(update={"images": images})
    if not Path(data).exists():
        raise BadInput(f"Expected a data set at {data}, found nothing there. Give its place with --data PATH.")
    folder = Path(out) if out is not None else default_folder(recipe, variant)
    check_one(folder, seeds)

    def said(text: str) -> None:
        if say is not None:
            say(text)

    said(f"{config.about or recipe}: {config.images:,} images, folder {folder}")
    words = [recipe, "--data", str(data), "--out", str(folder), *["--trust-paths"] * trust_paths]
    words += _changed(weights=(weights, None), variant=(variant, "cpu"), images=(images, None))
    words += _changed(device=(device, "auto"), seeds=(seeds, 1), processes=(processes, 1))
    chosen, hears = choose_device(device), {} if report is None else {"report": report}

    def one(config: Any, folder: Path) -> list[Path]:
        hear: list[Callable[[Any], object]] = [TrainingPage()]
        hear += ([TensorBoard()] if tensorboard else []) + ([listener] if listener is not None else [])
        options: dict[str, Any] = {"device": chosen, "weights": weights, "stop": stop, "count": processes} | hears

        def heard(status: Any) -> None:
            for listen in hear:
                listen(status)

        return list(run_recipe(config, Path(data), folder, say=said, listener=heard, command=words, **options))

    if seeds == 1:
        return one(config, folder)
    return [*train_panel(config, seeds, folder, one, said, write_panel), *write_panel(folder)]


def _changed(**options: tuple[Any, Any]) -> list[str]:
    """Options (value, default) as words of a command line, those left at their defaults left out."""
    return [str(word) for name, (value, plain) in options.items() if value != plain for word in (f"--{name}", value)]


def compare(
    out: str | Path,
    *,
    workers: int = 1,
    executor: str | None = None,
    parquet: bool = False,
    listener: Callable[[int, int, dict[str, Any]], object] | None = None,
    say: Callable[[str], object] = lambda sentence: None,
    trust_paths: bool = False,
    **fields: Any,
) -> list[Path]:
    """Compare searches on the same phrases, seeds and images; returns the files written. `fields` are those of Design.

    Where `out` holds the experiment already, goes on with it. `workers`: at a time, 0 for one per core; `executor`:
    local, processes or ray, by the number of workers if None. `listener` hears each cell: how many are done, how many
    there are, its row; `say` what was damaged and made good. `trust_paths`: also with files that an experiment of
    somebody else names and `fields` do not.
    """
    from zeuxis.experiments.design import fields as settings
    from zeuxis.experiments.design import make_design
    from zeuxis.experiments.execute import carry_out as run_cells
    from zeuxis.experiments.folder import ExperimentFolder
    from zeuxis.experiments.page import write_results

    folder, design = ExperimentFolder(Path(out), say), make_design(**fields)
    for said in (fields, *map(settings, design.variants)):
        trust_fields(said)
    count = workers or os.cpu_count() or 1
    run_cells(design, folder, count, listener, trust_paths=trust_paths, executor=executor)
    folder.say = lambda sentence: None  # it was said, and is mended
    return list(write_results(folder, parquet=parquet))


def evaluate(
    kind: str,
    out: str | Path,
    *,
    parquet: bool = False,
    listener: Callable[[int, int, tuple[str, ...], str], object] | None = None,
    say: Callable[[str], object] = lambda sentence: None,
    **fields: Any,
) -> dict[str, Any]:
    """Carry out a study, "fooling" for example; returns its record. `fields` are the flags of `zeuxis evaluate KIND`.

    Where `out` holds the study already, goes on with it; a finished one is only read. `listener` hears each cell: how
    many are done, how many there are, which, and what came of it; `say` what was damaged and made good.
    """
    from zeuxis.studies.carry import carry_out as run_study
    from zeuxis.studies.questions import STUDIES, settings_of

    study = STUDIES[kind](settings_of(kind, fields))
    return run_study(study, Path(out), report=listener, say=say, parquet=parquet).record


def _remove_stale(session: Session, outputs: Outputs) -> None:
    """Takes away what shows an earlier end of a run that has gone on since, and will not be written anew."""
    session.flush()  # the log is to be whole
    folder = session.folder
    with contextlib.suppress(RunError):  # no end yet, or one that cannot be read
        if folder.summary()["generations"] == folder.generations:
            return
    shown = [*(() if outputs.gif else ("best.gif",)), *(() if outputs.mp4 else ("best.mp4",))]
    shown += () if outputs.report else ("report.html", "curve.png", "front.png", "archive.png", "collage.png")
    for name in shown:
        remove(folder.path / name)
    if not outputs.top and (folder.path / "top").is_dir():
        from zeuxis.report.top import remove_top

        remove_top(folder)


def _write(session: Session, outputs: Outputs) -> None:
    """The report, the best pictures, the animations; imported late, so that no first picture waits for matplotlib."""
    folder = session.folder
    if outputs.report:
        from zeuxis.report.html import write_report

        write_report(folder)
    if outputs.top:
        from zeuxis.report.top import too_few, write_top

        found = len(write_top(folder, outputs.top, outputs.enlarge))
        if said := too_few(found, min(outputs.top, session.config.population)):
            session.problem.decisions.note(said)
    if outputs.gif or outputs.mp4:
        from zeuxis.report.animation import best_frames, write_gif, write_mp4

        frames = best_frames(folder, session.problem.render)
        if outputs.gif:
            write_gif(frames, folder.path / "best.gif")
        if outputs.mp4:
            write_mp4(frames, folder.path / "best.mp4")

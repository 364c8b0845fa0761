"""Several prompts on the terminal: one run after the other, a line for each, one report in the end."""

from __future__ import annotations

import shlex
import time
from functools import partial
from pathlib import Path

import typer

from zeuxis import workflows
from zeuxis.cli.process import INTERRUPTED, Interrupts
from zeuxis.cli.running import Terminal
from zeuxis.config import RunConfig
from zeuxis.errors import ZeuxisError
from zeuxis.prompts.series import Phrases, folders
from zeuxis.report.series import write_series
from zeuxis.report.verdict import pictures, short_verdict
from zeuxis.run import RunFolder, check_config, open_session
from zeuxis.run.paths import RUNS
from zeuxis.run.prepare import Models
from zeuxis.run.session import check_session
from zeuxis.storage.files import make_folder
from zeuxis.storage.places import check_folder_place
from zeuxis.workflows import Outputs


def carry_out_all(
    chosen: RunConfig,
    prompts: list[Phrases],
    out: Path | None,
    outputs: Outputs,
    quiet: bool,
    trust_paths: bool,
    columns: int | None = None,
) -> None:
    """Run `chosen` for each prompt, in folders of their own under `out`, and write the page that shows them all.

    Every prompt is checked before the first run begins. Exits with 130 after an interrupt; the same command with --out
    and --seed goes on.
    """
    out = out or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{len(prompts)}-prompts-{chosen.seed}"
    check_folder_place(out)
    places = folders(prompts, out)
    configs = [chosen.model_copy(update={"prompt": prompt}) for prompt in prompts]
    _check(configs, places, trust_paths)
    make_folder(out)
    for number, (config, place) in enumerate(zip(configs, places, strict=True), 1):
        if not quiet:
            typer.echo(f"\nprompt {number} of {len(prompts)}: {' | '.join(config.prompt)}", err=True)
        with Interrupts() as interrupts:
            listener = Terminal(interrupts, quiet)
            try:
                workflows.carry_out(partial(open_session, config, place, trust_paths), listener, outputs)
                listener.notes()
            except KeyboardInterrupt:
                interrupts.asked = True
            except ZeuxisError:
                _say_stopped("Stopped", out, chosen.seed, number - 1, len(prompts))
                raise
        if interrupts.asked:
            _say_stopped("Interrupted", out, chosen.seed, number - 1, len(prompts))
            raise typer.Exit(INTERRUPTED)
        if not quiet:
            summary = RunFolder(place).summary()
            said = f"{summary['best']['score']:.4f}  judge {short_verdict(pictures(summary))}"
            typer.echo(f"{' | '.join(config.prompt)}: best score {said}")
    files = write_series(out, [RunFolder(place) for place in places], columns)
    rows = zip(("report", "sheet"), files, strict=True)
    typer.echo(str(out) if quiet else "\n".join(f"{name:<14}{path}" for name, path in rows))


def _check(configs: list[RunConfig], places: list[Path], trust_paths: bool) -> None:
    """BadInput for the first run that could not begin or go on; before that, nothing is written."""
    for config in configs:
        check_config(config)  # all of them, before networks are loaded
    last: dict[str, Models] = {}
    for config, place in zip(configs, places, strict=True):
        check_session(config, place, last, trust_paths)


def _say_stopped(why: str, out: Path, seed: int, done: int, count: int) -> None:
    """How to go on; the seed is named, since one that was drawn stands in no command."""
    words = shlex.join(["--seed", str(seed), "--out", str(out)])
    said = f"{why} after {done} of {count} prompts; everything is saved. Go on with the same command and {words}"
    typer.echo(f"\n{said}", err=True)

"""One search at a time, in a thread of its own, and what the pages may know of it. It does not need a page to go on.

Pages ask `version` a few times a second and draw what is new; nothing is sent from here, so that a slow page, or a
hundred, cost the search nothing. Pictures are encoded when a page asks for them.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis import workflows
from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.pictures.grid import by_score, to_pixels
from zeuxis.prompts.auto import settled_lengths
from zeuxis.report.commands import folder_command, generate_command, repeated
from zeuxis.run import Session
from zeuxis.run.folder import RunFolder
from zeuxis.run.paths import fresh_folder
from zeuxis.run.stopping import over_optimisation
from zeuxis.search.diversity_control import unwrapped
from zeuxis.studio.status import SHOWN, Frame, Point, Status
from zeuxis.types import Event

DEFAULTS: dict[str, Any] = {"precision": "fp32", "view_every": 5}  # first pictures sooner; the judge heard more often
SEARCH = "cma-ga"  # of the form, to be watched while it breeds
Ended = Callable[[str, str], None]  # done, stopped or failed, and why
CLEARLY = 0.05  # of the judge's mean below its best
APART = 2  # evaluations in a row by which score and judge part before the page says so


@dataclass
class Live:
    """The search of this studio. `start` and `resume` return at once; BadInput while another one is under way.

    `sketch(config)` may give the first pictures of a search before it has loaded its own models. `other` says, in a
    sentence, what else computes here and has to end first; "" for nothing. `after` is called when a search has ended.
    """

    runs: Path
    sketch: Callable[[RunConfig], Frame | None] | None = None
    outputs: workflows.Outputs = field(default_factory=workflows.Outputs)
    other: Callable[[], str] = lambda: ""
    after: Callable[[], object] = lambda: None
    status: Status = field(default_factory=Status)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _timed: tuple[tuple[int, float], tuple[int, float]] = ((0, 0.0), (0, 0.0))  # points and moments: first, last
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _sketching: threading.Thread | None = None

    def start(self, prompt: str, **fields: Any) -> RunConfig:
        """Begin a search for a phrase. BadInput for what cannot be, before anything is written."""
        config = configured(prompt, **fields)
        self.begin(titled(config), config)
        return config

    def begin(self, title: str, config: RunConfig, folder: Path | None = None, ended: Ended | None = None) -> None:
        """Begin a search, or go on with it where `folder` holds it already. `ended` hears how it ended, and why."""
        self._begin(title, config, lambda hears: self._generate(config, hears, folder), ended=ended)

    def resume(self, folder: Path, **changes: Any) -> None:
        """Go on with a run of the folder, or make it longer."""
        run = RunFolder(folder)
        config = run.config
        self._begin(
            run.prompt,
            config,
            lambda hears: workflows.resume(folder, listener=hears, outputs=self.outputs, **changes),
            sketch=False,
        )

    def stop(self) -> None:
        """End after the generation under way; all there is by then is drawn and kept."""
        if self.status.busy:
            self._stop.set()
            if self.status.state in ("loading", "running"):
                self.tell(state="stopping")

    def wait(self, seconds: float | None = None) -> None:
        """Return when the search has ended."""
        for thread in (self._sketching, self._thread):
            if thread is not None:
                thread.join(seconds)

    def rate(self) -> float:
        """Generations a second of the search under way; 0 before the second one of this session is done."""
        with self._lock:
            first, last = self._timed
        return (last[0] - first[0]) / (last[1] - first[1]) if last[1] > first[1] else 0.0

    def tell(self, **changes: Any) -> None:
        """Change what the pages see."""
        with self._lock:
            self.status = replace(self.status, **changes, version=self.status.version + 1)
            if "points" in changes:
                now = (len(self.status.points), time.monotonic())
                self._timed = (self._timed[0] if self.status.generations else now, now)

    def _begin(
        self, prompt: str, config: RunConfig, work: Callable[[Hearing], Any], sketch: bool = True,
        ended: Ended | None = None,
    ) -> None:  # fmt: skip
        if said := self.other():
            raise BadInput(said)
        with self._lock:
            if self.status.busy:
                raise BadInput("A search is under way. Stop it first; what it has found is kept.")
            self._stop.clear()
            self.status = Status(self.status.version + 1, "loading", prompt, wanted=settled_lengths(config).generations)
        if sketch and self.sketch is not None:
            self._sketching = threading.Thread(target=self._sketch, args=(config,), name="zeuxis-sketch", daemon=True)
            self._sketching.start()
        self._thread = threading.Thread(target=self._work, args=(work, ended), name="zeuxis-search", daemon=True)
        self._thread.start()

    def _generate(self, config: RunConfig, hears: Hearing, folder: Path | None = None) -> Any:
        folder = folder or new_place(config, self.runs)
        fields = config.given()
        prompt = fields.pop("prompt", ())
        return workflows.generate(prompt, out=folder, listener=hears, outputs=self.outputs, **fields)

    def _work(self, work: Callable[[Hearing], Any], ended: Ended | None = None) -> None:
        hears = Hearing(self, self._stop)
        try:
            summary = work(hears)
            stopped = self._stop.is_set()
            reason = "Stopped; everything so far is kept." if stopped else summary.reason
            found, said = ("stopped" if stopped else "done"), {"verdict": reason}
        except ZeuxisError as error:
            found, reason = "failed", str(error)
            said = {"error": reason}
        except Exception as error:
            traceback.print_exc()
            found, reason = "failed", fault(error)
            said = {"error": reason}
        if ended is not None:
            ended(found, reason)
        self.tell(state=found, notes=hears.notes(), **said)
        self.after()

    def _sketch(self, config: RunConfig) -> None:
        if self.sketch is None:
            return
        try:
            frame = self.sketch(config)
        except Exception:  # the search itself will say what is wrong
            return
        with self._lock:
            if frame is not None and self.status.frame is None and self.status.state == "loading":
                self.status = replace(self.status, frame=frame, sketch=True, version=self.status.version + 1)


class Hearing(workflows.Listener):
    """Makes a status of what a session says. Runs in the thread of the search."""

    def __init__(self, live: Live, stop: threading.Event) -> None:
        self.live, self.stopping = live, stop
        self._pixels: dict[bytes, np.ndarray] = {}  # of the latents of the population
        self._parting = over_optimisation(APART)
        self._session: Session | None = None

    def opened(self, session: Session) -> None:
        """Name the run, and show what was there before it goes on."""
        self._session, config, path = session, session.config, session.folder.path
        points = []
        for row in session.start.rows:
            self._parting(row)
            points.append(Point(row.generation, row.best_score, row.mean, row.judged.mean if row.judged else None))
        self.live.tell(
            state="stopping" if self.stopping.is_set() else "running",
            folder=path,
            wanted=config.generations,
            command=generate_command(config),
            resume=folder_command("resume", path, *repeated(config)),
            models=f"{config.generator}, scored by {' + '.join(config.scorer)}, judge {config.judge or 'none'}",
            points=tuple(points),
            notes=tuple(session.notes),
        )

    def heard(self, event: Event) -> bool | None:
        """The curve and the population after a generation; False once a stop was asked for."""
        known = event.evaluation.score[event.evaluation.score.isfinite()]
        mean = float(known.mean()) if len(known) else math.nan
        judged = event.judged.mean if event.judged is not None and math.isfinite(event.judged.mean) else None
        self.live.tell(
            points=(*self.live.status.points, Point(event.generation, event.best_score, mean, judged)),
            frame=self._frame(event),
            sketch=False,
            images=event.images_so_far,
            generations=event.generation + 1,
            notes=self.notes(),
            warning=self._warning(event) or (self.live.status.warning if event.judged is None else ""),
        )
        return False if self.stopping.is_set() else None

    def ended(self, session: Session) -> None:
        """Pictures and report come next."""
        self.live.tell(state="finishing")

    def notes(self) -> tuple[str, ...]:
        """What the user should read."""
        return () if self._session is None else tuple(self._session.notes)

    def _warning(self, event: Event) -> str:
        said = self._parting(event)
        seen = [point.judged for point in self.live.status.points if point.judged is not None]
        if not said or event.judged is None or event.judged.mean > max(seen, default=0.0) - CLEARLY:
            return ""
        why = said.partition(": ")[2]
        return f"Score and judge part: {why} The search may please the scorer without showing what was asked for."

    def _frame(self, event: Event) -> Frame | None:
        """The survivors, best first; those that were not drawn in this session are drawn once more."""
        session = self._session
        if session is None or event.images is None:
            return None
        search = unwrapped(session.search)
        self._pixels |= dict(zip(_keys(event.batch.x), to_pixels(event.images), strict=True))
        order = by_score(search.population_score)[:SHOWN]
        x, score = search.population_x[order].cpu(), search.population_score[order].tolist()
        keys = _keys(x)
        if missing := [row for row, key in enumerate(keys) if key not in self._pixels]:
            drawn = to_pixels(session.problem.render(x[missing], event.generation))
            self._pixels |= dict(zip((keys[row] for row in missing), drawn, strict=True))
        alive = set(_keys(search.population_x))
        pixels = np.stack([self._pixels[key] for key in keys])
        self._pixels = {key: value for key, value in self._pixels.items() if key in alive}
        words = tuple(session.problem.generator.describe(latent) for latent in x[:1])
        return Frame(event.generation, pixels, tuple(score), x, words)


def fault(error: Exception) -> str:
    """A fault of ours in a sentence for the page."""
    return f"This should not have happened: {type(error).__name__}: {error}."


def configured(prompt: str, **fields: Any) -> RunConfig:
    """The configuration of a search of the studio. BadInput without a prompt, and for what cannot be."""
    seed = {"seed": secrets.randbelow(2**31)}
    config = make_config(**{**DEFAULTS, **seed, **fields, "prompt": phrases(prompt)})
    if not config.prompt and not config.image_prompt:
        raise BadInput("Say what to look for, e.g. a red fire truck.")
    return config


def phrases(prompt: str) -> tuple[str, ...]:
    """The phrases of a prompt in one line, with " | " between them, as `titled` writes it."""
    return tuple(part.strip() for part in prompt.split(" | ") if part.strip())


def titled(config: RunConfig) -> str:
    """What a search is called on the pages: its prompt in a line."""
    return " | ".join(config.prompt).strip() or "(image prompt)"


def new_place(config: RunConfig, runs: Path) -> Path:
    """A name for a run's folder that no other has; the run makes it once everything has been found good."""
    folder = fresh_folder(config, runs)
    folder.rmdir()
    return folder


def _keys(x: Tensor) -> list[bytes]:
    return [row.tobytes() for row in x.detach().cpu().to(torch.float32).numpy()]

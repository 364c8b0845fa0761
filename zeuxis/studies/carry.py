"""Carrying a study out: its cells one by one, then tables, figures and a page. It may be broken off at any moment."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeuxis.compute.device import software
from zeuxis.errors import BadInput, MissingExtra
from zeuxis.evaluation.held_out import guides_by
from zeuxis.experiments.records import Record, check_parquet, write_csv, write_parquet
from zeuxis.experiments.worker import asked
from zeuxis.prompts.members import AUTO
from zeuxis.report.evaluation import Page, Section, TableView, write_page
from zeuxis.run.folder import RunFolder
from zeuxis.scorers.base import Judge, Scorer
from zeuxis.storage.files import atomic_write
from zeuxis.studies.breed import breed
from zeuxis.studies.folder import Cell, Row, Say, StudyFolder
from zeuxis.studies.rows import Line, is_line
from zeuxis.studies.settings import Settings

MOST_FIGURES = 500  # in a row
Report = Callable[[int, int, Cell, str], object]  # cells done, of how many, the newest and what came of it


@dataclass(frozen=True)
class Answer:
    """What a study found: `tables` for people, `records` file -> rows for programs, `figures` file -> PNG bytes, and
    the page's title, leading sentences and sections. `made` are further lines on how; `numbers` the few for the row of
    an experiment, see `in_a_row`.
    """

    title: str
    lead: tuple[str, ...]
    tables: tuple[TableView, ...]
    records: Mapping[str, Sequence[Record]]
    sections: tuple[Section, ...]
    figures: Mapping[str, bytes] = field(default_factory=dict)
    made: tuple[tuple[str, str], ...] = ()
    numbers: Mapping[str, int | float | str | None] = field(default_factory=dict)


class Study(ABC):
    """One question. A cell is a run (`search`, something, `seed`) and what is measured in it."""

    settings: Settings
    brand: str
    line: type[Line]  # what a row holds

    @abstractmethod
    def check(self) -> None:
        """BadInput, UnknownName, Missing, ... for what cannot work, before anything is written."""

    @abstractmethod
    def cells(self) -> list[Cell]:
        """In the order in which they are done: all of one seed before the next."""

    @abstractmethod
    def do(self, cell: Cell, folder: StudyFolder) -> tuple[Row, str]:
        """Carry a cell out: its numbers, for a line of cells.jsonl, and a few words for the user."""

    def needs(self, row: Row) -> bool:
        """Whether a row is none or lacks something, so that its cell has to be done again (its run is not)."""
        return not is_line(self.line, row)

    @abstractmethod
    def answer(self, rows: Mapping[Cell, Row], folder: StudyFolder) -> Answer:
        """Of all rows."""


@dataclass(frozen=True)
class Outcome:
    """A finished study: its folder, its record, and whether it was finished before."""

    folder: Path
    record: dict[str, Any]
    before: bool

    @property
    def tables(self) -> list[dict[str, Any]]:
        """Those for people."""
        return list(self.record["results"]["tables"])


def carry_out(
    study: Study, out: Path, *, report: Report | None = None, say: Say = lambda sentence: None, parquet: bool = False
) -> Outcome:
    """Do what `out` does not hold yet. RunLocked while another process works there; BadInput for another study's."""
    folder = StudyFolder(out, say)
    known = folder.finished(study.settings)
    if known is not None:
        return Outcome(out, known, before=True)
    study.check()
    if parquet:
        check_parquet()
    folder.open(study.settings)
    try:
        cells, done = study.cells(), folder.cells()
        for number, cell in enumerate(cells, 1):
            if cell in done and not study.needs(done[cell]):
                continue
            if asked():
                raise KeyboardInterrupt
            row, words = study.do(cell, folder)
            folder.append(cell, row)
            done[cell] = row
            if report is not None:
                report(number, len(cells), cell, words)
        answer = study.answer({cell: done[cell] for cell in cells}, folder)
        files = _write(folder, study, answer, parquet)
        record = folder.finish(
            {"tables": [t.to_dict() for t in answer.tables], "lead": list(answer.lead), "files": files}
            | {"numbers": dict(answer.numbers)}
        )
        return Outcome(out, record, before=False)
    finally:
        folder.close()


def in_a_row(records: Sequence[Record], by: Sequence[str], of: Sequence[str]) -> dict[str, int | float | str | None]:
    """Figures `of` the records under names such as "ga best", as one row of a table can hold them.

    A name begins with those of the columns `by` that are not alike in all records. At most MOST_FIGURES, the first;
    figures that no record has are left out.
    """
    varied = [name for name in by if len({record[name] for record in records}) > 1]
    known = [name for name in of if any(record.get(name) is not None for record in records)]
    found: dict[str, int | float | str | None] = {}
    for record in records:
        words = [word for name in varied if (word := _short(str(record[name])))]
        found |= {" ".join([*words, name]): record.get(name) for name in known}
    return dict(list(found.items())[:MOST_FIGURES])


def _short(text: str) -> str:
    """At most 50 letters, different ones for different texts."""
    return text if len(text) <= 50 else f"{text[:43]} {hashlib.sha256(text.encode()).hexdigest()[:6]}"


def check_once(names: Sequence[str], flag: str) -> None:
    """BadInput for a name that is there twice."""
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"Expected every name once for {flag}, got {twice[:60]!r} twice.")


def check_named(generator: str) -> None:
    """BadInput for a generator that each phrase would choose: all pictures are to be of one."""
    if generator == AUTO:
        raise BadInput("Expected one generator for all phrases, got auto. Name it, e.g. --generator pocket.")


def check_judge(judge: Judge, guides: Sequence[Scorer]) -> None:
    """BadInput for a judge whose weights guide, or are among those that a guide uses."""
    for guide in guides:
        if guides_by(guide, judge.sha256):
            raise BadInput(f"The judge {judge.name} guides the search itself ({guide.name}). Give another --judge.")


def run_of(study: Study, folder: StudyFolder, cell: Cell, phrase: str, **more: Any) -> RunFolder:
    """The finished run of a cell whose first word is its search, if `more` names none, and whose last is its seed."""
    search = more.pop("search", cell[0])
    if cell in folder.bred:  # looked through once is enough: pictures are checked again when they are read
        return RunFolder(folder.run_place(cell))
    run = breed(study.settings.run(search, phrase, int(cell[-1]), **more), folder.run_place(cell))
    folder.bred.add(cell)
    return run


def _used(folder: StudyFolder, study: Study) -> tuple[str, str]:
    """Generators and scorers in words; what "auto" was in the runs."""
    s = study.settings
    generators = (s.generator,) if isinstance(s.generator, str) else tuple(s.generator)
    if AUTO not in generators and not any(name.startswith(AUTO) for name in s.scorer):
        return ", ".join(generators), " + ".join(s.scorer)
    configs = [RunFolder(folder.run_place(cell)).config for cell in study.cells()]
    guides = dict.fromkeys(" + ".join(config.scorer) for config in configs)
    return ", ".join(dict.fromkeys(config.generator for config in configs)), ", ".join(guides)


def _write(folder: StudyFolder, study: Study, answer: Answer, parquet: bool) -> list[str]:
    """CSV, Parquet where its package is there, figures, and the page."""
    files = []
    for name, records in answer.records.items():
        files.append(write_csv(folder.path / f"{name}.csv", records).name)
        try:
            files.append(write_parquet(folder.path / f"{name}.parquet", records).name)
        except MissingExtra:
            if parquet:
                raise
    for name, data in answer.figures.items():
        atomic_write(folder.path / name, data)
    s = study.settings
    seeds = f"{s.seeds[0]} to {s.seeds[-1]}" if len(s.seeds) > 1 else str(s.seeds[0])
    drawn_by, guides = _used(folder, study)
    versions = ", ".join(f"{name} {of}" for name, of in software().items())
    made = (*answer.made, ("generator", drawn_by), ("guided by", guides), ("seeds of the runs", seeds),
            ("networks", "one training seed of each"), ("versions", versions))  # fmt: skip
    page = Page(study.brand, answer.title, answer.lead, answer.sections, s.command(folder.path), made, tuple(files))
    write_page(folder.path, page)
    return ["report.html", *files, *answer.figures]

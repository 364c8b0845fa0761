"""Studies as jobs of `zeuxis experiment`: the same folder and page as `zeuxis evaluate`, and a row of numbers.

What a file names is not what the user has said: code is not imported, and paths are asked for. Precision is fp32 unless
the file says otherwise, so that the same job gives the same numbers. No torch is needed to check one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zeuxis.experiments.design import fields as search_fields
from zeuxis.experiments.kinds import Config, Numbers, listed, looks_like_a_path, model_files
from zeuxis.generators import GENERATORS
from zeuxis.registry import Table
from zeuxis.scorers import JUDGES, SCORERS
from zeuxis.studies.questions import QUESTIONS, STUDIES
from zeuxis.studies.settings import Settings

PLACES = ("classes", "real", "data", "features")  # texts that may name files, beside models
CODE: dict[str, Table] = {"generator": GENERATORS, "scorer": SCORERS, "judge": JUDGES, "classifier": JUDGES}


class StudyJob:
    """One question as an evaluation: `(folder, **settings) -> numbers`. It goes on with what the folder holds."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def check(self, given: Config, trusted: bool) -> None:
        """BadInput, UnknownName for settings that cannot be; models are not loaded."""
        settings = self.settings(given)
        said = settings.model_dump()
        for name, table in CODE.items():
            for one in listed(said.get(name)):
                if table.refers(one):
                    table.check(one)
        phrase = next(iter(said.get("phrase", ("a class",))))
        for line in listed(said["search"]):
            settings.run(line, phrase, settings.seed, generator=listed(said["generator"])[0])

    def paths(self, given: Config) -> list[tuple[str, str]]:
        """(field, path) of all that would be read because the file says so."""
        settings = self.settings(given)
        said = settings.model_dump()
        own = [search_fields(line) for line in listed(said["search"])]
        models: dict[str, list[str]] = {"held_out": listed(said.get("classifier"))}
        for name in ("generator", "scorer", "judge", "image_prompt", "start_from"):
            models[name] = [text for fields in (said, *own) for text in listed(fields.get(name))]
        places = [(name, said[name]) for name in PLACES if said.get(name) and looks_like_a_path(said[name])]
        return [("classifier" if name == "held_out" else name, text) for name, text in model_files(models)] + places

    def __call__(self, folder: Path, **given: Any) -> Numbers:
        """Carry it out in `folder`; KeyboardInterrupt once asked to end, with its state saved."""
        from zeuxis.studies.carry import carry_out

        study = STUDIES[self.kind](self.settings(given))
        return dict(carry_out(study, folder).record["results"].get("numbers") or {})

    def settings(self, given: Config) -> Settings:
        """Of a job's configuration: one text may stand for a list of one."""
        kind = next(question for question in QUESTIONS if question.kind == self.kind)
        return kind.read({"precision": "fp32", **given}, lambda name: repr(name))


fooling, searches, similarity, leakage, generators = (
    StudyJob(kind) for kind in ("fooling", "searches", "similarity", "leakage", "generators")
)

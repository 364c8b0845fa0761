"""The run: problem, loop, session, run folder. `zeuxis.workflows` has the way in for most callers."""

from zeuxis.pictures.metadata import PictureInfo, read_metadata
from zeuxis.run.finish import Summary
from zeuxis.run.folder import RunFolder
from zeuxis.run.history import Best, Row
from zeuxis.run.loop import judged, run
from zeuxis.run.prepare import Prepared, check_config, prepare_run
from zeuxis.run.problem import Problem
from zeuxis.run.session import Session, open_session, reopen_session

__all__ = [
    "Best",
    "PictureInfo",
    "Prepared",
    "Problem",
    "Row",
    "RunFolder",
    "Session",
    "Summary",
    "check_config",
    "judged",
    "open_session",
    "prepare_run",
    "read_metadata",
    "reopen_session",
    "run",
]

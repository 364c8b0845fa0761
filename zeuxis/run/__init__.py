"""The run: problem, loop, run folder, resume, replay. `generate` and `resume` are the way in."""

from zeuxis.run.api import generate, make_config, open_session, reopen_session, resume
from zeuxis.run.build import check_config
from zeuxis.run.finish import Summary
from zeuxis.run.folder import Best, Row, RunFolder
from zeuxis.run.loop import run
from zeuxis.run.metadata import PictureInfo, read_metadata
from zeuxis.run.problem import Problem
from zeuxis.run.replay import ReplayResult, replay
from zeuxis.run.session import Session
from zeuxis.run.store import record
from zeuxis.run.view import JudgeView

__all__ = [
    "Best",
    "JudgeView",
    "PictureInfo",
    "Problem",
    "ReplayResult",
    "Row",
    "RunFolder",
    "Session",
    "Summary",
    "check_config",
    "generate",
    "make_config",
    "open_session",
    "read_metadata",
    "record",
    "reopen_session",
    "replay",
    "resume",
    "run",
]

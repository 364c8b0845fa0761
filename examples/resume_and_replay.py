"""Break a run off, go on with it, draw its best picture again. Usage: resume_and_replay.py [generations]"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from zeuxis.config import make_config
from zeuxis.run import open_session
from zeuxis.tools.replay import replay
from zeuxis.workflows import resume

generations = int(sys.argv[1]) if len(sys.argv) > 1 else 20

with TemporaryDirectory() as parent:
    folder = Path(parent) / "run"
    config = make_config(prompt=("a frog",), generations=generations, population=16, seed=2)
    with open_session(config, folder) as session:
        for event in session:
            if event.generation == generations // 2:
                break  # as good as a power cut: everything is on disk
    print(f"stopped after generation {event.generation}")
    summary = resume(folder)
    print(f"went on to {summary.generations - 1}, best {summary.best.score:.4f}")
    result = replay(folder / "images" / "best.png")
    print("pixels agree" if result.agrees else f"pixels differ by up to {result.max_difference}")

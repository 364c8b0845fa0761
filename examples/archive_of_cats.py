"""Many good pictures that differ, instead of one best: an archive over two measures. Usage: ... [generations]"""

import sys

from zeuxis.report.archive import write_archive_pictures
from zeuxis.run import RunFolder
from zeuxis.workflows import generate

generations = int(sys.argv[1]) if len(sys.argv) > 1 else 40

summary = generate(
    "a photo of a cat",
    search="map-elites",  # or cma-me, cma-mae; all need `pip install 'zeuxis[qd]'`
    measures=("brightness:0.1..0.9", "white cat|black cat:-0.25..0.2"),  # without the numbers, ranges are measured
    options={"cells": 8},
    population=36,
    generations=generations,
    seed=7,
)
folder = RunFolder(summary.folder)
archive = folder.archive()
print(f"{archive['filled']} of {archive['cells'] ** 2} cells filled, QD score {archive['qd_score']:.2f}")

for elite in sorted(archive["elites"], key=lambda elite: -elite["score"])[:5]:
    brightness, black = elite["measures"]
    print(f"{elite['file']}  score {elite['score']:.3f}  brightness {brightness:.2f}  white to black {black:+.2f}")
for path in write_archive_pictures(folder):
    print(path)

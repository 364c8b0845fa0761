"""Folders with as many runs as a test needs: a few that were really made, and copies of them under other names."""

import os
import shutil

from zeuxis.workflows import Outputs, generate

TOY = {"generator": "toy", "scorer": "toy", "judge": "toy", "generations": 1, "search": "ga", "augment": 0}
PHRASES = ("a red disc", "a blue square", "a white ring")


def stock(runs, pictures, population=64, needle="a green giraffe"):
    """`pictures` or a few more in `runs`, `population` in each run; one of the runs is of another phrase."""
    quiet = Outputs(False, 0)
    for number, phrase in enumerate((*PHRASES, needle)):
        generate(phrase, out=runs / f"made-{number}", seed=number, population=population, outputs=quiet, **TOY)
    for number in range(max(0, -(-pictures // population) - len(PHRASES) - 1)):
        source = runs / f"made-{number % len(PHRASES)}"
        shutil.copytree(source, runs / f"copy-{number:04d}", copy_function=os.link)

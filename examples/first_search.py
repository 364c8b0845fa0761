"""The README's ten lines: a phrase in, a bred population out. Usage: first_search.py [generations]"""

import sys

from zeuxis.workflows import generate

generations = int(sys.argv[1]) if len(sys.argv) > 1 else 40

summary = generate(
    "a red fire truck",
    generations=generations,
    seed=7,
    listener=lambda event: print(f"generation {event.generation}: best {event.best_score:.4f}"),
)
print(summary.description, "->", summary.folder)

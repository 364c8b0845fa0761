"""Several phrases with weights, and one to move away from. Usage: weighted_prompts.py [generations]"""

import sys

from zeuxis.workflows import generate

generations = int(sys.argv[1]) if len(sys.argv) > 1 else 40

for prompt, negative in (
    (["a white horse"], []),
    (["a white horse", "on grass:0.5"], []),
    (["a white horse", "on grass:0.5"], ["at night:0.5"]),
):
    summary = generate(prompt, negative=negative, generations=generations, population=32, seed=5)
    print(f"{prompt} without {negative}: {summary.best.score:.4f}  {summary.folder / 'images' / 'final.png'}")

"""Drive a search by hand: any function of numbers will do. Usage: ask_and_tell.py [generations]"""

import sys

from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import Normal
from zeuxis.types import Evaluation

generations = int(sys.argv[1]) if len(sys.argv) > 1 else 100

space = Normal(20)
for name in ("random", "ga", "de", "ga-thesis"):
    search = SEARCHES[name](space, population=32)
    for generation in range(generations):
        batch = search.ask(stream(1, generation, "ask"))
        score = -(batch.x - 1).square().sum(1)  # the sphere around (1, 1, ...): 0 is the best
        search.tell(batch, Evaluation(score))
    latent, best = search.best
    print(f"{name:10} best {best:9.4f}   first genes {[round(g, 2) for g in latent[:4].tolist()]}")

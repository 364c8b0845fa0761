"""A simulated person with a picture in mind, of whose clicks 15 % miss: how many until what lies there is nearly as
good as where full evaluation ends?

Words tell most of what is wanted (cosine 0.9). Plain picking is what galleries of mutants offer: a pick, and its
children, without scorer and taste. Llora et al. (GECCO 2005) found three to seven times fewer evaluations.
"""

import torch
from studio_toys import Looks, ToyArtist, breeding

from zeuxis.rng import stream

WRONG, WITHIN, SEEDS = 0.15, 0.95, range(10)


def clicks(seed, goal=None, *, learns, most, strength, exact=False):
    """Clicks until a picture on the table is worth `goal`; without one, the best worth that is reached."""
    artist = ToyArtist(seed)
    person = breeding(artist, seed, weight=0.5 if learns else 0.0)
    if not learns:
        person.look = lambda genomes: unscored(artist, genomes, exact)
    person.begin()
    rng, best = stream(seed, "person"), -1.0
    for click in range(most):
        worth = [float(artist.wanted(person.family.features[number])) for number in person.family.table.shown]
        best = max(best, *worth)
        if goal is not None and max(worth) >= goal:
            return click
        place = worth.index(max(worth))
        if not exact and float(torch.rand((), generator=rng)) < WRONG:
            place = int(torch.randint(len(worth), (), generator=rng))
        person.favour(person.family.table.shown[place])
        person.suggest(strength) if learns else person.children(strength)
    return best if goal is None else most


def unscored(artist, genomes, exact):
    looks = artist.look(genomes)
    return Looks(looks.pixels, artist.wanted(looks.features) if exact else torch.zeros(len(genomes)), looks.features)


def test_score_and_taste_save_two_of_three_clicks():
    plain, learnt = 0, 0
    for seed in SEEDS:
        goal = WITHIN * clicks(seed, learns=False, most=40, strength=0.35, exact=True)
        plain += clicks(seed, goal, learns=False, most=60, strength=0.35)
        learnt += clicks(seed, goal, learns=True, most=60, strength=0.35)
    assert learnt <= plain / 3, f"{learnt / len(SEEDS)} clicks on average, plain picking {plain / len(SEEDS)}"

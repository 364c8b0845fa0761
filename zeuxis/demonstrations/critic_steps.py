"""k: steps of the discriminator for each of the generator, at equal work of the generator and at equal work of both."""

from __future__ import annotations

from zeuxis.demonstrations.base import Picture, Settings, Shown, plot
from zeuxis.demonstrations.scatter import cloud
from zeuxis.demonstrations.toy import circle, found_modes, on_points, ring

K, SEEDS = (1, 4), 3


def show(settings: Settings) -> Shown:
    """Both on the ring of eight, three seeds each, equal steps of the generator."""
    steps, rows, clouds = settings.count(1000), [], []
    for k in K:
        found = []
        for seed in range(SEEDS):
            toy = on_points(Settings(settings.seed + seed, settings.effort)).run(ring, steps, k)
            found.append(found_modes(toy.draw(2000), circle()))
            clouds += [(f"k = {k}", toy.draw(2000))] if seed == 0 else []
        modes, near = zip(*found, strict=True)
        seen = ", ".join(f"{m} of 8" for m in modes)
        rows.append((f"k = {k}", steps, steps * k, seen, sum(near) / SEEDS))

    def draw(*axes: object) -> None:
        for each, (name, points) in zip(axes, clouds, strict=True):
            cloud(each, points, name, circle())

    return Shown(
        "How often should the discriminator learn?",
        "Goodfellow et al. 2014, algorithm 1 (k); Arjovsky et al. 2017 and Brock et al. 2019 use 5 and 2.",
        (
            "The generator can only be as right as the discriminator that it learns from. With k = 4 the "
            "discriminator is nearer to its best against the present generator; each step of the generator then "
            "costs two and a half times as much. Rows have as many steps of the generator.",
            "Where the discriminator is already strong, more steps do not help: compare the gradients of the "
            "demonstration “saturation”.",
        ),
        (Picture("points.png", plot(draw, 2, (3.4, 3.4)), "2,000 points of the first seed, grey: the eight modes."),),
        ("", "steps of G", "steps of D", "modes found, each seed", "share of points near a mode"),
        tuple(rows),
    )

"""How many numbers a latent needs: as many as the pictures have free choices, and more cost nothing."""

from __future__ import annotations

from zeuxis.demonstrations.base import Picture, Settings, Shown, rows_png
from zeuxis.demonstrations.judged import HEAD, compared, real_row
from zeuxis.demonstrations.toy import on_pictures, pictures

SIZES = (2, 10, 100)


def show(settings: Settings) -> Shown:
    """The same small DCGAN with each of SIZES."""
    real, what = pictures(settings)
    trained = [(f"z of {size}", on_pictures(settings, size).run(real, settings.count(500))) for size in SIZES]
    rows = [real_row(real, settings)] + [compared(name, toy.draw, real, settings) for name, toy in trained]
    images = [("real", rows[0].images), *((row.name, row.images) for row in rows[1:])]
    return Shown(
        "How large should a latent be?",
        "After the comparisons of 10 and 100 latent dimensions in textbooks on GANs; Radford et al. 2016 use 100.",
        (
            f"Three generators of the same width draw {what} of 16 pixels; only the number of latents differs. "
            "Pictures of a generator with two latents lie on a surface that is folded into the space of all pictures. "
            "It cannot pass near every real one, and its recall stays low.",
            "More latents than the data have free choices still help in a short training: a generator of few has to "
            "bend every one of them to several uses, one of many finds some that fit. Precision, how good single "
            "pictures are, hardly depends on the number.",
        ),
        (Picture("pictures.png", rows_png(images, 48), "Real pictures, and those of each generator."),),
        HEAD,
        tuple(row.figures for row in rows),
    )

"""Demonstrations from the literature: each trains or draws something small and shows one idea on one page.

A module has `show(settings) -> Shown`. On a quiet core each takes one to two minutes at most.
"""

from __future__ import annotations

from zeuxis.registry import Entry, Table

HERE = "zeuxis.demonstrations"

DEMONSTRATIONS = Table(
    "demonstration",
    {
        "latent-size": Entry(f"{HERE}.latent_size:show", "latents of 2, 10 and 100 numbers for the same pictures"),
        "losses": Entry(f"{HERE}.losses:show", "cross entropy against squared error"),
        "epochs": Entry(f"{HERE}.epochs:show", "50 against 200 passes over few pictures"),
        "saturation": Entry(f"{HERE}.saturation:show", "gradients of the saturating and the non-saturating loss"),
        "critic-steps": Entry(f"{HERE}.critic_steps:show", "one discriminator step for each of the generator, or four"),
        "collapse": Entry(f"{HERE}.collapse:show", "mode collapse made, detected and prevented"),
        "surface": Entry(f"{HERE}.surface:show", "points in the plane and what the discriminator says of it, moving"),
        "interpolation": Entry(f"{HERE}.interpolation:show", "straight lines and arcs between latents"),
        "arithmetic": Entry(f"{HERE}.arithmetic:show", "A - B + C in styles and in features of the discriminator"),
        "mixing": Entry(f"{HERE}.mixing:show", "coarse, middle and fine styles of another picture"),
        "truncation": Entry(f"{HERE}.truncation:show", "variety against realism as styles shrink to their mean"),
        "noise": Entry(f"{HERE}.noise:show", "noise on latents and on pictures"),
        "probe": Entry(f"{HERE}.probe:show", "what a linear classifier reads in a discriminator's features"),
    },
)

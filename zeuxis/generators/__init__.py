"""Generators: latents -> images. The table holds strings, so listing it imports nothing."""

from zeuxis.registry import Entry, Table

GENERATORS = Table(
    "generator",
    {
        "pocket": Entry("zeuxis.generators.pocket:Pocket", "the small GAN that ships inside the package, 32x32"),
        "toy": Entry("zeuxis.generators.toy:ToyGenerator", "a disc, square or triangle on a coloured ground, 32x32"),
    },
)

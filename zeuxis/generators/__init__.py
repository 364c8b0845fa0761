"""Generators: latents -> images. The tables hold strings, so listing them imports nothing.

GENERATORS come with the package; FAMILIES draw from a weight file whose header names one of them.
`zeuxis.generators.choose` turns what a user names into one.
"""

from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.registry import Entry, Table

CIFAR10 = "data: CIFAR-10, which states no licence; cite Krizhevsky 2009"
IMAGENET = "data: ImageNet, for non-commercial research and education"
PRODUCTS = "data: shop photos of unclear rights; for research"

GENERATORS = Table(
    "generator",
    {
        "pocket": Entry(
            "zeuxis.generators.pocket:Pocket", "animals and vehicles of CIFAR-10, 32x32, inside the package", CIFAR10
        ),
        "pocket-products": Entry(
            "zeuxis.generators.pocket:PocketProducts", "shoes, bags, watches, ... by type and colour, 64x64", PRODUCTS
        ),
        "pocket-things": Entry(
            "zeuxis.generators.pocket:PocketThings", "24 kinds of things, from lemons to lighthouses, 64x64", IMAGENET
        ),
        "fft": Entry("zeuxis.generators.fft:FFTImage", "any picture, as its Fourier spectrum; best with --search adam"),
        "siren": Entry("zeuxis.generators.siren:Siren", "a picture as the weights of a small sine network"),
        "toy": Entry("zeuxis.generators.toy:ToyGenerator", "a disc, square or triangle on a coloured ground, 32x32"),
    },
    group="zeuxis.generators",
)

FAMILIES = Table(
    "generator family",
    {
        "biggan-deep": Entry("zeuxis.generators.biggan:BigGAN", "class-conditional, ImageNet, 128 to 512 px"),
        "biggan": Entry("zeuxis.generators.biggan:BigGAN", "class-conditional, BigGAN-PyTorch and StudioGAN"),
        "vqgan": Entry("zeuxis.generators.vqgan:VQGAN", "VQGAN's decoder (taming-transformers), a grid of codes"),
        "diffusion": Entry("zeuxis.generators.diffusion:Diffusion", "one- to eight-step latent diffusion, a folder"),
        "stylegan": Entry("zeuxis.generators.stylegan:StyleGAN", "StyleGAN (2019), Z, W and W+"),
        "stylegan2": Entry("zeuxis.generators.stylegan:StyleGAN", "StyleGAN2 and StyleGAN2-ADA, Z, W and W+"),
        "stylegan3": Entry("zeuxis.generators.stylegan:StyleGAN", "StyleGAN3-T, -R and StyleGAN-XL, Z, W and W+"),
        **{
            f"gan-{name}": Entry("zeuxis.generators.lab:LabGenerator", f"trained in the lab: {about}")
            for name, about in ARCHITECTURES.about().items()
        },
    },
)

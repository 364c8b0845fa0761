"""GAN architectures, one file each with generator and discriminator, by the name that recipes and model files use.

A module has `Generator(resolution, classes, **options)` with `z_dim`, `embed(y)` and `forward(z, y=None)`, and
`Discriminator(resolution, classes, **options)` with `forward(images, y=None) -> logits`. `classes` is the number of
names of each kind of label, e.g. (82, 45) for type and colour, () without labels; `y` is `(N, L)` int64 labels, or
for a generator also `(N, E)` float32 embeddings. A discriminator on frozen features says so by `frozen(images)`.
"""

from __future__ import annotations

from zeuxis.registry import Entry, Table

ARCHITECTURES = Table(
    "GAN architecture",
    {
        "pocket": Entry("zeuxis.nets.gan.pocket:pair", "small BigGAN, projected discriminator on a trained trunk"),
        "dcgan": Entry("zeuxis.nets.gan.dcgan:pair", "Radford, Metz and Chintala 2016"),
        "mlp-gan": Entry("zeuxis.nets.gan.mlp_gan:pair", "Goodfellow et al. 2014, perceptrons"),
        "cgan-mlp": Entry("zeuxis.nets.gan.cgan_mlp:pair", "Mirza and Osindero 2014, perceptrons with labels"),
        "cgan": Entry("zeuxis.nets.gan.cgan:pair", "Mirza and Osindero 2014, convolutions with labels"),
        "acgan": Entry("zeuxis.nets.gan.acgan:pair", "Odena, Olah and Shlens 2017, a discriminator that classifies"),
        "began": Entry(
            "zeuxis.nets.gan.began:pair", "Berthelot, Schumm and Metz 2017, an autoencoder as discriminator"
        ),
        "sngan": Entry("zeuxis.nets.gan.sngan:pair", "Miyato et al. 2018, spectral normalisation"),
        "r3gan": Entry("zeuxis.nets.gan.r3gan:pair", "Huang et al. 2024, no normalisation"),
        "wgan-gp": Entry("zeuxis.nets.gan.wgan_gp:pair", "residual networks of Gulrajani et al. 2017"),
        "stylegan2": Entry("zeuxis.nets.gan.stylegan2:pair", "Karras et al. 2020, small"),
        "stylegan2-full": Entry(
            "zeuxis.nets.gan.stylegan2_full:pair", "Karras et al. 2020, complete, as published files are read"
        ),
        "progan": Entry("zeuxis.nets.gan.progan:pair", "Karras et al. 2018, grown while it is trained"),
        "stylegan": Entry("zeuxis.nets.gan.stylegan:pair", "Karras, Laine and Aila 2019"),
        "stylegan3-t": Entry("zeuxis.nets.gan.stylegan3:pair_t", "Karras et al. 2021, equivariant to translation"),
        "stylegan3-r": Entry("zeuxis.nets.gan.stylegan3:pair_r", "Karras et al. 2021, equivariant to rotation too"),
        "biggan": Entry("zeuxis.nets.gan.biggan:pair", "BigGAN-deep, Brock, Donahue and Simonyan 2019"),
        "projected": Entry("zeuxis.nets.gan.projected:pair", "StyleGAN2's generator, MobileNet v2's features"),
        "vision-aided": Entry("zeuxis.nets.gan.vision_aided:pair", "Kumari et al. 2022, StyleGAN2 and frozen features"),
        "cogan": Entry("zeuxis.nets.gan.cogan:pair", "Liu and Tuzel 2016, two domains from one latent"),
        "stackgan": Entry("zeuxis.nets.gan.stackgan:pair", "Zhang et al. 2017, two stages, from texts"),
    },
)

TRANSLATORS = Table(
    "translator",  # from picture to picture: generator(images, y) and discriminator(images, y), y (N, 1) the domain
    {
        "cyclegan": Entry("zeuxis.nets.gan.cyclegan:pair", "Zhu et al. 2017, a network for each direction"),
        "stargan": Entry("zeuxis.nets.gan.stargan:pair", "Choi et al. 2018, one network for all domains"),
    },
)

ROUTED = ("cogan",)  # they send each row through layers of its label's: no two parts of a batch are the same work

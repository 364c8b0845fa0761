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
        "wgan-gp": Entry("zeuxis.nets.gan.wgan_gp:pair", "residual networks of Gulrajani et al. 2017"),
        "stylegan2": Entry("zeuxis.nets.gan.stylegan2:pair", "Karras et al. 2020, small"),
        "projected": Entry("zeuxis.nets.gan.projected:pair", "StyleGAN2's generator, MobileNet v2's features"),
    },
)

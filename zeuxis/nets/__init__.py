"""Networks by family and part: "stylegan2/generator". The table holds strings, so listing it imports nothing.

A converted file names its family; the class behind the name, called with the part's facts as keywords, is the network
that its tensors fill.
"""

from zeuxis.registry import Entry, Table

NETWORKS = Table(
    "network",
    {
        "biggan-deep/generator": Entry("zeuxis.nets.biggan:BigGANDeep", "Brock et al. 2019, as ported by Hugging Face"),
        "stylegan/generator": Entry("zeuxis.nets.stylegan:StyleGAN", "Karras et al. 2019"),
        "stylegan2/generator": Entry("zeuxis.nets.stylegan2:StyleGAN2", "Karras et al. 2020"),
        "stylegan2/discriminator": Entry("zeuxis.nets.stylegan2_discriminator:Discriminator", "Karras et al. 2020"),
        "stylegan3/discriminator": Entry("zeuxis.nets.stylegan2_discriminator:Discriminator", "Karras et al. 2020"),
        "stylegan3/generator": Entry("zeuxis.nets.stylegan3:StyleGAN3", "Karras et al. 2021, and StyleGAN-XL"),
        "resnet/network": Entry("zeuxis.nets.resnet:ResNet", "He et al. 2016, for ImageNet and for CIFAR"),
        "inception/network": Entry("zeuxis.nets.inception:Inception", "Szegedy et al. 2016, as used for FID"),
    },
)

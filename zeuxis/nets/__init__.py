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
        "speedrun/network": Entry("zeuxis.nets.speedrun:SpeedrunNet", "the pocket judge, after Jordan 2024"),
        "trunk/network": Entry("zeuxis.nets.trunk:TrunkClassifier", "small residual network with two heads"),
        "dual-encoder/encoder": Entry("zeuxis.nets.dual_encoder:without_text", "images and sentences in one space"),
        "dual-encoder/text": Entry("zeuxis.nets.dual_encoder:TextTower", "sentence vectors"),
        "aligned/heads": Entry("zeuxis.nets.aligned:AlignedHeads", "frozen features and sentences in one space"),
        "text-tower/text": Entry("zeuxis.nets.dual_encoder:TextTower", "sentence vectors"),
        "gan-pocket/generator": Entry("zeuxis.nets.gan.pocket:PocketGenerator", "the lab's small BigGAN"),
        "gan-pocket/discriminator": Entry("zeuxis.nets.gan.pocket:PocketDiscriminator", "its discriminator"),
        "gan-dcgan/generator": Entry("zeuxis.nets.gan.dcgan:Generator", "Radford et al. 2016"),
        "gan-dcgan/discriminator": Entry("zeuxis.nets.gan.dcgan:Discriminator", "Radford et al. 2016"),
        "gan-wgan-gp/generator": Entry("zeuxis.nets.gan.wgan_gp:Generator", "Gulrajani et al. 2017"),
        "gan-wgan-gp/discriminator": Entry("zeuxis.nets.gan.wgan_gp:Discriminator", "Gulrajani et al. 2017"),
        "gan-stylegan2/generator": Entry("zeuxis.nets.gan.stylegan2:Generator", "Karras et al. 2020, small"),
        "gan-stylegan2/discriminator": Entry("zeuxis.nets.gan.stylegan2:Discriminator", "Karras et al. 2020, small"),
        "gan-projected/generator": Entry("zeuxis.nets.gan.stylegan2:Generator", "StyleGAN2's, small"),
        "gan-projected/discriminator": Entry("zeuxis.nets.gan.projected:Discriminator", "Sauer et al. 2021"),
        "resnet/network": Entry("zeuxis.nets.resnet:ResNet", "He et al. 2016, for ImageNet and for CIFAR"),
        "inception/network": Entry("zeuxis.nets.inception:Inception", "Szegedy et al. 2016, as used for FID"),
        "mobilenet-v1/network": Entry("zeuxis.nets.mobilenet:MobileNetV1", "Howard et al. 2017, 8-bit weights"),
        "mobilenet-v2/network": Entry("zeuxis.nets.mobilenet:MobileNetV2", "Sandler et al. 2018, 8-bit weights"),
    },
)

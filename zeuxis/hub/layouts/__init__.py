"""Published layouts: each module says whether a raw file is its own, and turns it into a checkpoint.

claims(raw: Raw) -> bool                 cheap, never raises
translate(raw: Raw) -> Checkpoint        WeightsRefused, with the tensor's name, for what does not fit
"""

LAYOUTS = (
    "biggan",  # Hugging Face's port of BigGAN-deep: config.json and a state dictionary with spectral norm
    "biggan_classic",  # BigGAN as BigGAN-PyTorch and PyTorch-StudioGAN save it
    "nvidia",  # StyleGAN2, StyleGAN3 and StyleGAN-XL as PyTorch network pickles
    "nvidia_tf",  # StyleGAN and StyleGAN2 as pickles of the TensorFlow era
    "rosinality",  # StyleGAN2 as .pt of rosinality's port
    "taming",  # VQGAN as taming-transformers saves it
    "resnet",  # torchvision, timm, transformers, chenyaofo and akamaster ResNets
    "timm_mobile",  # MobileNet v2, v3 and EfficientNet as timm publishes them
    "lenet",  # LeNet-5 on MNIST, as csinva publishes it
    "inception",  # Inception-v3 of 2015-12-05, as pytorch-fid and torch-fidelity publish it
)

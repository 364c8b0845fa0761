"""Scorers and judges by name. The tables hold strings: listing them imports nothing."""

from __future__ import annotations

from zeuxis.registry import Entry, Table

SCORERS = Table(
    "scorer",
    {
        "pocket": Entry("zeuxis.scorers.pocket:PocketScorer", "small dual encoder that ships inside the package"),
        "pocket-second": Entry(
            "zeuxis.scorers.pocket:SecondPocketScorer", "a second one: for ensembles, or as a check"
        ),
        "pocket-64": Entry("zeuxis.scorers.pocket64:PocketScorer64", "things, products and colours at 64 pixels"),
        "toy": Entry("zeuxis.scorers.toy:ToyScorer", "reads colour words; needs no weights"),
    },
    group="zeuxis.scorers",
)

JUDGES = Table(
    "judge",
    {
        "pocket": Entry("zeuxis.scorers.classifier:PocketJudge", "small classifier that ships inside the package"),
        "mobilenet-v1": Entry(
            "zeuxis.scorers.imagenet_judge:MobileNetJudge", "a thousand ImageNet classes; MobileNet v1, Google"
        ),
        "toy": Entry("zeuxis.scorers.toy:ToyJudge", "names the colour it sees; needs no weights"),
    },
    group="zeuxis.judges",
)

# What a folder of weights may hold, by its config: see zeuxis.scorers.choose.
FAMILIES = Table(
    "scorer family",
    {
        "clip": Entry("zeuxis.scorers.clip:ClipScorer", "CLIP as a transformers folder or an OpenCLIP checkpoint"),
        "siglip": Entry("zeuxis.scorers.siglip:SiglipScorer", "SigLIP and SigLIP2 as a transformers folder"),
    },
)

# What a model file may hold, by the family in its header (zeuxis.hub.model_file).
FILE_SCORERS = Table(
    "scorer family",
    {
        "dual-encoder": Entry("zeuxis.scorers.pocket:EncoderScorer", "a dual encoder from `zeuxis train`"),
        "aligned": Entry("zeuxis.scorers.pocket64:AlignedScorer", "heads over frozen features from `zeuxis train`"),
    },
)

FILE_JUDGES = Table(
    "judge family",
    {
        "speedrun": Entry("zeuxis.scorers.classifier:ClassifierJudge", "a classifier from `zeuxis train`"),
        "trunk": Entry("zeuxis.scorers.classifier:ClassifierJudge", "a classifier from `zeuxis train`"),
        "resnet": Entry("zeuxis.scorers.image_classifier:ImageClassifier", "a published ResNet"),
        "lenet": Entry("zeuxis.scorers.image_classifier:ImageClassifier", "a published LeNet-5 for MNIST"),
        "efficientnet": Entry(
            "zeuxis.scorers.image_classifier:ImageClassifier", "a published MobileNet or EfficientNet of timm"
        ),
        "mobilenet-v1": Entry("zeuxis.scorers.image_classifier:ImageClassifier", "a published MobileNet"),
        "mobilenet-v2": Entry("zeuxis.scorers.image_classifier:ImageClassifier", "a published MobileNet"),
    },
)

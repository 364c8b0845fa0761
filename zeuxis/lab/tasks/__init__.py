"""Tasks that the training loop knows, by the name used in recipes."""

from zeuxis.registry import Entry, Table

TASKS = Table(
    "task",
    {
        "classifier": Entry("zeuxis.lab.tasks.classifier:Classifier", "a classifier: the pocket judge, the trunk"),
        "adversarial": Entry("zeuxis.lab.adversarial:Adversarial", "a GAN of parts named in the recipe"),
        "translation": Entry("zeuxis.lab.translation:Translation", "a GAN from pictures to pictures of another domain"),
        "vqgan": Entry("zeuxis.lab.tasks.vqgan:VQGAN", "pictures as grids of codes: encoder, codebook, decoder"),
        "distil": Entry("zeuxis.lab.tasks.distil:Distil", "text tower learned from a sentence encoder"),
        "contrastive": Entry("zeuxis.lab.tasks.contrastive:Contrastive", "dual encoder of images and phrases"),
        "alignment": Entry("zeuxis.lab.tasks.alignment:Alignment", "heads over frozen picture and sentence vectors"),
    },
)

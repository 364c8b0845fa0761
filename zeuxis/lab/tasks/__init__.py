"""Tasks that the training loop knows, by the name used in recipes."""

from zeuxis.registry import Entry, Table

TASKS = Table(
    "task",
    {
        "classifier": Entry("zeuxis.lab.tasks.classifier:Classifier", "a classifier: the pocket judge, the trunk"),
        "gan": Entry("zeuxis.lab.tasks.gan:ConditionalGAN", "class-conditional GAN with hinge loss"),
        "distil": Entry("zeuxis.lab.tasks.distil:Distil", "text tower learned from a sentence encoder"),
        "contrastive": Entry("zeuxis.lab.tasks.contrastive:Contrastive", "dual encoder of images and phrases"),
    },
)

"""Two scorers so small that every expected number can be worked out by hand."""

import torch


class Brightness:
    """Mean of all channels."""

    def __init__(self, name="brightness", sha256="b", device="cpu"):
        self.name, self.sha256, self.device = name, sha256, torch.device(device)
        self.dtype = torch.float32

    def prepare(self, prompt):
        return f"prepared {prompt.title}"

    def score(self, images, prepared):
        assert prepared.startswith("prepared")
        return images.mean(dim=(1, 2, 3))

    def set_precision(self, dtype):
        self.dtype = dtype


class Redness(Brightness):
    """Mean of the red channel less the others."""

    def __init__(self):
        super().__init__("redness", "r")

    def score(self, images, prepared):
        return images[:, 0].mean(dim=(1, 2)) - images[:, 1:].mean(dim=(1, 2, 3))


class Broken(Brightness):
    """NaN for everything."""

    def score(self, images, prepared):
        return torch.full((len(images),), float("nan"))


def noise(count, height=12, width=10, seed=0):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))

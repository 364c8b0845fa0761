"""Image sets: uint8 pictures with optional labels and captions, decoded once and memory-mapped."""

from zeuxis.data.base import ImageSet, to_signed
from zeuxis.data.readers import READERS, read_images

__all__ = ["READERS", "ImageSet", "read_images", "to_signed"]

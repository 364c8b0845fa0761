"""Image sets: uint8 pictures with optional labels and captions, decoded once and memory-mapped."""

from zeuxis.data.base import READERS, ImageSet, read_images, to_signed

__all__ = ["READERS", "ImageSet", "read_images", "to_signed"]

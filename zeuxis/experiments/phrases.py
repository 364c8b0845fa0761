"""The phrases of `zeuxis compare` where none are given: what the pocket generator draws and its judge can name."""

from __future__ import annotations

TWENTY = (
    *("a photo of an airplane", "a white airplane in the sky"),
    *("a photo of an automobile", "a red automobile"),
    *("a photo of a bird", "a yellow bird"),
    *("a photo of a cat", "a black cat"),
    *("a photo of a deer", "a brown deer on grass"),
    *("a photo of a dog", "a white dog"),
    *("a photo of a frog", "a green frog"),
    *("a photo of a horse", "a white horse on grass"),
    *("a photo of a ship", "a ship on the sea"),
    *("a photo of a truck", "a red fire truck"),
)

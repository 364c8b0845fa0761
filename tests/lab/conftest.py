"""Small and single-threaded; the curves, two seconds a drawing, are drawn only where they are tested."""

import functools

import pytest
import torch
from lab_helpers import LetterTeacher, pooled_pixels, write_data, write_weights

from zeuxis.lab import adversarial, curves, translation_watch, vqgan_watch, watch
from zeuxis.lab.tasks import distil


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the training would choose another number by the load of the machine
    torch.set_num_threads(1)
    monkeypatch.setattr(curves, "draw", lambda folder: None)
    monkeypatch.setattr(curves, "save_grid", functools.partial(curves.save_grid, scale=1))
    monkeypatch.setattr(adversarial, "standing_statistics", functools.partial(watch.standing_statistics, batches=2))
    for looks in (watch.Watch, translation_watch.TranslationWatch, vqgan_watch.VQGANWatch):
        monkeypatch.setattr(looks, "features", pooled_pixels)  # MobileNet v1 takes longer than the tiny trainings


@pytest.fixture(autouse=True)
def no_sentence_encoder(monkeypatch):
    """The real one is 90 MB; a few sentences are enough for a training of twelve steps."""
    monkeypatch.setattr(distil, "Teacher", LetterTeacher)
    words = ["cat", "dog", "truck", "red", "blue", "on", "under", "the", "a", "of", "photo", "seven", "quiet", "zebra"]
    sentences = [f"{a} {b} {c}" for a in words for b in words[:4] for c in words[4:7]]
    monkeypatch.setattr(distil, "training_sentences", lambda data, vocabulary, rng: sentences)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder like the real one: a CIFAR-10 pack, Caltech and emoji packs, captions; a few tiny pictures each."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Random networks to build on: trunk.safetensors and text.safetensors."""
    return write_weights(tmp_path_factory.mktemp("weights"))

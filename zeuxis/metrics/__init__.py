"""Figures about images, features and scores: pure functions on tensors."""

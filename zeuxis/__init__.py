"""Zeuxis finds pictures in the latent space of a generative model from a phrase."""

__version__ = "0.1.0"

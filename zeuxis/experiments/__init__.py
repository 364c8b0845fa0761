"""Experiments: a grid of searches, phrases and seeds at one budget; table, figures and page. `zeuxis compare`."""

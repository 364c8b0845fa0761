"""Image files: one safe reader for prompts, training folders and metric folders."""

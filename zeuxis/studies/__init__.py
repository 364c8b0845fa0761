"""Studies: whole questions answered by many runs, each in one folder with a page. `zeuxis evaluate`."""

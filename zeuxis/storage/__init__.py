"""Files that are whole or not there, and one writer per folder."""

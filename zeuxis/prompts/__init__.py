"""What turns prompts into runs: the generator that draws a phrase, series of prompts, where a search starts."""

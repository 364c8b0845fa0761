"""Which sentences a generator's phrases are put into: each of the package has a set that is like what it draws."""

from __future__ import annotations

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput
from zeuxis.scorers.templates import SETS, USUAL, sentences_of

AUTO = "auto"
OF_GENERATOR = {
    "pocket": "small",
    "pocket-products": "product",
    "pocket-things": "small",
    "fft": "picture",
    "siren": "picture",
    "toy": "plain",
}


def settled(names: tuple[str, ...], generator: str) -> tuple[str, ...]:
    """Names of sets and texts, with the generator's own set in the place of "auto"."""
    own = OF_GENERATOR.get(generator, USUAL)
    return tuple(dict.fromkeys(own if name == AUTO else name for name in names))


def sentences(config: RunConfig) -> tuple[str, ...]:
    """What the scorer puts each phrase of a settled configuration into; () for the usual sentences, or for none.

    UnknownName and BadInput for what is no template, and for templates where there are to be none.
    """
    if not config.templates and config.prompt_template != (USUAL,):
        raise BadInput("Expected either --no-templates or --prompt-template, got both. Leave one out.")
    return sentences_of(config.prompt_template) if config.templates else ()


def about() -> dict[str, str]:
    """Set -> whose it is and its sentences, for `zeuxis list templates`."""
    found = {}
    for name, texts in SETS.items():
        whose = [generator for generator, own in OF_GENERATOR.items() if own == name]
        said = "the usual ones: " if name == USUAL else f"of {', '.join(whose)}: " if whose else ""
        found[name] = said + "; ".join(texts)
    return found

"""RunConfig and TrainConfig: the one source of what CLI flags, files and studio forms are made from."""

from zeuxis.config.messages import in_words
from zeuxis.config.run import (
    FLAGS,
    GENERATOR_OPTIONS,
    RunConfig,
    TrainConfig,
    flag,
    make_config,
    parse_options,
    parse_range,
)
from zeuxis.config.sections import (
    MOST_IMAGES,
    MOST_STARTS,
    SECTIONS,
    TOP,
    Name,
    Names,
    Phrase,
    Precision,
    Section,
    Start,
    Values,
)

__all__ = [
    "FLAGS",
    "GENERATOR_OPTIONS",
    "MOST_IMAGES",
    "MOST_STARTS",
    "SECTIONS",
    "TOP",
    "Name",
    "Names",
    "Phrase",
    "Precision",
    "RunConfig",
    "Section",
    "Start",
    "TrainConfig",
    "Values",
    "flag",
    "in_words",
    "make_config",
    "parse_options",
    "parse_range",
]

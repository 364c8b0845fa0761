"""What a user should know before a run: what cannot be drawn, what has no effect, what pulls against what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zeuxis.config import RunConfig
from zeuxis.generators import GENERATORS
from zeuxis.generators.diffusion import is_pipeline
from zeuxis.prompts.coverage import Vocabulary, closeness, model_vocabulary, words
from zeuxis.prompts.kinds import denied_in, drawn, kinds_near, main_of, things_of, wanted_of
from zeuxis.prompts.members import MEMBERS, enumerated
from zeuxis.scorers import SCORERS
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.combine import parse_weighted
from zeuxis.scorers.prompts import all_single_words, parse_prompt
from zeuxis.scorers.vocabulary import unfamiliar
from zeuxis.scorers.weights import quoted
from zeuxis.search import idle_options

CANCELS = 0.86  # cosine of a wanted and an avoided phrase from which they pull against each other: "a frog", "frogs"
SHOWN = 2  # phrases that a note is written on


def advise(config: RunConfig) -> list[str]:
    """What to know before a run of this settled configuration: options without effect, phrases that its generator was
    not trained on, and phrases to avoid that are nearly those to move towards.
    """
    idle = idle_options(config.search, config.options) if config.options else []
    if not config.prompt:
        return idle
    prompt = parse_prompt(config.prompt, config.negative, (), templates=False)
    wanted = wanted_of(prompt)
    avoided = [phrase for phrase in prompt.phrases if phrase.weight < 0]
    strange = _strange_to_generator(config.generator, wanted)
    return [*idle, *(strange or _other_classes(config, wanted)), *_denied(prompt), *_cancelling(wanted, avoided)]


def preview(config: RunConfig, prompt: Prompt) -> list[str]:
    """The notes that a run of this settled configuration begins with, as far as no large model is needed for them."""
    pocket = [name for name, _ in map(parse_weighted, config.scorer) if name in SCORERS and name != "toy"]
    read = words().prepare(prompt).notes if pocket else ()
    return list(dict.fromkeys([*advise(config), *prompt.notes, *read]))


def vocabulary_of(generator: str) -> Vocabulary | None:
    """The words of the generator that a name means; None where it has none."""
    if generator in MEMBERS:
        return MEMBERS[generator].vocabulary
    if generator in GENERATORS or is_pipeline(Path(generator)):
        return None
    from zeuxis.hub.locate import peek

    return model_vocabulary(peek(generator, "generator"))


def _strange_to_generator(generator: str, wanted: list[Phrase]) -> list[str]:
    """A sentence for each main phrase that the generator was not trained on."""
    known = vocabulary_of(generator)
    if known is None:
        return []
    if all_single_words(main_of(wanted)):
        return []
    strange = [text for text in things_of(wanted) if not drawn(text, known)]
    unknown = [text for text in strange if unfamiliar(text)]  # of whose words the scorer speaks
    strange = [text for text in strange if text not in unknown]
    return [
        f"{generator} was trained on {known.what}; {quoted(text)} is not known to be among them."
        for text in unknown[:SHOWN]
    ] + [
        f"{generator} was trained on {known.what}; {quoted(text)} is not among them (nearest: {', '.join(labels)})."
        for text in strange[:SHOWN]
        if (labels := closeness(text, known)[1])
    ]


def _other_classes(config: RunConfig, wanted: Sequence[Phrase]) -> list[str]:
    """A sentence where the only classes to draw, those of a start or a mistake, are none of what is asked for."""
    known = vocabulary_of(config.generator) if config.classes and config.generator in MEMBERS else None
    things = things_of(wanted)
    if known is None or not things:
        return []
    asked = kinds_near(things, known).kinds
    allowed = [_kinds_of(name, known) for name in config.classes]
    wished = set().union(*(_kinds_of(name, known) for name in asked))
    if not all(allowed) or not wished or set().union(*allowed) & wished:
        return []
    why = "as the picture to start from" if config.start_from else "--class"
    return [f"Only {enumerated(config.classes)} ({why}) is drawn, not {enumerated(asked)}."]


def _kinds_of(name: str, known: Vocabulary) -> set[str]:
    """The kinds that the name of a class stands for, be it one, a finer one or one in a colour; none for a number."""
    name = name.lower()
    inner = {kind for kind, colours in known.colours.items() if name in {f"{one} {kind}".lower() for one in colours}}
    return {*known.kinds.get(name, ()), *inner}


def _denied(prompt: Prompt) -> list[str]:
    """A sentence for each phrase that says what is not to be seen, which the scorers read as a wish for it."""
    return [
        f'Scorers do not understand "no", "not" and "without": pictures with what {quoted(text)} is to be without '
        f"score as well. Leave it out and avoid it by --negative {quoted(what)}."
        for text, what in denied_in(prompt)[:SHOWN]
    ]


def _cancelling(wanted: list[Phrase], avoided: list[Phrase]) -> list[str]:
    if not wanted or not avoided:
        return []
    near = words().sentences([p.text for p in avoided]) @ words().sentences([p.text for p in wanted]).T
    return [
        f"{quoted(away.text)} is to be avoided and is nearly the same as {quoted(wanted[k].text)}: the two pull "
        "against each other."
        for away, row in zip(avoided, near, strict=True)
        if float(row[k := int(row.argmax())]) > CANCELS
    ]

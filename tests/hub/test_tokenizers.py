"""Tokenizers of a stranger's folder: what is plain is copied and read; files, classes and patterns it names are not."""

import json
import os
from pathlib import Path

import pytest
import torch

from zeuxis.errors import WeightsRefused
from zeuxis.hub.tokenizer import check_ids, read_tokenizer

FIXTURE = Path(__file__).parent.parent / "fixtures/clip_vit_quickgelu/hf"
SETTINGS = {
    "pad_token": "!", "bos_token": {"content": "<s>", "lstrip": True}, "eos_token": "x" * 201, "unk_token": None,
    "model_max_length": 10**30, "do_lower_case": True, "padding_side": "right", "added_tokens_decoder": {"3": "<p>"},
    "vocab_file": "/etc/passwd", "tokenizer_file": "/etc/passwd", "auto_map": {"AutoTokenizer": ["my.Tok", None]},
    "tokenizer_class": "Mine", "name_or_path": "somebody/model", "chat_template": "{{ 1 }}",
}  # fmt: skip
KEPT = ("pad_token", "bos_token", "unk_token", "model_max_length", "do_lower_case", "padding_side",
        "added_tokens_decoder")  # fmt: skip


class Copied:
    """Stands for a class of transformers, and keeps what lies in the folder that it is given."""

    fails: BaseException | None = None

    @classmethod
    def from_pretrained(cls, place, local_files_only):
        assert local_files_only
        made = cls()
        made.files = {path.name: path.read_bytes() for path in Path(place).iterdir()}
        return made

    def __call__(self, text, **settings):
        assert settings == {"max_length": 8, "truncation": True, "padding": "max_length", "return_tensors": "pt"}
        if self.fails:
            raise self.fails


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b</w>": 1}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b</w>\n")
    return tmp_path


def test_only_plain_settings_are_read(folder):
    (folder / "tokenizer_config.json").write_text(json.dumps(SETTINGS))
    (folder / "special_tokens_map.json").write_text(json.dumps(SETTINGS))
    (folder / "added_tokens.json").write_text('{"<x>": 2, "<y>": 99999999, "<z>": "1"}')
    (folder / "tok.py").write_text("raise SystemExit")
    os.mkfifo(folder / "chat_template.jinja")
    files = read_tokenizer(Copied, folder).files
    names = ["added_tokens.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json"]
    assert sorted(files) == names and files["merges.txt"] == (folder / "merges.txt").read_bytes()
    plain = {name: SETTINGS[name] for name in KEPT}
    assert json.loads(files["tokenizer_config.json"]) == json.loads(files["special_tokens_map.json"]) == plain
    assert json.loads(files["added_tokens.json"]) == {"<x>": 2}


def rule(pattern):
    pre = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": pattern}}]}
    return json.dumps({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "pre_tokenizer": pre})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("vocab.json", None, "expected tokenizer.json, or vocab.json and merges.txt"),
        ("merges.txt", None, "holds no tokenizer"),
        ("vocab.json", "", "bytes"),
        ("vocab.json", "[" * 99_999, "is no JSON"),
        ("vocab.json", "[1]", "is a list"),
        ("vocab.json", '{"a": -1}', "numbers its tokens"),
        ("vocab.json", '{"a": 1e9}', "numbers its tokens"),
        ("vocab.json", '{"a": 3000000}', "numbers its tokens"),
        ("tokenizer.json", '{"model": {"vocab": {"a": "b"}}}', "numbers its tokens"),
        ("tokenizer.json", rule("(a+)+$"), "may take for ever"),
        ("tokenizer.json", rule("(a|a){2,}$"), "may take for ever"),
        ("tokenizer_config.json", json.dumps({f"k{n}": n for n in range(1001)}), "1,001 settings"),
        ("special_tokens_map.json", "{", "is no JSON"),
    ],
)
def test_a_forged_file_is_refused(folder, name, content, reason):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(WeightsRefused, match=reason):
        read_tokenizer(Copied, folder)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_out_of_proportion_is_not_read(folder, name):
    with (folder / name).open("ab") as file:
        file.truncate(2**36)
    with pytest.raises(WeightsRefused, match="68,719,476,736 bytes"):
        read_tokenizer(Copied, folder)


def test_usual_patterns_are_read(folder):
    (folder / "tokenizer.json").write_text(
        rule(r"<\|end\|>|'s|'re|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+|(?i:'m)|\s+(?!\S)")
    )
    assert "tokenizer.json" in read_tokenizer(Copied, folder).files


def test_what_a_parser_makes_of_it_is_one_sentence(folder, monkeypatch):
    class PanicException(BaseException):
        """As that of parsers in Rust, which is no Exception."""

    for error in (ValueError("not\n  so"), PanicException("not so")):
        monkeypatch.setattr(Copied, "fails", error)
        with pytest.raises(WeightsRefused, match=r"holds no tokenizer that can be read: not so$"):
            read_tokenizer(Copied, folder)
    for error in (KeyboardInterrupt(), ImportError("sentencepiece")):
        monkeypatch.setattr(Copied, "fails", error)
        with pytest.raises(type(error)):
            read_tokenizer(Copied, folder)


def test_ids_that_a_network_has_no_row_for_are_refused():
    check_ids(torch.tensor([[0, 9]]), 10, Path("folder"))
    for ids in ([[0, 10]], [[-1]]):
        with pytest.raises(WeightsRefused, match="more tokens than the 10"):
            check_ids(torch.tensor(ids), 10, Path("folder"))


def test_tokens_are_those_of_the_library():
    transformers = pytest.importorskip("transformers", reason="needs the extra `clip`")
    ours = read_tokenizer(transformers.CLIPTokenizer, FIXTURE)
    theirs = transformers.CLIPTokenizer.from_pretrained(str(FIXTURE), local_files_only=True)
    for text in ("a red shoe", "", "Ünïcode <|endoftext|> it's 42!"):
        settings = {"max_length": 12, "truncation": True, "padding": "max_length"}
        assert ours(text, **settings)["input_ids"] == theirs(text, **settings)["input_ids"]

"""Pages of a stranger's run or experiment: no script, no request, every value only text."""

from __future__ import annotations

import html.parser
import re

import numpy as np
import pytest
from PIL import Image

from zeuxis.errors import ZeuxisError
from zeuxis.experiments.design import make_design
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.experiments.page import write_results
from zeuxis.experiments.records import write_csv
from zeuxis.report.html import PAGES, write_report
from zeuxis.run import RunFolder

EVIL = "</title></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} javascript:alert(1)"
ALLOWED = {
    "a",
    "b",
    "body",
    "br",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "img",
    "li",
    "main",
    "meta",
    "p",
    "picture",
    "pre",
    "section",
    "source",
    "span",
    "strong",
    "em",
    "style",
    "summary",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "nav",
}


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.wrong, self.policy, self.text = set(), [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        given = dict(attrs)
        if given.get("http-equiv", "").lower() == "content-security-policy":
            self.policy.append(given["content"])
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "srcset") and not value.startswith("data:image/")):
                self.wrong.append((tag, name, value[:80]))
            if name == "href" and (":" in value or value.startswith("/") or ".." in value):
                self.wrong.append((tag, name, value[:80]))

    def handle_data(self, data):
        self.text.append(data)


def check(page):
    text = page.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.tags <= ALLOWED and not reader.wrong, (reader.tags - ALLOWED, reader.wrong)
    (policy,) = reader.policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and "script-src" not in rules
    assert rules["base-uri"] == rules["form-action"] == "'none'" and "http" not in policy and "*" not in policy
    assert text.index("Content-Security-Policy") < text.index("<title") < text.index("<style")
    return text, "".join(reader.text)


def test_templates_escape_by_default_and_mark_nothing_as_safe():
    assert PAGES.autoescape is True
    for name in PAGES.list_templates(extensions=["html"]):
        source = PAGES.loader.get_source(PAGES, name)[0]
        assert not re.search(r"\|\s*safe|autoescape|<script|javascript:", source), name
        assert "Content-Security-Policy" in source


def test_the_page_of_a_received_run(plain, rewrite):
    def change(record):
        record["prompt"] = EVIL
        record["notes"] = [EVIL]
        record["machine"] |= {"cpu": EVIL, "device_name": EVIL, "system": EVIL}
        record["software"] = {EVIL: EVIL}
        record["models"]["generator"]["name"] = record["models"]["scorers"][0]["name"] = EVIL
        record["models"]["judge"]["sha256"] = EVIL
        record["config"] |= {"prompt": [EVIL, "b"], "negative": [EVIL], "options": {EVIL: EVIL}, "device": EVIL}
        record["config"]["image_prompt"] = [f"/x/{EVIL}", "..\\x.png"]
        record["config"]["measures"] = [EVIL]
        record["start"] = {"labels": [EVIL]}
        record["decisions"]["gate"]["reason"] = EVIL

    def change_summary(summary):
        summary["reason"] = summary["best"]["description"] = EVIL
        for member in summary["population"]:
            member["description"] = EVIL
        for seen in summary["judge"]["population"]:
            seen["label"] = EVIL
        summary["judge"]["best_label"] = EVIL

    rewrite(plain / "run.json", change)
    rewrite(plain / "summary.json", change_summary)
    text, words = check(write_report(RunFolder(plain)))
    assert (
        "<script" not in text and "<script>alert(1)</script>" in words and "49" not in re.findall(r"\{\{.*?\}\}", words)
    )
    assert text.count("{{ 7*7 }}") > 5


def test_a_picture_with_a_name_of_its_own_is_not_taken(plain):
    pixels = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    for name in ('generation-000000.png"><script>.png', "generation-..png", "generation-000001.png.html"):
        pixels.save(plain / "images" / name.replace("/", ""), "PNG")
    assert all('"' not in path.name for path in RunFolder(plain).grids())
    check(write_report(RunFolder(plain)))


def test_a_page_put_in_our_place_is_replaced_not_written_into(plain, tmp_path):
    (tmp_path / "precious").write_text("precious")
    (plain / "report.html").unlink()
    (plain / "report.html").hardlink_to(tmp_path / "precious")
    write_report(RunFolder(plain))
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.fixture
def experiment(tmp_path, zeuxis_, compare_words):
    words = compare_words(tmp_path / "all", f"red {EVIL}", "=red red", seeds=2)
    result = zeuxis_(*words)
    assert result.exit_code == 0, result.output
    return tmp_path / "all"


def test_the_page_and_tables_of_a_received_experiment(experiment, rewrite):
    rewrite(experiment / "design.json", lambda d: d["variants"].append(f"random x={'<script>'}alert(2)</script>"))
    text, words = check(next(iter(write_results(ExperimentFolder(experiment)))))
    assert "<script" not in text and "alert(1)" in words
    for table in experiment.glob("*.md"):
        assert "<script" not in table.read_text(encoding="utf-8"), table
    assert not re.search(r"(?m)(^|,)=red", (experiment / "cells.csv").read_text(encoding="utf-8"))


def test_formulas_are_no_formulas(tmp_path):
    for text in ("=1", "+1", "-x", "@x", "\t=1", "\r=1", "=cmd|' /C calc'!A0"):
        cell = write_csv(tmp_path / "t.csv", [{"a": text}]).read_text().partition("\n")[2]
        assert not cell.lstrip('"').startswith(("=", "+", "-", "@", "\t", "\r")), cell


def test_a_design_of_the_wrong_kind_is_one_sentence():
    for wrong in (
        {"variants": ("ga",) * 1001},
        {"variants": ("ga",), "generations": 10**6, "populations": (4096,)},
        {"variants": ("ga generator=" + "x" * 20_000,)},
        {"variants": ("ga",), "seeds": 10**9},
    ):
        with pytest.raises(ZeuxisError):
            make_design(**wrong)

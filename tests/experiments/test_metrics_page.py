"""The page and the Parquet file of `zeuxis metrics`, from the command line and as a job."""

import csv
import re
import shlex

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.experiments.jobs import Job
from zeuxis.experiments.work import carry_out_job


@pytest.fixture
def places(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("made", 60), ("real", 130)):
        (tmp_path / name).mkdir()
        for k in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{k}.png")
    (tmp_path / "made" / "broken <b>.png").write_bytes(b"no picture")
    return tmp_path


def said_on(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|iframe|object|link|form|base)\b|\son\w+=|@import|url\(", text)
    return " ".join(text.split())


def test_every_number_is_on_the_page_and_in_each_file(places):
    out = places / "out it"
    words = ["metrics", str(places / "made"), str(places / "real"), "--metrics", "vendi,rke,fd,recall", "--draws", "2"]
    words += ["--out", str(out)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    text = said_on(out / "report.html")
    plain = list(csv.DictReader((out / "metrics.csv").read_text().splitlines()))
    assert [row["name"].partition("60")[0] for row in plain][:2] == ["vendi", "rke"]
    for row in plain[:2]:
        assert f"{float(row['value']):.4g}" in text and f"{float(row['floor']):.4g}" in text
    for said in ("60 pictures of made beside 130 of real", "fd needs 200 pictures", "one training seed", "torch 2."):
        assert said in text, said
    assert "1 file could not be read" in text and "broken &lt;b&gt;.png" in text
    command = re.search(r"<pre>(zeuxis metrics .*?)</pre>", text)[1].replace("&#39;", "'")
    assert shlex.split(command) == ["zeuxis", *words]
    parquet = pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(out / "metrics.parquet").to_pylist()
    assert [f["value"] for f in found[:2]] == [float(row["value"]) for row in plain[:2]]
    assert found[2]["value"] is None and found[2]["refused"].startswith("fd needs")


def test_a_job_leaves_the_same_files(places):
    config = {"evaluation": "metrics", "generated": str(places / "made"), "real": str(places / "real")}
    job = Job("evaluate", config | {"metrics": ["vendi"], "draws": 2})
    result = carry_out_job(str(places / "jobs"), job, 3, False).result
    assert result is not None and result.status == "done", result
    (page,) = (places / "jobs").glob("jobs/*/work/report.html")
    assert f"{result.numbers['vendi']:.4g}" in said_on(page) and "--metrics vendi --draws 2" in said_on(page)

"""`zeuxis metrics` from the command line: the table, the files, and one sentence for what cannot be."""

import csv
import json

import metric_pictures as pictures
import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.hub.pocket import pocket_path

CLASSES = ("cat", "dog")


FAST = ("--features", pocket_path("judge"))  # 32 pixels


def zeuxis_(*words):
    features = () if "--features" in words else FAST
    return CliRunner().invoke(app, ["metrics", *map(str, (*words, *features))])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZEUXIS_CACHE", str(folder / "cache"))
        pictures.saved(pictures.drawn(104, 1), folder / "made", "jpg", CLASSES)
        pictures.saved(pictures.drawn(104, 2), folder / "real" / "train", "png", CLASSES)
        pictures.saved(pictures.drawn(104, 3), folder / "real" / "test", "png", CLASSES)
        (folder / "made" / "cat" / "broken.png").write_bytes(b"not a picture")
        yield folder


@pytest.fixture(scope="module")
def done(place):
    names = "kd,recall,clipped-coverage,nearer-train,linear-cas,clip-score,fd"
    return zeuxis_(place / "made", place / "real", "--metrics", names, "--draws", "2", "--scorer", "pocket", "--out",
                   place / "out", "--save-reference", place / "reference.safetensors")  # fmt: skip


def test_the_table_has_value_interval_and_floor(done):
    assert done.exit_code == 0, done.output
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if "104-" in line}
    paired = ("kd", "recall", "clipped-coverage", "nearer-train", "linear-cas")
    assert set(rows) == {f"{name}104-train-ownjudge" for name in paired} | {"clip-score104-pocket"}
    assert float(rows["clip-score104-pocket"][5])  # its floor: real pictures and the names of their classes
    assert "refused: fd needs 200 pictures a set and there are 104" in done.stdout
    assert "1 files could not be read" in done.output and "cat/broken.png" in done.output


def test_a_saved_reference_has_all_its_pictures(done, place):
    more = zeuxis_(place / "made", place / "reference.safetensors", "--most", "50", "--metrics", "kd")
    assert more.exit_code == 2 and "Expected --most or a saved reference" in more.output


def test_the_files_hold_every_number(done, place):
    said = json.loads((place / "out" / "metrics.json").read_text())
    assert said["features"]["name"] == "judge.safetensors" and len(said["features"]["weights"]) == 64
    assert said["sets"]["generated"]["pictures"] == 104 and len(said["sets"]["generated"]["left_out"]) == 1
    rows = list(csv.DictReader((place / "out" / "metrics.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == [r["name"] for r in said["results"]] and len(rows) == 7
    kernel = rows[0]
    assert float(kernel["low"]) < float(kernel["value"]) < float(kernel["high"]) and kernel["floor_n"] == "104"
    assert rows[-1]["refused"] and not rows[-1]["value"]
    told = next(r for r in said["results"] if r["metric"] == "clip-score")
    assert told["settings"]["features"] == "pocket" and told["settings"]["guided"] and told["floor_n"] == 104
    further = list(csv.DictReader((place / "out" / "details.csv").read_text().splitlines()))
    shares = {row["of"]: float(row["value"]) for row in further if row["what"] == "by_class"}
    assert set(shares) == set(CLASSES) and shares == said["results"][4]["more"]["by_class"]
    assert "By class" in (place / "out" / "report.html").read_text()


def test_a_saved_reference_gives_the_same_value(done, place):
    again = zeuxis_(place / "made", place / "reference.safetensors", "--metrics", "kd", "--draws", "0", "--held-out",
                    place / "real" / "test")  # fmt: skip
    assert again.exit_code == 0, again.output
    first = json.loads((place / "out" / "metrics.json").read_text())["results"][0]
    shown = next(line for line in again.stdout.splitlines() if line.startswith("kd"))
    assert shown.split()[1] == f"{first['value']:.4g}"


def test_copies_are_said_to_be_copies(place):
    done = zeuxis_(place / "real" / "train", place / "real", "--metrics", "nearer-train", "--quiet")
    assert "look memorised: 100.0%" in done.output and done.exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["made", "real", "--metrics", "fdd"], "Unknown metric 'fdd'"),
        (["made", "real", "--metrics", "kd,kd"], "Expected every metric once"),
        (["made", "real", "--reference", "val"], "Expected the split train or test"),
        (["made", "real", "--features", "vgg"], "Unknown feature space 'vgg'"),
        (["made", "real", "--strict"], "broken.png"),
        (["none", "real"], "Expected a folder of pictures"),
        (["made", "none"], "Expected a folder of pictures"),
        (["made", "cifar10"], "add --data PATH"),
        (["made", "real/test/cat/000.png"], "saved reference"),
        (["made", "real", "--out", "real/test/cat/000.png"], "Expected a folder for --out"),
        (["made", "real", "--features", "inception"], "zeuxis models pull inception-fid"),
    ],
)
def test_what_cannot_be_is_one_sentence(place, words, said, monkeypatch):
    monkeypatch.chdir(place)
    done = zeuxis_(*words, "--quiet")
    assert done.exit_code in (2, 3) and said in done.output and "Traceback" not in done.output
    assert done.output.count("Error: ") == 1

"""Several training seeds: means, deviations and intervals of every held-out figure; and TensorBoard."""

import csv
import io
import math
import sys
import types

import numpy as np
import pytest
import torch
from lab_helpers import recipe
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, Missing, SearchStopped
from zeuxis.lab import curves, panel
from zeuxis.lab.train import train
from zeuxis.report.panel import panel_png, write_panel
from zeuxis.report.training import TensorBoard, check_one

CPU = torch.device("cpu")


def look(images, distance, **others):
    return {"images": images, "d_loss": 1.0, "held_out_frechet": distance, "seconds": 1.0} | others


def logs(*distances):
    return {seed: [{"images": 5, "d_loss": 2.0}, look(10, value)] for seed, value in enumerate(distances, 3)}


def test_mean_deviation_and_interval_by_hand():
    (row,) = panel.rows(logs(1.0, 2.0, 6.0))
    assert (row.figure, row.images, row.seeds, row.mean) == ("held_out_frechet", 10, 3, 3.0)
    assert row.deviation == pytest.approx(math.sqrt(7))
    assert row.high - row.mean == pytest.approx(4.303 * math.sqrt(7 / 3)) == pytest.approx(row.mean - row.low)


def test_one_seed_has_no_interval(tmp_path):
    (row,) = panel.rows(logs(2.5))
    assert row.mean == 2.5 and all(math.isnan(x) for x in (row.deviation, row.low, row.high))
    panel.write_csv(tmp_path, [row])
    assert (tmp_path / "panel.csv").read_text().splitlines()[1] == "held_out_frechet,10,1,2.5,,,"
    assert panel.seeds_words(1) == "one training seed" and panel.seeds_words(3) == "3 training seeds"


def test_trainings_of_different_length_count_where_they_are():
    known = logs(1.0, 3.0)
    known[4].append(look(20, 5.0))
    assert [(row.images, row.seeds, row.mean) for row in panel.rows(known)] == [(10, 2, 2.0), (20, 1, 5.0)]


@pytest.mark.parametrize(
    ("degrees", "value"), [(1, 12.706), (2, 4.303), (9, 2.262), (10, 2.228), (30, 2.042), (99, 1.984)]
)
def test_students_t_is_that_of_the_tables(degrees, value):
    assert panel.student(degrees) == pytest.approx(value, abs=1e-3)


def test_an_interval_of_95_percent_holds_the_mean_95_times_of_100():
    draws, hits = np.random.default_rng(0).normal(5, 2, (400, 4)), 0
    for values in draws:
        (row,) = panel.rows(logs(*values))
        hits += row.low <= 5 <= row.high
    assert 0.92 <= hits / 400 <= 0.98


def test_a_panel_is_trained_seed_after_seed_and_resumed(data, tmp_path, monkeypatch):
    monkeypatch.setattr("zeuxis.report.panel.panel_png", lambda *given: b"drawn")
    config, told, starts = recipe("dcgan", 32, about="<panel>"), [], []

    def one(config, folder):
        starts.append(config.seed)
        if len(starts) == 2:
            raise KeyboardInterrupt
        return train(config, data, folder, device=CPU)

    with pytest.raises(KeyboardInterrupt):
        panel.train_panel(config, 2, tmp_path, one, told.append, write_panel)
    assert "one training seed" in (tmp_path / "panel.html").read_text()
    before = (tmp_path / "seed-3/log.jsonl").read_bytes()
    files = panel.train_panel(config, 2, tmp_path, one, told.append, write_panel)
    assert starts == [3, 4, 3, 4] and (tmp_path / "seed-3/log.jsonl").read_bytes() == before
    assert {path.parts[-3] for path in files} == {"seed-3", "seed-4"}
    page = (tmp_path / "panel.html").read_text()
    assert "2 training seeds" in page and "&lt;panel&gt;" in page and "<script" not in page and "data:image/png" in page
    with (tmp_path / "panel.csv").open() as file:
        table = {(row["figure"], row["images"]): row for row in csv.DictReader(file)}
    found = [curves.read_log(tmp_path / f"seed-{seed}")[-1]["held_out_frechet"] for seed in (3, 4)]
    row = table["held_out_frechet", "32"]
    assert float(row["mean"]) == pytest.approx(sum(found) / 2) and row["seeds"] == "2"
    assert float(row["deviation"]) == pytest.approx(abs(found[0] - found[1]) / math.sqrt(2))
    other = recipe("sngan", 32, about="<panel>").model_copy(update={"seed": 50})
    with pytest.raises(BadInput, match="holds a run of another recipe"):  # no mean over two recipes
        panel.train_panel(other, 2, tmp_path, one)
    said = CliRunner().invoke(app, ["show", str(tmp_path)])
    assert said.exit_code == 0 and "2 training seeds: 3, 4" in said.output and "panel.html" in said.output


def test_the_figure_has_a_drawing_for_each_figure(drawn, monkeypatch):
    monkeypatch.setattr("zeuxis.report.panel.DPI", 20)
    known = logs(1.0, 3.0)
    with Image.open(io.BytesIO(panel_png(known, panel.rows(known)))) as picture:
        assert picture.width == 240 and np.asarray(picture.convert("L")).min() < 90


def test_a_seed_that_diverges_is_said_and_the_others_go_on(tmp_path):
    told = []

    def one(config, folder):
        if config.seed != 4:
            raise SearchStopped("A loss became NaN.")
        return [folder / "x"]

    assert panel.train_panel(recipe("dcgan"), 2, tmp_path, one, told.append) == [tmp_path / "seed-4/x"]
    assert "seed 3 stopped: A loss became NaN." in told
    with pytest.raises(SearchStopped, match="None of the 1 trainings"):
        panel.train_panel(recipe("dcgan"), 1, tmp_path, one)


def test_what_is_no_panel_is_refused(tmp_path):
    for seeds in (0, 101):
        with pytest.raises(BadInput, match="from 1 to 100 seeds"):
            panel.train_panel(recipe("dcgan"), seeds, tmp_path, lambda *given: [])
    (tmp_path / "train.json").write_text("{}")
    with pytest.raises(BadInput, match="one seed"):
        check_one(tmp_path, 3)
    assert write_panel(tmp_path) == []


def test_without_its_package_tensorboard_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(Missing, match=r"pip install tensorboard$") as refusal:
        TensorBoard()
    assert refusal.value.exit_code == 3


def test_tensorboard_gets_scalars_and_grids(data, tmp_path, monkeypatch):
    heard = []

    class Writer:
        def __init__(self, place, purge_step):
            heard.append(("open", place, purge_step))

        def add_scalar(self, name, value, images):
            heard.append((name, images))

        def add_image(self, name, picture, images, dataformats):
            heard.append((name, images, picture.shape[2], dataformats))

        def flush(self):
            pass

        def close(self):
            heard.append(("close",))

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    train(recipe("dcgan", 48), data, tmp_path, device=CPU, listener=TensorBoard())
    assert heard[0] == ("open", str(tmp_path / "tensorboard"), 1) and heard[-1] == ("close",)
    assert ("step/d_loss", 32) in heard and ("held out/held_out_frechet", 48) in heard
    assert [x for x in heard if x[0] == "samples"] == [("samples", n, 3, "HWC") for n in (16, 32, 48)]

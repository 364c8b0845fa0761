"""A whole run with an archive: what it leaves, that a resume leaves the same, that a report needs the folder only."""

import pytest
import torch
from PIL import Image
from run_helpers import fingerprint, resume, run_to_the_end, toy_config

from zeuxis.errors import BadInput, RunDamaged
from zeuxis.report.html import write_report
from zeuxis.run import RunFolder, open_session, reopen_session
from zeuxis.search import QUALITY_DIVERSITY
from zeuxis.search.archive import Grid, fill
from zeuxis.storage.checksummed import verified_json
from zeuxis.tools.replay import replay

CELLS = 6


def config(search="map-elites", **changes):
    measures = ("brightness", "blue|red:-1.5..1.5")
    return toy_config(**{"search": search, "measures": measures, "options": {"cells": CELLS}, **changes})


def everything(folder):
    archive = {p.name: p.read_bytes() for p in [*folder.glob("cells/*"), folder / "archive.json"]}
    return fingerprint(folder), archive


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive") / "run"
    run_to_the_end(config(population=8, generations=6), folder)
    write_report(RunFolder(folder))
    return folder


def test_it_leaves_one_picture_per_filled_cell(done):
    content, folder = RunFolder(done).archive(), RunFolder(done)
    assert content["axes"] == ["brightness", "blue → red"] and content["ranges"][1] == [-1.5, 1.5]
    names = {f"{elite['row']:02}-{elite['column']:02}.png" for elite in content["elites"]}
    assert {p.name for p in done.glob("cells/*")} == names
    assert content["filled"] == len(content["elites"]) and content["offset"] == 0
    assert content["coverage"] == pytest.approx(content["filled"] / CELLS**2)
    assert content["qd_score"] == pytest.approx(sum(elite["score"] for elite in content["elites"]))
    assert folder.summary()["archive"].items() <= content.items()


def test_the_archive_is_the_one_that_the_log_tells(done):
    content = RunFolder(done).archive()
    told = [(e.batch.x, e.evaluation.score, e.evaluation.measures) for e in RunFolder(done).entries()]
    x, score, measures = (torch.cat(rows) for rows in zip(*told, strict=True))
    grid = Grid(CELLS, tuple(map(tuple, content["ranges"])))
    archive = fill(grid, x, score, measures)
    assert [(e["column"], e["row"]) for e in content["elites"]] == list(map(tuple, archive.cell.tolist()))
    assert [e["score"] for e in content["elites"]] == archive.score.tolist()


def test_pictures_by_cell_can_be_drawn_again(done):
    for path in sorted(done.glob("cells/*.png"))[::5]:
        assert replay(path).agrees


def test_heatmap_and_collage_are_drawn_from_the_folder_alone(done, drawn):
    write_report(RunFolder(done))
    sizes, before = {}, {name: (done / name).read_bytes() for name in ("archive.png", "collage.png")}
    for name in before:
        (done / name).unlink()
    write_report(RunFolder(done))
    for name in before:
        assert (done / name).read_bytes() == before[name]
        with Image.open(done / name) as image:
            sizes[name] = image.size
    assert sizes["collage.png"][0] == sizes["collage.png"][1] > CELLS * 64
    page = (done / "report.html").read_text(encoding="utf-8")
    assert "The archive" in page and "blue → red" in page and "QD score" in page


def test_an_archive_that_was_changed_is_refused(tmp_path):
    run_to_the_end(config(generations=1), tmp_path / "run")
    path = tmp_path / "run" / "archive.json"
    path.write_text(path.read_text().replace('"row": ', '"row": 1'))
    with pytest.raises(RunDamaged, match="checksum"):
        RunFolder(tmp_path / "run").archive()


@pytest.mark.parametrize("search", QUALITY_DIVERSITY)
def test_a_resumed_run_leaves_the_same_archive_bit_for_bit(search, tmp_path):
    run_to_the_end(config(search), tmp_path / "whole")
    with open_session(config(search), tmp_path / "broken") as session:
        for event in session:
            if event.generation == 2:
                break
    resume(tmp_path / "broken")
    assert everything(tmp_path / "broken") == everything(tmp_path / "whole")
    record = verified_json(tmp_path / "broken" / "run.json")
    assert record["decisions"]["ranges"][1] == [-1.5, 1.5] and "ribs" in record["software"]


def test_a_finished_run_may_go_on_and_only_gains_cells(tmp_path):
    run_to_the_end(config(), tmp_path / "run")
    before = {p.name for p in tmp_path.glob("run/cells/*")}
    resume(tmp_path / "run", generations=8)
    content = RunFolder(tmp_path / "run").archive()
    assert before <= {p.name for p in tmp_path.glob("run/cells/*")}
    assert {f"cells/{p.name}" for p in tmp_path.glob("run/cells/*")} == {elite["file"] for elite in content["elites"]}


def test_without_a_checkpoint_the_archive_comes_back_from_the_log(tmp_path):
    run_to_the_end(config(), tmp_path / "run")
    before = everything(tmp_path / "run")
    for path in tmp_path.glob("run/checkpoint/*"):
        path.unlink()
    resume(tmp_path / "run")
    assert everything(tmp_path / "run") == before


def test_scores_below_the_offset_are_noted(tmp_path):
    for offset, noted in ((0.0, True), (-1.0, False)):
        folder = tmp_path / f"{noted}"
        run_to_the_end(config(options={"cells": CELLS, "offset": offset}), folder)
        assert any("offset=-1" in note for note in RunFolder(folder).notes) == noted


def test_augmented_scores_leave_the_measures_alone(tmp_path):
    for augment in (0, 2):
        run_to_the_end(config(augment=augment, generations=0), tmp_path / f"{augment}")
    plain, augmented = (RunFolder(tmp_path / name).entry(0).evaluation for name in ("0", "2"))
    assert torch.equal(plain.measures, augmented.measures) and not torch.equal(plain.score, augmented.score)


def test_other_searches_record_measures_and_have_no_archive(tmp_path):
    run_to_the_end(config("ga", options={}), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert folder.entry(4).evaluation.measures.shape == (4, 2)
    assert folder.archive() is None and "archive" not in folder.summary()
    write_report(folder)
    assert not (tmp_path / "run" / "collage.png").exists()


def test_ranges_belong_to_the_measures(tmp_path):
    with pytest.raises(BadInput, match="with its measures"):
        open_session(config(options={"ranges": "0..1,0..1"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_measures_cannot_change_on_the_way(tmp_path):
    run_to_the_end(config(generations=1), tmp_path / "run")
    with pytest.raises(BadInput, match="measures"):
        reopen_session(tmp_path / "run", measures=("hue", "brightness"))
    with pytest.raises(BadInput, match="measures"):
        open_session(config(measures=("hue", "brightness")), tmp_path / "run")

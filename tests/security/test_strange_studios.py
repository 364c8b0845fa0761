"""What else the studio reads of a stranger's folder: rows of its index, latents, plots, presets, breedings."""

import asyncio
import base64
import json
import logging
import shutil
import sqlite3

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from zeuxis.config import make_config
from zeuxis.errors import BadInput, RunDamaged, ZeuxisError
from zeuxis.experiments.results import Result
from zeuxis.pictures.metadata import read_metadata
from zeuxis.storage.checksummed import checked_line, checksummed_json, verified_json
from zeuxis.studio import export, family
from zeuxis.studio.gallery import Gallery
from zeuxis.studio.guard import Guard, own_hosts
from zeuxis.studio.index import SCHEMA, Query
from zeuxis.studio.index_file import SEAL, _digest
from zeuxis.studio.index_rows import stamp_of
from zeuxis.studio.plot import make_plot
from zeuxis.studio.plot_sheet import sheet
from zeuxis.studio.plots import NAME, Plots, picture, progress
from zeuxis.studio.presets import Presets
from zeuxis.studio.state import Studio
from zeuxis.studio.status import moment
from zeuxis.workflows import Outputs, generate

TOY = {"generator": "toy", "scorer": ("toy",), "population": 4, "generations": 1, "search": "ga", "augment": 0}
BASE = TOY | {"prompt": ("a red disc",), "judge": None, "seed": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "good"
    generate("a red disc", out=place, seed=1, outputs=Outputs(False, 0), **TOY)
    return place


@pytest.fixture
def runs(made, tmp_path):
    shutil.copytree(made, tmp_path / "runs" / "good")
    return tmp_path / "runs"


@pytest.fixture
def studio(runs):
    opened = Studio(runs)
    opened.gallery.refresh()
    yield opened
    opened.close()


STRANGE = {
    "made": [1e300, -1e300, float("inf"), "text", b"\xff"], "prompt": [b"\xff\xfe"], "generator": [b"\xff"],
    "score": ["abc", b"abc"], "judge": ["x"], "label": [b"x"], "words": [b"x"], "mark": ["x"],
}  # fmt: skip


@pytest.mark.parametrize("column, value", [(name, value) for name, values in STRANGE.items() for value in values])
def test_rows_of_other_types_are_read_again_though_the_index_is_sealed(column, value, runs):
    """Who can write the index can write its seal."""
    (runs / ".studio").mkdir()
    place = runs / ".studio" / "index.sqlite3"
    base = sqlite3.connect(place)
    base.executescript(SCHEMA)
    base.execute("INSERT INTO runs VALUES ('good', ?, 'done')", (stamp_of(runs / "good"),))
    row = {"run": "good", "file": "images/best.png", "place": 0, "prompt": "p", "generator": "toy", "score": 0.5}
    row |= {"judge": 0.5, "label": "l", "words": "w", "made": 1.7e9, "mark": 0, column: value}
    names = ", ".join(row)
    base.execute(f"INSERT INTO pictures ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    base.commit()
    base.close()
    (runs / ".studio" / f"index.sqlite3{SEAL}").write_text(_digest(place))
    gallery = Gallery(runs)
    gallery.refresh()
    found = gallery.find(Query(rejected=True))
    assert [(one.prompt, one.generator) for one in found] == [("a red disc", "toy")] * 4
    assert any("not written by a studio" in note for note in gallery.notes)
    assert all(export.label(one) and moment(one.made) for one in found)
    gallery.close()


def test_a_moment_of_no_calendar_is_left_out():
    assert moment(0.0, "%Y") in ("1969", "1970")
    assert [moment(at) for at in (1e300, -1e300, float("nan"), float("inf"), "x", None)] == [""] * 5 + [moment(None)]


def forge(path, latent, **more):
    """Another latent in the metadata of a picture of a run."""
    with Image.open(path) as image:
        content, pixels = json.loads(image.info["zeuxis"]), image.copy()
    genes = np.asarray(latent, "<f4").tobytes()
    info = PngInfo()
    info.add_itxt("zeuxis", json.dumps(content | {"latent": base64.b64encode(genes).decode()} | more))
    pixels.save(path, pnginfo=info)


@pytest.mark.parametrize(
    "latent, more", [([0.0], {}), ([0.1] * 60_000, {}), (None, {"sha256": "0" * 64}), (None, {"generator": "pocket"})]
)
def test_a_latent_of_another_generator_is_refused(latent, more, studio):
    """One gene would be spread over all of them without a word."""
    found = studio.gallery.find()[:2]
    for one in found:
        path = studio.gallery.path(one)
        forge(path, read_metadata(path).latent if latent is None else latent, **more)
    if "generator" not in more:  # a breeding takes the generator of the run
        with pytest.raises(BadInput, match=r"genes|weights"):
            studio.breed_from([one.id for one in found])
    with pytest.raises(BadInput, match=r"genes|weights"):
        export.interpolation(studio.gallery, found)


def test_a_run_that_names_another_generator_than_drew_its_pictures_is_refused(runs):
    content = verified_json(runs / "good" / "run.json")
    content["config"]["generator"] = "fft"
    (runs / "good" / "run.json").write_bytes(checksummed_json(content))
    studio = Studio(runs)
    studio.gallery.refresh()
    with pytest.raises(ZeuxisError):
        studio.breed_from([one.id for one in studio.gallery.find()][:1] or [1])
    studio.close()


def test_a_picture_is_not_enlarged_beyond_memory(studio):
    found = studio.gallery.find()[0]
    path = studio.gallery.path(found)
    Image.new("RGB", (4096, 4096)).save(path)
    with pytest.raises(BadInput, match="once enlarged, got 4096 x 4096"):
        export.enlargement(studio.gallery, [found], 4)


@pytest.fixture(scope="module")
def plotted(tmp_path_factory):
    plots = Plots(tmp_path_factory.mktemp("plots"), "local")
    made = plots.new(make_plot(BASE, [("realism", "0, 0.5")]))
    assert plots.carry_out(made)[0] == "done"
    return made.folder


@pytest.fixture
def plots(plotted, tmp_path):
    shutil.copytree(plotted, tmp_path / "plots" / "p")
    return Plots(tmp_path / "plots", "local")


LONG = {
    "words": ({"prompt": ["a" * 4000]}, {"x": {"field": "words", "values": "a, " + "b" * 3900}}),
    "three axes": (
        {"prompt": ["a" * 100]},
        {axis: {"field": "words", "values": "a, " + "a" * k} for axis, k in (("x", 3000), ("y", 3001), ("z", 3002))},
    ),
    "phrase": ({"prompt": ["a" * 10_000_000]}, {}),
    "phrases": ({"prompt": ["a"] * 100_000}, {}),
    "seeds": ({"prompt": ["a" * 40_000] * 250}, {"seeds": 100}),
    "number": ({"prompt": 5}, {}),
    "none": ({"prompt": None}, {}),
}


@pytest.mark.parametrize("what", LONG)
def test_a_plot_whose_prompts_would_grow_without_bound_is_damaged(what, plots):
    base, more = LONG[what]
    content = verified_json(plots.runs / "p" / NAME)
    content["spec"] = content["spec"] | {"base": content["spec"]["base"] | base} | more
    (plots.runs / "p" / NAME).write_bytes(checksummed_json(content))
    with pytest.raises(RunDamaged, match="no plot that this version wrote"):
        plots.known("p")


def test_a_prompt_of_several_lines_is_drawn_in_one():
    assert sheet(make_plot(BASE | {"prompt": ("a red\ndisc\x1b",)}, [("realism", "0, 0.5")]), {})[:4] == b"\x89PNG"


def test_the_work_of_a_plot_is_no_link(plots):
    plot, results = plots.known("p")
    work = plot.work(plot.jobs[0]).path
    work.rename(plots.runs / "elsewhere")
    work.symlink_to(plots.runs / "elsewhere")
    with pytest.raises(RunDamaged, match="is a link"):
        plot.work(plot.jobs[0])
    assert [picture(plot, one, results) is None for one in plot.cells] == [True, False]
    assert 0 <= progress(plot, {}) < 1
    with pytest.raises(BadInput, match="no such plot"):
        plots.known("a" * 300)


def test_a_number_that_no_float_holds_is_no_result():
    with pytest.raises(ValueError, match="numbers"):
        Result(job="0" * 16, status="done", numbers={"best": 10**400})
    assert Result(job="0" * 16, status="done", numbers={"best": 5}).numbers == {"best": 5}


def test_presets_name_no_code_and_no_link_is_written_through(tmp_path):
    (tmp_path / "private").mkdir()
    presets = Presets(tmp_path / "own")
    presets.save("a", BASE)
    (presets.folder / "code.toml").write_text('prompt = ["x"]\ngenerator = "strangers:factory"\n')
    with pytest.raises(BadInput, match="is code"):
        presets.load("code")
    with pytest.raises(BadInput, match="Expected a name"):
        presets.save("\ud800", BASE)
    presets.folder.rename(tmp_path / "away")
    presets.folder.symlink_to(tmp_path / "private")
    (tmp_path / "private" / "v.toml").write_text('prompt = ["secret"]\n')
    assert presets.names() == []
    with pytest.raises(ZeuxisError, match="link"):
        presets.save("b", BASE)
    assert [path.name for path in (tmp_path / "private").iterdir()] == ["v.toml"]


def test_what_a_file_names_is_not_put_into_a_form_where_it_would_count_as_typed():
    pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
    from zeuxis.studio.pages.form import write_form

    with pytest.raises(BadInput, match="is code"):
        write_form(BASE | {"judge": "strangers:factory"})


def test_a_breeding_has_an_end_and_a_pair_needs_two(runs, monkeypatch):
    studio = Studio(runs)
    bench = studio._bench(make_config(**BASE), ())
    folder, path = bench.journal.folder, bench.journal.path
    studio.close()
    head, step = (json.loads(line) for line in path.read_text().splitlines())
    for line in (head, step):
        line.pop("check")
    one = {"table": step["table"] | {"shown": [0], "banned": [0]}, "pictures": []}
    many = {"table": step["table"] | {"shown": [0]}, "pictures": step["pictures"]}
    path.write_text("".join(checked_line(line) + "\n" for line in (head, step, many, many, one)))
    monkeypatch.setattr(family, "MOST", 2 * len(step["pictures"]))
    studio = Studio(runs)
    bench = studio.reopen(folder)
    assert len(bench.family.pictures) == 2 * len(step["pictures"]) and "2 steps are damaged" in bench.notes[0]
    with pytest.raises(BadInput, match="Two pictures"):
        bench.breeding.pair()
    studio.close()


def test_a_request_that_pages_make_no_sense_of_is_a_line_without_control_characters(caplog):
    async def app(scope, receive, send):
        raise AttributeError("no \x1b[2J file")

    host = (b"host", own_hosts(8350)[0].encode())
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/\x07x",
        "raw_path": b"/x",
        "headers": [host],
        "query_string": b"",
    }
    with caplog.at_level(logging.WARNING):
        asyncio.run(Guard(app, own_hosts(8350))(scope, None, None))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "A request was not answered" in said and "AttributeError" in said and said.isprintable()

"""What a finished run looks like: page, curve, best pictures, animation. Everything is read from its folder alone."""

import base64
import io
import re
import shutil
import sys
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import MissingExtra, RunError
from zeuxis.pictures.enlarge import Enlarge
from zeuxis.report.animation import best_frames, import_ffmpeg, write_gif, write_mp4
from zeuxis.report.commands import generate_command
from zeuxis.report.curve import curve_png
from zeuxis.report.facts import precision, speed
from zeuxis.report.html import spread, write_report
from zeuxis.report.top import distinct, too_few, write_top
from zeuxis.report.verdict import Picture, short_verdict, verdict
from zeuxis.run import RunFolder, open_session, read_metadata
from zeuxis.run.history import Row
from zeuxis.workflows import Outputs, generate, resume

PROMPT = "<script>alert('x')</script> a red disc on blue & {{ prompt }}"
NAN = float("nan")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished toy run: its folder, and the animation's frames (the only part that needs the generator)."""
    path = tmp_path_factory.mktemp("report") / "run"
    config = make_config(
        prompt=(PROMPT,), negative=("<b> green",), generator="toy", scorer="toy", judge="toy",
        population=6, generations=5, view_every=2, seed=4, precision="fp32",
    )  # fmt: skip
    with open_session(config, path) as session:
        list(session)
        session.problem.decisions.note("A note with <i>marks</i>.")
        session.finish()
        frames = best_frames(session.folder, session.problem.render)
    return RunFolder(path), frames


@pytest.fixture(scope="module")
def page(run):
    return write_report(run[0]).read_text(encoding="utf-8")


def test_the_page_is_one_file_without_scripts_or_requests(page):
    assert "<script" not in page and "http:" not in page and "https:" not in page and "@import" not in page
    sources = re.findall(r'(?:src|srcset)="([^"]{0,30})', page)
    assert sources and all(source.startswith("data:image/") for source in sources)


def test_every_picture_can_be_clicked_and_opens_a_file_of_the_run(run, page):
    folder, _ = run
    links = re.findall(r'<a href="([^"]*)"', page)
    assert all((folder.path / link).is_file() for link in links)
    wanted = [folder.best_image, folder.path / "curve.png", *folder.individuals(), *folder.grids()]
    assert {path.relative_to(folder.path).as_posix() for path in wanted} == set(links)


def test_what_the_user_wrote_is_escaped(page):
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page and "{{ prompt }}" in page
    assert "<b> green" not in page and "<i>marks" not in page


def test_the_page_shows_every_picture_of_the_final_population_enlarged_without_steps(run, page):
    folder, _ = run
    assert len(folder.individuals()) == 6
    shown = [
        base64.b64decode(data) for data in re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="Picture', page)
    ]
    assert len(shown) == 6 and "pixelated" not in page
    for data, path in zip(shown, folder.individuals(), strict=True):
        large = np.asarray(Image.open(path).resize((160, 160), Image.Resampling.LANCZOS), dtype=np.float32)
        assert np.abs(np.asarray(Image.open(io.BytesIO(data)), dtype=np.float32) - large).mean() < 4
    assert base64.b64encode((folder.path / "curve.png").read_bytes()).decode() in page


def test_a_phone_gets_a_curve_of_its_own(page):
    narrow = re.findall(r'<source media="\(max-width: 640px\)[^"]*" srcset="data:image/png;base64,([^"]+)"', page)
    assert len(narrow) == 2  # light and dark
    for data in narrow:
        width, height = Image.open(io.BytesIO(base64.b64decode(data))).size
        assert width < 800 < height


def test_each_picture_stands_over_its_score_and_the_judges_label(run, page):
    summary = run[0].summary()
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(captions) == 6
    for caption, row, seen in zip(captions, summary["population"], summary["judge"]["population"], strict=True):
        assert (
            f"{row['score']:.4f}" in caption
            and seen["label"] in caption
            and f"{100 * seen['confidence']:.0f} %" in caption
        )


def test_the_page_says_how_the_run_is_made_continued_and_checked(run, page):
    folder, _ = run
    commands = [unescape(command) for command in re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)]
    assert commands[0].startswith(f"zeuxis resume {folder.path}")
    assert commands[1] == f"zeuxis replay {folder.best_image}"
    assert commands[3] == generate_command(folder.config)


def test_the_page_names_models_seed_and_precision(run, page):
    models = run[0].record["models"]
    for model in (models["generator"], *models["scorers"], models["judge"]):
        assert model["sha256"][:12] in page
    assert "fp32: as configured" in page and '<th scope="row">seed</th><td>4</td>' in page


def test_the_page_shows_the_population_over_time(run, page):
    assert [path.stem[-1] for path in run[0].grids()] == ["0", "2", "4"]
    assert all(f"The population of generation {k}" in page for k in (0, 2, 4))


def test_a_run_that_is_not_finished_has_no_report(run, tmp_path):
    copy = shutil.copytree(run[0].path, tmp_path / "copy")
    (copy / "summary.json").unlink()
    with pytest.raises(RunError, match="has not been finished"):
        write_report(RunFolder(copy))


def test_a_run_without_a_judge_says_so(tmp_path):
    config = make_config(
        prompt=("a red disc",), generator="toy", scorer="toy", judge=None, population=4, generations=0, precision="fp32"
    )
    with open_session(config, tmp_path / "run") as session:
        list(session)
        session.finish()
    assert "No judge has looked" in write_report(RunFolder(tmp_path / "run")).read_text(encoding="utf-8")


# curve


def size(png):
    image = Image.open(io.BytesIO(png))
    image.load()
    return image.size


def test_the_curve_draws_a_history_and_the_judges_looks(run, drawn):
    rows = run[0].history()
    silent = [replace(row, judged=None) for row in rows]
    with_judge, without = curve_png(rows), curve_png(silent)
    assert size(with_judge) == size(without) and with_judge != without


@pytest.mark.parametrize("figures", [(NAN, NAN, NAN), (0.5, 0.5, 0.5), (1e30, 0.0, -1e30)])
def test_the_curve_can_draw_any_single_generation(figures, drawn):
    assert size(curve_png([Row(0, 4, figures[0], *figures, unscored=0)]))[0] > 500


# verdict


def seen(judged, confidence, label="truck"):
    return Picture(0, 0.3, "", label, confidence, judged)


@pytest.mark.parametrize(
    ("population", "short", "long"),
    [
        (
            [seen(0.9, 0.9), seen(0.1, 0.8, "cat")],
            "90 % truck; 1 of 2 pictures recognised",
            "that is what was asked for",
        ),
        ([seen(0.1, 0.8, "cat")], "80 % cat; 0 of 1 pictures recognised", "that is not what was asked for"),
        ([seen(None, 0.8)], "80 % truck; it has no word", "can confirm nothing"),
        ([Picture(0, 0.3, "")], "none", "No judge has looked"),
    ],
)
def test_the_verdict_counts_what_the_judge_takes_for_what_was_asked(population, short, long):
    assert short_verdict(population).startswith(short) and long in verdict(population)


# facts


def test_speed_counts_only_generations_whose_time_was_kept():
    rows = [Row(k, 10 * (k + 1), 0, 0, 0, 0, 0, None, rate) for k, rate in enumerate([100.0, None, 50.0])]
    assert speed(rows) == "67"  # 20 images in 0.1 + 0.2 s
    assert speed(rows[1:2]) == "not known"


def test_the_precision_says_why_it_was_chosen():
    gate = {"precision": "bf16", "reason": "bf16 is faster and ranks alike", "correlation": 0.9987}
    assert precision(gate) == "bf16: bf16 is faster and ranks alike (rank correlation 0.9987)"


@pytest.mark.parametrize(("length", "expected"), [(0, []), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (10, [0, 3, 6, 9])])
def test_stages_are_spread_evenly_from_the_first_to_the_last(length, expected):
    assert spread(list(range(length)), 4) == expected


# top


def test_pictures_that_look_alike_are_taken_once():
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert distinct([black, black + 1, white, white - 2, black + 90], 3) == [0, 2, 4]
    assert distinct([black, white], 1) == [0]
    assert distinct([], 3) == [] and distinct([black, black + 20], 3) == [0]  # 20 of 255 is no other picture


def test_fewer_different_pictures_than_asked_are_said():
    assert too_few(16, 16) == "" and too_few(3, 8).startswith("top/ holds 3 of 8 pictures: ")


def test_the_top_pictures_are_copies_that_can_be_replayed(run):
    folder, _ = run
    paths = write_top(folder, 2)
    assert [path.name for path in paths] == ["01.png", "02.png"]
    assert paths[0].read_bytes() == folder.individual_path(0).read_bytes()
    assert read_metadata(paths[1]).seed == 4 and (folder.path / "top/sheet.png").exists()
    write_top(folder, 1)
    names = ["01.png", "01_large.png", "sheet.png"]
    assert sorted(p.name for p in (folder.path / "top").iterdir()) == names


def width(path):
    with Image.open(path) as image:
        return image.width


def test_enlarged_copies_are_as_large_as_asked_and_left_out_where_the_picture_is_large_enough(run):
    folder, _ = run
    top, own = folder.path / "top", width(folder.individual_path(0))
    write_top(folder, 1)
    assert 256 <= width(top / "01_large.png") < 256 + own
    write_top(folder, 1, Enlarge(5 * own - 1))
    assert width(top / "01_large.png") == 5 * own and width(top / "sheet.png") >= 5 * own
    write_top(folder, 1, Enlarge(own))
    assert not (top / "01_large.png").exists()


# animation


def test_there_is_one_frame_for_each_time_the_best_changed(run):
    folder, frames = run
    best = [row.best_score for row in folder.history()]
    assert [frame.score for frame in frames] == sorted(set(best))
    assert sum(frame.held for frame in frames) == len(best)
    assert (frames[-1].pixels == np.asarray(Image.open(folder.best_image))).all()


def test_the_gif_plays_every_frame_and_holds_the_last(run, tmp_path):
    _, frames = run
    with Image.open(write_gif(frames, tmp_path / "best.gif")) as gif:
        assert (gif.n_frames, gif.info["loop"]) == (len(frames), 0)
        assert gif.width == 256 and gif.height > gif.width  # eight times as large, and a caption
        gif.seek(gif.n_frames - 1)
        assert gif.info["duration"] == 2500
    assert [path.name for path in tmp_path.iterdir()] == ["best.gif"]


def test_the_mp4_is_a_video(run, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    assert write_mp4(run[1], tmp_path / "best.mp4").read_bytes()[4:8] == b"ftyp"
    assert [path.name for path in tmp_path.iterdir()] == ["best.mp4"]


def test_without_its_package_the_mp4_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtra, match=r"zeuxis\[video\]"):
        import_ffmpeg()


def test_the_command_of_a_run_leaves_out_what_is_the_default():
    assert generate_command(RunConfig(prompt=("a cat",), seed=3)) == "zeuxis generate --seed 3 'a cat'"


def test_what_shows_the_end_before_goes_when_it_is_not_written_anew(tmp_path):
    place, mine = tmp_path / "run", tmp_path / "run/top/mine.png"
    toys = {"generator": "toy", "scorer": "toy", "judge": "toy", "search": "ga", "augment": 0, "precision": "fp32"}
    generate("a red disc", out=place, outputs=Outputs(gif=True), generations=1, population=4, seed=7, **toys)
    mine.write_bytes(b"mine")
    none = Outputs(report=False, top=0)
    shown = {"best.gif", "report.html", "curve.png", "top"}
    resume(place, outputs=none)  # nothing new: they show this very end
    assert shown <= {path.name for path in place.iterdir()} and len(list(mine.parent.iterdir())) > 2
    resume(place, generations=2, outputs=none)
    assert shown & {path.name for path in place.iterdir()} == {"top"}
    assert [path.name for path in mine.parent.iterdir()] == ["mine.png"]
    mine.unlink()
    resume(place, generations=3, outputs=none)
    assert not mine.parent.exists()

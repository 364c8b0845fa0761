"""Presets: the file of --config, names that are never paths, other people's files, and the form that shows them."""

import json

import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.run import RunFolder
from zeuxis.storage.checksummed import checksummed_json
from zeuxis.studio.axes import Axis
from zeuxis.studio.presets import Axes, Presets

TOY = {"prompt": ("a red disc",), "generator": "toy", "scorer": ("toy",), "judge": None, "population": 6, "seed": 0}


@pytest.fixture
def presets(tmp_path):
    return Presets(tmp_path)


def test_save_load_rename_delete_and_back(presets):
    assert presets.names() == []
    assert presets.save("  My   toy ", TOY) == "My toy"
    assert presets.load("My toy") == TOY
    with pytest.raises(BadInput, match="already"):
        presets.save("my TOY", TOY)
    assert presets.save("my TOY", TOY | {"population": 7}, replace=True) == "My toy"
    assert presets.load("My toy")["population"] == 7
    assert presets.rename("My toy", "MY toy") == "MY toy" and presets.names() == ["MY toy"]
    presets.save("äöü 2", TOY)
    with pytest.raises(BadInput, match="already"):
        presets.rename("äöü 2", "My Toy")
    data = presets.delete("MY toy")
    assert presets.names() == ["äöü 2"]
    presets.restore("MY toy", data)
    assert presets.load("MY toy")["population"] == 7
    with pytest.raises(BadInput, match="already"):
        presets.restore("MY toy", data)


@pytest.mark.parametrize(
    "name",
    ["", " ", "../x", "a/b", "a\\b", "..", ".x", "x.", "x.toml", "-x", "a:b", "a\0b", "a\nb", "con", "LPT1", "x" * 61],
)  # fmt: skip
def test_a_name_is_never_a_path(presets, tmp_path, name):
    presets.save("kept", TOY)
    before = sorted(tmp_path.rglob("*"))
    if "\n" not in name:
        with pytest.raises(BadInput, match="Expected a name"):
            presets.save(name, TOY)
        with pytest.raises(BadInput, match="Expected a name"):
            presets.rename("kept", name)
    for act in (presets.load, presets.delete, presets.path):
        with pytest.raises(BadInput, match="no preset"):
            act(name)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_line_makes_the_same_run(presets, tmp_path):
    presets.save("toy", TOY | {"generations": 1, "view_every": 5, "precision": "fp32", "augment": 0})
    out = tmp_path / "run"
    words = ["generate", "--config", presets.path("toy"), "--out", out, "--quiet"]
    ran = CliRunner().invoke(app, [str(word) for word in words])
    assert ran.exit_code == 0, ran.output
    config = RunFolder(out).config
    assert (config.seed, config.prompt, config.generations, config.judge) == (0, ("a red disc",), 1, None)


def test_files_of_others(presets, tmp_path):
    presets.save("toy", TOY)
    path = presets.path("toy")
    path.write_text(path.read_text() + "\n[prompt2]\nx = 1\n")
    with pytest.raises(BadInput, match="prompt2"):
        presets.load("toy")
    (presets.folder / "foreign.toml").write_text('[prompt]\nprompt = ["x"]\nimage_prompt = ["/home/me/private.png"]\n')
    with pytest.raises(BadInput, match=r"private\.png"):
        presets.load("foreign")
    presets.save("own", TOY | {"image_prompt": ("/home/me/private.png",)})
    assert presets.load("own")["image_prompt"] == ("/home/me/private.png",)
    (tmp_path / "secret.toml").write_text("")
    (presets.folder / "link.toml").symlink_to(tmp_path / "secret.toml")
    assert "link" not in presets.names()
    with pytest.raises(RunDamaged, match="is a link"):
        presets.load("toy")


AXES = Axes(x=Axis(field="words", values="red, blue"), y=Axis(field="search", values="ga, de"), seeds=3)


def test_axes_are_kept_beside_the_settings(presets, tmp_path):
    presets.save("plot", TOY, axes=AXES)
    presets.save("plain", TOY)
    assert presets.names() == ["plain", "plot"] and presets.axes("plot") == AXES and presets.axes("plain") is None
    presets.rename("plot", "My plot")
    assert presets.axes("My plot") == AXES and presets.load("My plot") == TOY
    gone = presets.delete("My plot")
    presets.save("My plot", TOY)
    assert presets.axes("My plot") is None  # not those of the one before
    presets.delete("My plot")
    presets.restore("My plot", gone)
    assert presets.axes("My plot") == AXES
    presets.save("My plot", TOY, replace=True)
    assert presets.axes("My plot") is None
    out = tmp_path / "run"
    presets.save("My plot", TOY | {"generations": 1, "augment": 0}, axes=AXES, replace=True)
    words = ["generate", "--config", presets.path("My plot"), "--out", out, "--quiet"]
    assert CliRunner().invoke(app, [str(word) for word in words]).exit_code == 0


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ({"field": "generator", "values": "toy, os:system"}, "os:system"),
        ({"field": "start_from", "values": "/home/me/private.png"}, r"private\.png"),
        ({"field": "nothing", "values": "1"}, "Expected a setting of a run"),
    ],
)
def test_axes_of_others_run_no_code_and_read_no_file(presets, axis, said):
    presets.save("plot", TOY, axes=AXES)
    path = presets.folder / "plot.axes.json"
    path.write_bytes(checksummed_json({"format": 1, "axes": {"x": axis}}))
    with pytest.raises(BadInput, match=said):
        presets.axes("plot")
    for wrong in (checksummed_json({"axes": {"x": 1}}), b"{}", path.read_bytes()[:-9]):
        path.write_bytes(wrong)
        with pytest.raises(RunDamaged):
            presets.axes("plot")


def test_a_link_in_the_place_of_axes_is_not_followed(presets, tmp_path):
    presets.save("plot", TOY)
    (tmp_path / "secret.json").write_bytes(checksummed_json({"format": 1, "axes": AXES.model_dump(mode="json")}))
    (presets.folder / "plot.axes.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(RunDamaged, match="is a link"):
        presets.axes("plot")


def test_a_form_with_axes_is_read_as_it_was_written():
    pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
    from zeuxis.studio.pages.form import read_axes, write_axes

    form = write_axes(AXES)
    assert form["x-values"] == "red, blue" and form["seeds"] == "3" and form["z-field"] == ""
    assert read_axes(form, TOY) == AXES and read_axes({"prompt": "x", "x-field": ""}, TOY) is None
    for wrong, said in (({"y-values": ""}, "what varies and its values"), ({"seeds": "many"}, "number of seeds")):
        with pytest.raises(BadInput, match=said):
            read_axes(form | wrong, TOY)


def test_a_form_and_its_fields_are_the_same():
    pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
    from zeuxis.config import make_config
    from zeuxis.studio.live import DEFAULTS
    from zeuxis.studio.pages.form import config_of, read_form, write_form

    fields = {
        "prompt": ("a red disc", "at night:0.5"), "generator": "toy", "scorer": ("toy", "toy:0.5"), "judge": None,
        "seed": 0, "augment": 4, "realism": 0.1, "templates": False, "options": {"F": 0.5, "strategy": "rand/1/bin x"},
    }  # fmt: skip
    form = write_form(fields)
    assert form["prompt"] == "a red disc | at night:0.5" and "realism=0.1" in form["more"]
    assert json.loads(json.dumps(form)) == form
    assert make_config(**config_of(form), **DEFAULTS) == make_config(**fields, **DEFAULTS)
    assert write_form({"prompt": ("x",)})["search"] == "auto"
    wrong = {
        "augment": "name=value",
        "prompt=x": "name=value",
        "a=1": "setting of a run",
        "augment=x": "--augment",
        "'": "in pairs",
    }
    for more, said in wrong.items():
        with pytest.raises(BadInput, match=said):
            read_form({"prompt": "x", "more": more})
    with pytest.raises(BadInput, match="do not fit"):
        write_form({"prompt": ("x",), "negative": ("a+b",)})


def test_what_is_typed_under_other_settings_counts_and_numbers_have_their_range():
    from zeuxis.studio.pages.form import FIRST, read_form

    form = FIRST | {"prompt": "x"}
    typed = {"generator": "stripes:Stripes", "search": "ga", "population": 16}
    more = " ".join(f"{name}={value}" for name, value in typed.items())
    fields = read_form(form | {"more": more})[1]
    assert {name: fields[name] for name in typed} == typed and fields["generations"] == 160
    assert read_form(form | {"more": "search=ga", "search": "ga"})[1]["search"] == "ga"
    with pytest.raises(BadInput, match="search once, got de and, under other settings, ga"):
        read_form(form | {"more": "search=ga", "search": "de"})
    for wrong in ({"population": "3"}, {"generations": "200000"}, {"population": "many"}, {"seed": "-1"}):
        with pytest.raises(BadInput, match=r"Expected \w+ from [\d,]+ to [\d,]+, got "):
            read_form(form | wrong)

"""`zeuxis translate`: a trained CycleGAN or StarGAN applied to files, and what it refuses."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.hub.model_file import Part, write_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.gan import TRANSLATORS
from zeuxis.tools.translate import open_translator, translated

FACTS = {"cyclegan": {"width": 4, "blocks": 1}, "stargan": {"width": 4, "blocks": 1}}
NAMES = ["Black", "Off White", "Red"]


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def write(folder, kind="stargan", channels=3, domains=NAMES):
    torch.manual_seed(0)
    facts = {"resolution": 16, "classes": [3], "channels": channels} | FACTS[kind]
    net = TRANSLATORS[kind]()[0](**facts)
    parts = {"generator": Part(facts, net.state_dict())}
    return write_model(folder / f"{kind}.safetensors", f"gan-{kind}", parts, about={"domains": domains})


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (20, 30)), ("b.jpg", (16, 16)), ("c.webp", (40, 18))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / name)
    return [tmp_path / name for name in ("a.png", "b.jpg", "c.webp")]


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("kind", list(FACTS))
def test_a_sheet_and_single_pictures(kind, ending, pictures, tmp_path):
    out = tmp_path / f"out{ending}"
    found = zeuxis_("translate", *pictures, "--generator", write(tmp_path, kind), "--to", "off white", "--out", out)
    assert found.exit_code == 0, found.output
    singles = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in singles] == [f"{name}-off-white{ending}" for name in "abc"]
    assert found.stdout.split() == [str(path) for path in (out, *singles)]
    with Image.open(singles[0]) as single, Image.open(out) as sheet:
        assert single.size == (16, 16) and sheet.width > sheet.height > 200
    if ending == ".png":
        translator = open_translator(str(tmp_path / f"{kind}.safetensors"), torch.device("cpu"))
        with Image.open(pictures[1]) as picture:
            x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        wanted = (translated(translator, x, 1)[0] * 255).round().permute(1, 2, 0).numpy()
        with Image.open(singles[1]) as single:
            assert np.abs(np.asarray(single).astype(int) - wanted).max() <= 1


def test_all_domains_where_none_is_named_and_equal_names_are_numbered(pictures, tmp_path):
    (tmp_path / "more").mkdir()
    again = tmp_path / "more" / "a.png"
    again.write_bytes(pictures[0].read_bytes())
    out = tmp_path / "sheet.png"
    found = zeuxis_("translate", pictures[0], again, "--generator", write(tmp_path, channels=1), "--out", out)
    assert found.exit_code == 0, found.output
    names = {path.name for path in (tmp_path / "sheet").iterdir()}
    assert names == {f"{n}-a-{word}.png" for n in ("001", "002") for word in ("black", "off-white", "red")}


def test_what_cannot_be_is_refused_in_one_sentence_and_nothing_is_written(pictures, tmp_path):
    good = write(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "old").mkdir()
    short = write(tmp_path / "old", domains=NAMES[:2])
    before = sorted(tmp_path.rglob("*"))
    cases = [
        ([pictures[0], "--generator", good, "--to", "Blak"], 2, "Did you mean Black"),
        ([tmp_path / "none.png", "--generator", good], 2, "none.png"),
        ([pictures[0], tmp_path / "text.png", "--generator", good], 2, "readable PNG"),
        ([pictures[0], "--generator", pocket_path("generator")], 2, "translates no pictures"),
        ([pictures[0], "--generator", tmp_path / "none.safetensors"], 3, "none.safetensors"),
        ([pictures[0], "--generator", pictures[1]], None, "Error"),
        ([pictures[0], "--generator", short], None, "names 2 domains for 3 outputs"),
        ([pictures[0], "--generator", good, "--out", tmp_path / "x.gif"], 2, ".png, .jpg"),
        ([pictures[0], "--generator", good, "--device", "tpu"], 2, "device"),
        ([pictures[0], "--generator", good, "--enlarge", "big"], 2, "--enlarge"),
        ([pictures[0]], 2, "--generator"),
    ]
    for words, code, said in cases:
        found = zeuxis_("translate", *words, *([] if "--out" in words else ["--out", tmp_path / "x.png"]))
        text = " ".join(found.output.split())
        assert found.exit_code == code or (code is None and found.exit_code in (2, 3)), (words, text)
        assert said in text and "Traceback" not in text, (said, text)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_translator_is_no_generator_of_a_search(tmp_path):
    found = zeuxis_("sample", "--generator", write(tmp_path), "--out", tmp_path / "s.png")
    assert found.exit_code == 2 and "zeuxis translate PICTURE" in " ".join(found.output.split())

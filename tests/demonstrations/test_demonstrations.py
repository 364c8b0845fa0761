"""Each demonstration at a hundredth of its size: a page of its own, figures, pictures; what the toys are made of."""

import re

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.demonstrations import DEMONSTRATIONS
from zeuxis.demonstrations.base import Settings, gif, plotted
from zeuxis.demonstrations.interpolation import arc
from zeuxis.demonstrations.saturation import gradient
from zeuxis.demonstrations.toy import circle, found_modes, moons, on_points, ring, shapes, spiral
from zeuxis.rng import stream

TINY = Settings(seed=1, effort=0.01)


@pytest.mark.parametrize("name", list(DEMONSTRATIONS))
def test_it_writes_a_page_that_asks_for_nothing(name, drawn, tmp_path):
    result = CliRunner().invoke(app, ["demo", name, "--out", str(tmp_path / name), "--effort", "0.01", "--seed", "1"])
    assert result.exit_code == 0, result.output
    page = (tmp_path / name / "index.html").read_text()
    assert result.output.split()[-1].endswith("index.html") and "default-src 'none'" in page
    assert not re.search(r"<script|https?://(?!arxiv)|src=\"(?!data:)", page)
    assert f"zeuxis demo {name} --seed 1 --effort 0.01" in page
    pictures = [path for path in (tmp_path / name).iterdir() if path.suffix in (".png", ".gif")]
    assert pictures and page.count("data:image/") == len(pictures)
    for path in pictures:
        with Image.open(path) as image:
            assert image.size[0] > 100
    assert "nan" not in re.sub(r"data:image/[^\"]*", "", page).lower().split()


def test_the_same_seed_shows_the_same():
    one, two = (DEMONSTRATIONS["saturation"](TINY) for _ in range(2))
    assert one.rows == two.rows and one.rows != DEMONSTRATIONS["saturation"](Settings(2, 0.01)).rows


def test_without_a_name_they_are_listed():
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 0 and all(name in result.output for name in DEMONSTRATIONS)
    assert CliRunner().invoke(app, ["demo", "surfaces"]).exit_code == 2


@pytest.mark.parametrize("place", [ring, moons, spiral])
def test_points_lie_in_view(place):
    points = place(500, stream(0, "points"))
    assert points.shape == (500, 1, 1, 2) and 0.8 < float(points.abs().max()) < 1.7


def test_shapes_are_pictures():
    images = shapes(64, stream(0, "shapes"))
    assert images.shape == (64, 1, 16, 16) and float(images.min()) == -1 and float(images.max()) <= 1
    assert float(images.flatten(1).amax(1).min()) > -0.5  # none is empty


def test_modes_are_counted():
    real = ring(2000, stream(0, "ring"))
    modes, near = found_modes(real, circle())
    assert modes == 8 and near > 0.99  # 4 deviations in the plane: all but 3 in 10,000
    assert found_modes(real[real[:, 0, 0, 0] > 0.9], circle()) == (1, pytest.approx(1.0, abs=0.01))
    assert found_modes(real * 1.5, circle())[1] < 0.1


def test_a_sure_discriminator_leaves_the_saturating_loss_flat():
    toy = on_points(Settings())
    for layer in (toy.discriminator.body[-1],):
        torch.nn.init.constant_(layer.bias, -12.0)
    assert gradient(toy, "minimax") < 1e-4 * gradient(toy, "non-saturating")


def test_an_arc_keeps_the_length():
    a, b = torch.randn(2, 64, generator=stream(0, "ends"))
    b = b * a.norm() / b.norm()
    way = arc(a, b, torch.linspace(0, 1, 5))
    assert torch.allclose(way[0], a, atol=1e-4) and torch.allclose(way[-1], b, atol=1e-4)
    assert torch.allclose(way.norm(dim=1), a.norm().expand(5), rtol=1e-4)


def test_a_training_finds_modes_and_one_without_steps_does_not():
    toy = on_points(Settings(), r1=0.1)
    before = found_modes(toy.draw(500), circle())[1]
    toy.run(ring, 150)
    assert len(toy.losses) == 150 and found_modes(toy.draw(500), circle())[1] > before + 0.1


def test_a_gif_moves(drawn, tmp_path):
    pages = [plotted(lambda axes, k=k: axes.plot([0, k]), 1, (2, 2), 50) for k in range(3)]
    (tmp_path / "x.gif").write_bytes(gif(pages))
    with Image.open(tmp_path / "x.gif") as image:
        assert image.n_frames == 3

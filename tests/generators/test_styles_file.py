"""Starting from styles that other programs saved: projections, pivots, codes of encoders."""

import pickle

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.choose import make_generator
from zeuxis.generators.styles_file import genes_of, is_styles, read_styles
from zeuxis.rng import stream
from zeuxis.run import RunFolder

FILE = "ada.pkl"


@pytest.fixture(scope="module")
def ada():
    from pathlib import Path

    return Path(__file__).parent.parent / "fixtures/stylegan2_ada_c0_64px/network.pkl"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))


def pivots(generator, count=1):
    """Styles within the space, one for each layer."""
    with torch.no_grad():
        return generator.styles(0.9 * generator.space.sample(count, stream(5)))


WRITE = {
    "pivot.pt": lambda w, path: torch.save(w, path),
    "code.pth": lambda w, path: torch.save({"latents": w[0], "name": "x"}, path),
    "old.pt": lambda w, path: torch.save(w, path, _use_new_zipfile_serialization=False),
    "projected_w.npz": lambda w, path: np.savez(path, w=w.numpy()),
    "style.npy": lambda w, path: np.save(path, w.numpy().astype(np.float64)),
}


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"noise": 8}, {"truncation": 1.0}], ids=["plain", "noise", "free"])
@pytest.mark.parametrize("name", WRITE)
def test_the_genes_draw_the_styles_in_the_file(name, options, ada, tmp_path):
    generator = make_generator(str(ada), space="w+", **options)
    w = pivots(make_generator(str(ada), space="w+", **options | {"noise": 0}))
    WRITE[name](w, tmp_path / name)
    assert is_styles(name)
    genes = genes_of(name, generator)
    torch.testing.assert_close(generator.styles(genes), w, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(generator.render(genes), generator.draw(w), atol=2e-3, rtol=0)


@torch.no_grad()
def test_one_style_for_all_layers_fits_both_spaces(ada):
    for space in ("w", "w+"):
        generator = make_generator(str(ada), space=space)
        w = pivots(make_generator(str(ada), space="w"))
        torch.testing.assert_close(generator.styles(generator.encode(w[:, :1])), w, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(generator.styles(generator.encode(w)), w, atol=1e-4, rtol=1e-4)
    with pytest.raises(BadInput, match="another style for each layer"):
        make_generator(str(ada), space="w").encode(torch.randn(1, w.shape[1], w.shape[2]))


def test_what_is_no_start_is_said(ada, tmp_path):
    generator = make_generator(str(ada), space="w+")
    torch.save(torch.zeros(1, 3, 5), "short.pt")
    torch.save({"state_dict": {"a": torch.zeros(2)}}, "weights.pt")
    torch.save(torch.full((1, 512), torch.nan), "nan.pt")
    torch.save(torch.zeros(1, 14, 512, dtype=torch.int64), "whole.pt")
    np.save("objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    (tmp_path / "text.npz").write_text("no")
    for name in ("short.pt", "weights.pt", "nan.pt", "whole.pt", "objects.npy", "text.npz"):
        with pytest.raises(BadInput):
            genes_of(name, generator)
    for other, match in ((make_generator(str(ada)), "--space"), (make_generator("toy"), "StyleGAN")):
        torch.save(torch.zeros(1, 1, generator.net.w_dim), "w.pt")
        with pytest.raises(BadInput, match=match):
            genes_of("w.pt", other)


class Runs:
    def __reduce__(self):
        return exec, ("open('PWNED', 'w')",)


def test_a_hostile_file_is_refused_and_not_run(tmp_path):
    torch.save({"w": Runs()}, "w.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Runs()))
    for name in ("w.pt", "plain.pt"):
        with pytest.raises((WeightsRefused, BadInput)):
            read_styles(tmp_path / name)
    assert not (tmp_path / "PWNED").exists()


def test_a_search_breeds_around_it_and_goes_on(ada, tmp_path):
    (tmp_path / FILE).write_bytes(ada.read_bytes())
    generator = make_generator(FILE, space="w+")
    torch.save(pivots(generator), "pivot.pt")
    words = ["generate", "red", "--generator", FILE, "--space", "w+", "--start-from", "pivot.pt", "--scorer", "toy",
             "--judge", "toy", "--population", "4", "--generations", "2", "--quiet", "--out", "run"]  # fmt: skip
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    first = RunFolder(tmp_path / "run").entry(0).batch.x
    torch.testing.assert_close(first[0], genes_of("pivot.pt", generator)[0], atol=1e-5, rtol=0)
    result = CliRunner().invoke(app, ["generate", "red", "--start-from", "pivot.pt", "--out", "other"])
    assert result.exit_code == 2 and "--generator" in result.output

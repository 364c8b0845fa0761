"""The studio as a whole, without a page: from a search to the bench, to a search again, and back another day."""

import pytest
import torch

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput, RunLocked
from zeuxis.pictures.metadata import read_metadata
from zeuxis.run import RunFolder
from zeuxis.storage.checksummed import checksummed_json, verified_json
from zeuxis.studio.live import configured
from zeuxis.studio.pages.form import FIRST, read_form
from zeuxis.studio.state import WARM, Studio
from zeuxis.workflows import Outputs

TOY = {"generator": "toy", "scorer": ("toy",), "judge": None, "population": 12, "generations": 2, "search": "ga"}


@pytest.fixture
def studio(tmp_path):
    made = Studio(tmp_path / "runs")
    made.live.outputs = Outputs(report=False, top=0)
    yield made
    made.close()


def searched(studio, words="a red disc"):
    studio.live.start(words, **TOY, seed=1)
    studio.live.wait(120)
    assert studio.live.status.state == "done"


def test_picked_pictures_lie_first_on_the_bench(studio):
    searched(studio)
    assert studio.pick(0) and studio.pick(3) and not studio.pick(3) and studio.pick(2)
    with pytest.raises(BadInput, match="no such picture"):
        studio.pick(400)
    latents = [studio.picked[0][1], studio.picked[1][1]]
    bench = studio.breed()
    first = [bench.family.pictures[n].genome[0] for n in bench.family.table.shown[:2]]
    assert all(any(torch.equal(one, other) for other in first) for one in latents)
    assert studio.picked == [] and bench.artist.prompt.title == "a red disc"


def test_without_a_phrase_or_a_pick_nothing_is_drawn(studio):
    with pytest.raises(BadInput, match="Say what to draw"):
        studio.breed(" ")


def test_a_favourite_is_kept_verified_and_searched_on_from(studio):
    bench = studio.breed("a red disc", generator="toy", scorer=("toy",))
    number = bench.family.table.shown[0]
    bench.act(lambda: bench.breeding.favour(number))
    path = bench.journal.folder / "kept" / f"{number:05d}.png"
    assert torch.equal(torch.tensor(read_metadata(path).latent), bench.family.pictures[number].genome[0])
    assert studio.take(path.read_bytes()).agrees is True
    assert str(path) in studio.breeding_command()
    studio.evolve(bench.family.table.favourites)
    studio.live.stop()
    studio.live.wait(120)
    config = RunFolder(studio.live.status.folder).config
    assert config.start_from == (str(path),) and f"--start-from {path}" in studio.live.status.command
    with pytest.raises(BadInput, match="at least one"):
        studio.evolve(())


def test_a_search_on_from_a_breeding_keeps_all_its_settings(studio):
    told = {"generator": "toy", "scorer": ("toy",), "judge": None, "search": "ga", "options": {"tournament": 3}}
    told |= {"population": 8, "generations": 3, "augment": 2, "negative": ("blue",), "standardise": True}
    studio.live.start("a red disc", **told)
    studio.live.wait(120)
    for place in range(2):
        studio.pick(place)
    bench = studio.breed()
    number = bench.family.table.shown[0]
    bench.act(lambda: bench.breeding.favour(number))
    config = studio.evolve(bench.family.table.favourites)
    studio.live.wait(120)
    assert {name: getattr(config, name) for name in told} == told
    assert RunFolder(studio.live.status.folder).config.start_from == config.start_from != ()


def test_a_search_on_from_draws_breeds(studio):
    bench = studio.breed("a frog", scorer=("pocket",), generator="pocket")
    assert bench.artist.config.search == "samples"
    bench.act(lambda: bench.breeding.favour(bench.family.table.shown[0]))
    config = studio.evolve(bench.family.table.favourites)
    studio.live.stop()
    studio.live.wait(120)
    known = RunFolder(studio.live.status.folder).config
    assert (known.search, known.generations) == ("cma-ga", RunConfig().generations)
    assert (config.classes, config.truncation) == (bench.artist.config.classes, bench.artist.config.truncation)


def test_a_breeding_goes_on_another_day(studio):
    bench = studio.breed("a blue square", generator="toy", scorer=("toy",))
    bench.act(lambda: bench.breeding.favour(bench.family.table.shown[1]))
    bench.act(lambda: bench.breeding.children(0.5))
    studio.gallery.refresh()
    again = Studio(studio.runs)
    assert again.gallery.bred() == [bench.journal.folder.name]
    with pytest.raises(RunLocked, match="close it there"):
        again.reopen(again.runs / again.gallery.bred()[0])
    studio.bench.journal.close()
    opened = again.reopen(again.runs / again.gallery.bred()[0])
    assert opened.family.tables == bench.family.tables
    assert all((a == b).all() for a, b in zip(opened.family.pixels, bench.family.pixels, strict=True))
    opened.act(lambda: opened.breeding.favour(opened.family.table.shown[2]))
    assert "pick" in opened.learnt()
    again.close()


def test_pictures_of_the_gallery_are_bred_on(studio):
    searched(studio)
    studio.gallery.refresh()
    numbers = [one.id for one in studio.gallery.find(limit=3)]
    bench = studio.breed_from(numbers)
    assert [bench.family.pictures[n].operator for n in bench.family.table.shown[:3]] == ["search"] * 3
    with pytest.raises(BadInput, match="at least one"):
        studio.breed_from([])


def test_pictures_of_other_classes_are_not_bred_together(studio):
    few = {"generations": 0, "population": 4, "augment": 0, "judge": None, "generator": "pocket"}
    for phrase in ("a cat", "a dog"):
        studio.live.start(phrase, **few)
        studio.live.wait(60)
        studio.pick(0)
    with pytest.raises(BadInput, match="drawn with the same options"):
        studio.breed()
    assert len(studio.picked) == 2
    studio.gallery.refresh()
    found = studio.gallery.find(limit=8)
    one, other = found[0], next(f for f in found if f.run != found[0].run)
    with pytest.raises(BadInput, match="drawn with the same options"):
        studio.breed_from([one.id, other.id])
    assert studio.breed_from([one.id]).artist.config.classes in (("cat",), ("dog",))


def test_what_is_loaded_before_anybody_asks_serves_the_first_search(studio):
    studio.preload()
    studio._preloading.join()
    loaded = set(studio._models)
    for prompt in WARM:
        studio.artist(configured(prompt, **read_form(FIRST)[1]))
    assert set(studio._models) == loaded


def test_a_strangers_run_has_no_file_read(studio, tmp_path):
    searched(studio)
    run = studio.live.status.folder
    record = verified_json(run / "run.json")
    content = {k: v for k, v in record.items() if k != "sha256"}
    content["config"]["image_prompt"] = [str(tmp_path / "private.png")]
    (run / "run.json").write_bytes(checksummed_json(content))
    studio.gallery.refresh()
    with pytest.raises(BadInput, match="trust"):
        studio.breed_from([studio.gallery.find()[0].id])

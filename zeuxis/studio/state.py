"""The studio as a whole: one search, one breeding by hand, the gallery, and the models they have in common."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.prompts.auto import settle
from zeuxis.report.commands import folder_command
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import Models, check_config, load_models, models_key
from zeuxis.storage.files import make_folder
from zeuxis.studio.artist import Artist
from zeuxis.studio.breeding import Breeding
from zeuxis.studio.dropped import INBOX, Dropped, take
from zeuxis.studio.family import Family
from zeuxis.studio.gallery import OWN, Gallery
from zeuxis.studio.journal import Journal, read_config, read_family
from zeuxis.studio.live import SEARCH, Live, configured, titled
from zeuxis.studio.plot import Plot
from zeuxis.studio.plots import Plots
from zeuxis.studio.presets import Presets
from zeuxis.studio.queue import Queue
from zeuxis.studio.queue_file import Item
from zeuxis.studio.runner import Runner
from zeuxis.studio.status import Frame
from zeuxis.studio.taste import in_words
from zeuxis.studio.thumbnails import FIRST, Thumbnails
from zeuxis.trust import KEY, check_files

WARM = ("a red fire truck", "red shoes")  # prompts by which the models are loaded before anybody asks
OWN_START = {"prompt", "seed", "start", "start_images", "start_from", "warm"}  # what a search around pictures sets anew
DRAWS = ("samples", "best-of-n", "random")  # searches that breed nothing
MIXED = (
    "Expected pictures of one generator, drawn with the same options, to breed from; those that a search draws by "
    "default are of the classes that its phrase names."
)
OF_DRAWS = {"search", "generations", "budget", "options", "augment"}
MODELS = 6  # sets of networks that are kept
T = TypeVar("T")


@dataclass
class Bench:
    """A breeding by hand at work. `act` is for one action at a time; `version` rises with each."""

    artist: Artist
    breeding: Breeding
    journal: Journal
    version: int = 0
    key: str = field(default_factory=lambda: secrets.token_hex(4))
    notes: tuple[str, ...] = ()  # on what was damaged
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def family(self) -> Family:
        """All pictures and steps."""
        return self.breeding.family

    def act(self, action: Callable[[], T]) -> T:
        """Do something with the breeding; favourites that are new are kept as files."""
        with self._lock:
            self.breeding.pool, self.breeding.rounds = self.artist.pace(self.breeding.size)
            done = action()
            for number in self.family.table.favourites:
                self.keep(number)
            self.version += 1
        return done

    def keep(self, number: int) -> Path:
        """A picture as a file with its latent."""
        one = self.family.pictures[self.family.known(number)]
        png = self.artist.png(one.genome, self.family.pixels[number], self.breeding.seed, one.score)
        return self.journal.keep(number, png)

    def learnt(self) -> str:
        """What the picks say, in a sentence."""
        taste = self.breeding.taste()
        if not taste.picks:
            return "Nothing learnt yet: a click on a picture favours it."
        said = in_words(taste, *self.artist.directions)
        picks = "1 pick" if taste.picks == 1 else f"{taste.picks} picks"
        return (
            f"After {picks} you seem to prefer: {', '.join(said)}." if said else f"After {picks} nothing is clear yet."
        )


class Studio:
    """What all pages share."""

    def __init__(self, runs: Path) -> None:
        make_folder(runs)
        self.runs = runs
        self.gallery = Gallery(runs)
        self.thumbnails = Thumbnails(self.gallery)
        self.live = Live(runs, self._sketch, other=self._plotting, after=self.take_up)
        self.presets = Presets(runs / OWN)
        self.plots = Plots(runs)
        self.queue = Queue(runs / OWN)
        self.runner = Runner(self.queue, self.live, self.plots)
        self.bench: Bench | None = None
        self.dropped: Dropped | None = None
        self.picked: list[tuple[RunConfig, Tensor, Any]] = []  # configuration, latent and pixels, of a live population
        self._closing = threading.Event()
        self._preloading: threading.Thread | None = None
        self._models: dict[str, Models] = {}
        self._lock = threading.Lock()

    def preload(self) -> None:
        """Load in the background what the first searches will need."""

        def work() -> None:
            self._prepare()
            for prompt in WARM:
                if self._closing.is_set():
                    return
                with contextlib.suppress(ZeuxisError):
                    self._sketch(make_config(prompt=(prompt,), search=SEARCH, population=8))
            self.take_up()

        self._preloading = threading.Thread(target=work, name="zeuxis-preload", daemon=True)
        self._preloading.start()

    def take_up(self) -> None:
        """Let the gallery know of what was made, so that its first screen waits for nothing."""
        with contextlib.suppress(ZeuxisError):
            self.gallery.refresh()
        self._prepare()

    def close(self, patience: float = 60.0) -> None:
        """Let the search finish its generation and write what it has; a thread inside of torch is not to be cut off."""
        self._closing.set()
        self.runner.close(patience)
        self.live.stop()
        if self._preloading is not None:
            self._preloading.join()
        self.live.wait(patience)
        if self.bench is not None:
            self.bench.journal.close()
        self.gallery.close()

    def enqueue(self, prompt: str, *, front: bool = False, **fields: Any) -> Item:
        """A search behind the others, or before them. BadInput for what cannot be."""
        config = configured(prompt, **fields)
        check_config(config)
        return self.queue.add(config, titled(config), front=front)

    def plot(self, plot: Plot, *, front: bool = False) -> Plot:
        """A folder for a plot, which waits in the queue from now on."""
        self.queue.check_ours()
        made = self.plots.new(plot)
        self.queue.add_plot(made.name, made.title, front=front)
        return made

    def _plotting(self) -> str:
        return "A plot is under way. Stop it first, or put the search into the queue." if self.plots.running else ""

    def artist(self, config: RunConfig) -> Artist:
        """An artist for a configuration, with models that are loaded already where they are."""
        config, _ = settle(config)
        key = models_key(config)
        with self._lock:
            if key not in self._models:
                for other in list(self._models)[: 1 - MODELS]:  # draws of a phrase have classes of its own
                    del self._models[other]
                self._models[key] = load_models(config.model_copy(update={"judge": None}))
            return Artist(config, self._models[key])

    def pick(self, place: int) -> bool:
        """Take a picture of the live population to breed from, or put it back; whether it is taken now."""
        status = self.live.status
        if status.frame is None or not 0 <= place < len(status.frame.latents) or status.folder is None:
            raise BadInput("There is no such picture in the population any more. Pick again.")
        latent = status.frame.latents[place]
        kept = [one for one in self.picked if one[1].tolist() != latent.tolist()]
        taken = len(kept) == len(self.picked)
        config = RunFolder(status.folder).config
        self.picked = [*kept, (config, latent, status.frame.pixels[place])] if taken else kept
        return taken

    def breed(self, prompt: str = "", **fields: Any) -> Bench:
        """Begin a breeding by hand: of the pictures that were picked, else of draws for a phrase."""
        latents: Sequence[Tensor] = ()
        if self.picked and not prompt:
            config = self.picked[0][0]
            own = (config.generator, config.generator_arguments())
            if any((other.generator, other.generator_arguments()) != own for other, _, _ in self.picked):
                raise BadInput(f"{MIXED} Put some of them back.")
            latents, self.picked = [x for _, x, _ in self.picked], []
        else:
            if not prompt.strip():
                raise BadInput("Say what to draw, e.g. a red fire truck, or pick pictures of a search first.")
            config = make_config(prompt=(prompt,), seed=secrets.randbelow(2**31), **fields)
        return self._bench(config, latents)

    def breed_from(self, numbers: Sequence[int]) -> Bench:
        """The same of pictures in the gallery."""
        from zeuxis.pictures.metadata import read_metadata
        from zeuxis.studio.export import drawn_by
        from zeuxis.tools.replay import check_latent

        found = [self.gallery.one(number) for number in numbers]
        infos = [read_metadata(self.gallery.path(one)) for one in found]
        if not infos:
            raise BadInput("Select at least one picture first.")
        first = found[0]
        folder = self.gallery.path(first).parent.parent  # of a plot it is that of one of its runs
        config = read_config(folder) if not (folder / "run.json").exists() else _trusted_config(RunFolder(folder))
        generator = self.artist(config).generator
        if any(drawn_by(one) != drawn_by(infos[0]) for one in infos):
            raise BadInput(f"{MIXED} Select such ones.")
        for info in infos:
            check_latent(info, generator)
        return self._bench(config, [torch.tensor(info.latent) for info in infos])

    def reopen(self, folder: Path) -> Bench:
        """Go on with a breeding of the folder."""
        if self.bench is not None and self.bench.journal.folder == folder:
            return self.bench
        artist, notes = self.artist(read_config(folder)), list[str]()
        journal, family = Journal.again(
            folder, lambda: read_family(folder, artist.variation, artist.look), notes.append
        )
        family.heard = journal.heard
        breeding = Breeding(artist.variation, artist.look, family, seed=artist.config.seed)
        return self._lay(Bench(artist, breeding, journal, notes=tuple(notes)))

    def evolve(self, numbers: Sequence[int]) -> RunConfig:
        """Begin a search around pictures of the breeding, `--start-from` their files, with the settings that it had.

        After draws it is the search that breeds, at its own length.
        """
        if self.bench is None or not numbers:
            raise BadInput("Pick at least one picture first: a click favours it.")
        bench, files = self.bench, []
        for number in numbers:
            files.append(str(bench.keep(number)))
        config = bench.artist.config
        left = OWN_START | (OF_DRAWS if config.search in DRAWS else set())
        fields = {name: getattr(config, name) for name in sorted(config.model_fields_set - left)}
        return self.live.start(" | ".join(config.prompt), **fields | {"start_from": tuple(files)})

    def take(self, data: bytes) -> Dropped:
        """A dropped file."""
        self.dropped = take(data, self.runs / OWN / INBOX)
        return self.dropped

    def breeding_command(self) -> str:
        """What does the same as the pictures at hand on the command line."""
        bench = self.bench
        if bench is None or not bench.family.table.favourites:
            return ""
        number = bench.family.table.favourites[0]
        return folder_command("replay", bench.journal.folder / "kept" / f"{number:05d}.png")

    def _bench(self, config: RunConfig, latents: Sequence[Tensor]) -> Bench:
        artist = self.artist(config)
        journal = Journal.new(self.runs, artist.config)
        family = Family(heard=journal.heard)
        breeding = Breeding(artist.variation, artist.look, family, seed=artist.config.seed)
        if len(latents):
            breeding.begin(artist.variation.of_latents(torch.stack(list(latents))), "search")
        else:
            breeding.begin(artist.variation.of_latents(artist.start(breeding.size)), "draw")
        return self._lay(Bench(artist, breeding, journal))

    def _lay(self, bench: Bench) -> Bench:
        """The breeding at hand is this one; another studio may go on with the one before."""
        if self.bench is not None:
            self.bench.journal.close()
        self.bench = bench
        return bench

    def _prepare(self) -> None:
        with contextlib.suppress(ZeuxisError):
            self.thumbnails.prepare(self.gallery.find(limit=FIRST), self._closing.is_set)

    def _sketch(self, config: RunConfig) -> Frame | None:
        return self.artist(config).first()


def _trusted_config(run: RunFolder) -> RunConfig:
    """The configuration of a run. BadInput where it would have files read that its user did not name."""
    check_files(run.config.model_dump(), run.path, said={}, given=run.record.get(KEY))
    return run.config

"""Every figure of the pocket model cards, recomputed: python benchmarks/pocket.py --data PATH --judges FOLDER

PATH is the folder with the packs; the CIFAR-10 pack or archive alone does for all but "distances".
FOLDER holds classifiers that this project did not train
(cifar10_resnet20-12fca82f.th and cifar10_resnet32-d509ac18.th of akamaster/pytorch_resnet_cifar10); without it the
figures that need them are left out. Writes benchmarks/results/pocket.json and the pictures of the cards.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import distances
import torch
from distances import RECIPES, unit
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.data import ImageSet, read_images
from zeuxis.evaluation import zero_shot
from zeuxis.evaluation.recognition import predict, recognised
from zeuxis.generators import GENERATORS
from zeuxis.generators.pocket import Pocket, PocketThings
from zeuxis.hub.pocket import POCKET
from zeuxis.lab.adversarial_options import options_of
from zeuxis.lab.attributes import COLOURS, main_colour
from zeuxis.lab.curves import save_grid
from zeuxis.lab.recipe_files import load
from zeuxis.metrics.diversity import effective_number
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.intervals import wilson
from zeuxis.metrics.neighbours import nearest
from zeuxis.nets.resnet import CifarResNet, cifar_from_state
from zeuxis.rng import stream
from zeuxis.run import open_session
from zeuxis.scorers.classifier import PocketJudge
from zeuxis.scorers.imagenet_judge import MobileNetJudge
from zeuxis.scorers.nouns import imagenet
from zeuxis.scorers.pocket import PocketScorer, SecondPocketScorer

HERE = Path(__file__).parent / "results"
CPU = torch.device("cpu")
Figures = dict[str, object]


def scorer_figures(test: ImageSet, scorer: PocketScorer) -> Figures:
    """Zero-shot accuracy, term retrieval, unseen words, colours."""
    blocks = torch.arange(len(test)).split(500)
    with torch.no_grad():
        images = torch.cat([scorer.embed_images(unit(test, rows)) for rows in blocks])
    (labels, classes), embed = test.label(0), scorer.embed_texts
    top1, top5 = zero_shot.term_retrieval(images, *test.label(-1), embed)
    words, precision = zero_shot.synonym_accuracy(images, labels, classes, embed)
    nouns = [classes[k] for k in labels.tolist()]
    colours = main_colour(test.pixels)
    accuracy = zero_shot.class_accuracy(images, labels, classes, embed)
    return {
        "zero_shot": accuracy,
        "zero_shot_interval": wilson(accuracy, len(test)),
        "terms_top1": top1,
        "terms_top5": top5,
        "synonyms": words,
        "synonyms_p100": precision,
        "colours": zero_shot.colour_accuracy(images, nouns, colours, COLOURS, embed),
        "colours_images": int((colours >= 0).sum()),
    }


def judge_figures(test: ImageSet) -> Figures:
    """Accuracy on the test split."""
    judge = PocketJudge(CPU)
    found = [judge.probabilities(unit(test, rows)).argmax(1) for rows in torch.arange(len(test)).split(500)]
    accuracy = float((torch.cat(found) == test.label(0)[0]).float().mean())
    return {"accuracy": accuracy, "interval": wilson(accuracy, len(test))}


@torch.no_grad()
def conditional_samples(generator: Pocket, per_class: int) -> tuple[Tensor, Tensor]:
    """Prior samples, `per_class` of each class, terms drawn uniformly within the class: images and labels."""
    images, labels = [], []
    z_space, mix = generator.space.spaces
    for label in range(len(generator.words["class"])):
        rng = stream(0, "conditional", label)
        terms = (generator.rows[:, 0] == label).nonzero().flatten()
        rows = terms[torch.randint(0, len(terms), (per_class,), generator=rng)]
        x = torch.cat([z_space.sample(per_class, rng), mix.places[rows]], dim=1)
        images.append(torch.cat([generator.render(piece) for piece in x.split(100)]))
        labels.append(torch.full((per_class,), label))
    return torch.cat(images), torch.cat(labels)


def generator_figures(train: ImageSet, test: ImageSet, judges: dict[str, CifarResNet]) -> Figures:
    """Recognised share of 10 x 500 samples, features' distance, effective number, nearest neighbours."""
    generator = Pocket(CPU)
    images, labels = conditional_samples(generator, 500)
    found: Figures = {f"recognised_{name}": recognised(net, images, labels) for name, net in judges.items()}
    for name, net in judges.items():
        guess = predict(net, images)
        shares = [float((guess[labels == k] == k).float().mean()) for k in range(len(generator.words["class"]))]
        found[f"by_class_{name}"] = dict(zip(generator.words["class"], shares, strict=True))
    judge = PocketJudge(CPU)
    found["recognised_pocket_judge"] = float(
        (torch.cat([judge.probabilities(p).argmax(1) for p in images.split(500)]) == labels).float().mean()
    )
    found["effective_of_64_per_class"] = sum(effective_number(images[labels == k][:64]) for k in range(10)) / 10
    found |= neighbour_figures(generator, images[::25], train, test)
    found |= feature_distance(judge, images, test)
    save_grid(torch.cat([images[labels == k][:16] for k in range(10)]), HERE / "samples.png", columns=16, scale=3)
    return found


def truncation_figures(train: ImageSet, judges: dict[str, CifarResNet]) -> Figures:
    """Recognised share, effective number and distances of 10 x 200 samples at each truncation."""
    eye, found = MobileNetJudge(), {}
    order = torch.randperm(len(train), generator=stream(0, "distances"))
    real = eye.embed(unit(train, order[: distances.COUNT]))
    for psi in (1.0, 0.8, 0.7, 0.6, 0.5):
        images, labels = conditional_samples(Pocket(CPU, truncation=psi), distances.COUNT // 10)
        row: Figures = {f"recognised_{name}": recognised(net, images, labels) for name, net in judges.items()}
        row["effective_of_64_per_class"] = sum(effective_number(images[labels == k][:64]) for k in range(10)) / 10
        found[f"{psi:g}"] = row | distances.against(eye.embed(images), real)
    return found


def things_figures(folder: Path) -> Figures:
    """Share of `pocket-things`, 84 pictures a kind at each truncation, that MobileNet v1 takes for their kind among the
    160 of Tiny ImageNet and among ImageNet's thousand; the same of real test pictures."""
    judge, every = MobileNetJudge(), read_images("tiny-imagenet", folder, "test").names["class"]
    kinds = torch.tensor([min(imagenet().named(name)) for name in every])
    renamed = options_of(load(distances.RECIPES["pocket-things"]).options).rename["class"]
    generator = PocketThings(CPU)
    _, test = distances.sets("pocket-things", folder)
    own = {renamed.get(name, name): int(kinds[k]) for k, name in enumerate(every)}

    def shares(images: Tensor, labels: Tensor, words: Sequence[str]) -> Figures:
        said = torch.cat([judge.probabilities(piece) for piece in images.split(200)])
        asked = torch.tensor([own[word] for word in words])[labels]
        right = kinds[said[:, kinds].argmax(1)] == asked
        found: Figures = {"n": len(images), "among_160": float(right.float().mean())}
        found["interval"] = wilson(float(right.float().mean()), len(images))
        found["among_1000"] = float((said.argmax(1) == asked).float().mean())
        found["by_kind"] = {word: float(right[labels == k].float().mean()) for k, word in enumerate(words)}
        return found

    found: Figures = {"real": shares(unit(test, torch.arange(len(test))), *test.label(0))}
    for psi in (1.0, 0.8, 0.7, 0.6, 0.5):
        images, labels = conditional_samples(PocketThings(CPU, truncation=psi), 84)
        row = shares(images, labels, generator.words["class"])
        different = [effective_number(images[labels == k][:64]) for k in range(len(generator.words["class"]))]
        row["effective_of_64_per_kind"] = sum(different) / len(different)
        found[f"{psi:g}"] = row
    return found


def feature_distance(judge: PocketJudge, images: Tensor, test: ImageSet) -> Figures:
    """Frechet distance of the judge's probabilities-before-softmax features, 5,000 samples to 5,000 test images."""
    features: list[Tensor] = []
    handle = judge.net.head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].detach()))
    real = unit(test, torch.arange(len(images)))
    sets = []
    for group in (real, images):
        features.clear()
        for piece in group.split(500):
            judge.probabilities(piece)
        sets.append(torch.cat(features[::2]))  # every second call is the mirror image
    handle.remove()
    return {"frechet_judge_features_5k": frechet_distance(*sets)}


def neighbour_figures(generator: Pocket, images: Tensor, train: ImageSet, test: ImageSet) -> Figures:
    """Pixel distance of samples to the training set, beside that of real test images; and a picture of pairs."""
    training = unit(train, torch.arange(len(train))).flatten(1)
    mirrored = unit(train, torch.arange(len(train))).flip(3).flatten(1)
    both = torch.cat([training, mirrored])
    distance, where = nearest(images.flatten(1), both)
    real, _ = nearest(unit(test, torch.arange(len(images))).flatten(1), both)
    pairs = torch.stack([images[:20], both[where[:20]].view(-1, 3, 32, 32)], 1).flatten(0, 1)
    save_grid(pairs.view(20, 2, 3, 32, 32).transpose(0, 1).flatten(0, 1), HERE / "neighbours.png", 20, 3)
    return {
        "nearest_training_rms_samples": [float(distance.min()), float(distance.median())],
        "nearest_training_rms_test_images": [float(real.min()), float(real.median())],
    }


def bred_figures(judges: dict[str, CifarResNet], seeds: int, generations: int) -> Figures:
    """Populations bred for "a photo of a {class}": recognised share and effective number of the final population."""
    from tempfile import TemporaryDirectory

    classes = Pocket(CPU).words["class"]
    rows: list[Figures] = []
    keep = []
    for seed in range(seeds):
        for label, name in enumerate(classes):
            config = RunConfig(
                prompt=(f"a photo of {zero_shot.with_article(name)}",),
                generator="pocket",
                seed=seed,
                search="cma-ga",
                generations=generations,
            )
            with TemporaryDirectory() as folder, open_session(config, Path(folder) / "run") as session:
                last = list(session)[-1]
                search = session.search
                images = session.problem.render(search.population_x, last.generation)
            labels = torch.full((len(images),), label)
            row: Figures = {"class": name, "seed": seed, "best": last.best_score, "effective": effective_number(images)}
            row |= {n: recognised(net, images, labels) for n, net in judges.items()}
            rows.append(row)
            if seed == 0:
                keep.append(images[search.population_score.argsort(descending=True)][:16])
            print(row, flush=True)
    save_grid(torch.cat(keep), HERE / "bred.png", columns=16, scale=3)
    found: Figures = {"runs": rows}
    for key in (*judges, "effective", "best"):
        values = torch.tensor([float(str(r[key])) for r in rows], dtype=torch.float64)
        rng = stream(0, "bootstrap", key)
        picks = torch.randint(0, len(values), (2000, len(values)), generator=rng)
        means = values[picks].mean(1).sort().values
        interval = [float(means[50]), float(means[1949])]
        found[key] = {"mean": float(values.mean()), "interval": interval, "least": float(values.min())}
    return found


def read_judges(folder: Path | None) -> dict[str, CifarResNet]:
    """The third-party classifiers; {} without a folder."""
    if folder is None:
        return {}
    files = {"resnet20": "cifar10_resnet20-12fca82f.th", "resnet32": "cifar10_resnet32-d509ac18.th"}
    return {
        name: cifar_from_state(torch.load(folder / file, weights_only=True, map_location="cpu")["state_dict"])
        for name, file in files.items()
    }


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--judges", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--generations", type=int, default=RunConfig().generations)
    every = ["scorer", "second", "judge", "generator", "truncation", "bred", "things", "distances"]
    parser.add_argument("--only", nargs="*", default=every)
    args = parser.parse_args()
    HERE.mkdir(exist_ok=True)
    path = HERE / "pocket.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    folder = args.data if args.data.is_dir() else args.data.parent
    test, judges = read_images("cifar10", args.data, "test"), read_judges(args.judges)
    parts = {
        "scorer": lambda: scorer_figures(test, PocketScorer(CPU)),
        "second": lambda: scorer_figures(test, SecondPocketScorer(CPU)),
        "judge": lambda: judge_figures(test),
        "generator": lambda: generator_figures(read_images("cifar10", args.data, "train"), test, judges),
        "truncation": lambda: truncation_figures(read_images("cifar10", args.data, "train"), judges),
        "bred": lambda: bred_figures(judges, args.seeds, args.generations),
        "things": lambda: things_figures(folder),
        "distances": lambda: {name: distances.figures(name, folder, HERE) for name in RECIPES if name in GENERATORS},
    }
    for name in args.only:
        begin = time.monotonic()
        found[name] = parts[name]() | {"seconds": round(time.monotonic() - begin)}
        print(name, json.dumps({k: v for k, v in found[name].items() if k != "runs"}, indent=1), flush=True)
    sizes = {path.stem: path.stat().st_size for path in sorted(POCKET.glob("*.safetensors"))}
    found["bytes"] = sizes | {"all": sum(sizes.values())}
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

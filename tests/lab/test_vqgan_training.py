"""VQGAN: quantisation by hand, what is learnt of a few pictures, the discriminator's weight, an export drawn."""

import math

import pytest
import torch
from lab_helpers import recipe, same
from torch import nn

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.choose import make_generator
from zeuxis.hub.model_file import Part, build, read_model, tensors_of, write_model
from zeuxis.lab import checkpoint
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.quantiser import Usage, as_grid, as_rows, follow, nearest, perplexity, quantised, restart
from zeuxis.lab.reconstruction import DELTA, PatchDiscriminator, Perceptual, adaptive_weight
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.tasks.vqgan import VQGAN
from zeuxis.lab.train import train
from zeuxis.nets.vqgan import VQGAN as Generator
from zeuxis.nets.vqgan_encoder import VQGANEncoder
from zeuxis.rng import stream
from zeuxis.spaces import GridAxes

CPU = torch.device("cpu")


def task_of(data, **options):
    return VQGAN(Lab(recipe("vqgan", options=options), data, CPU, torch.float32))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vqgan")
    return train(recipe("vqgan"), data, folder, device=CPU)[0]


def test_the_nearest_code_with_a_straight_gradient():
    codes = torch.tensor([[0.0, 0.0], [1.0, 1.0]], requires_grad=True)
    grid = torch.tensor([[[[0.2, 0.9]], [[0.0, 0.8]]]], requires_grad=True)  # two places: (0.2, 0.0), (0.9, 0.8)
    assert torch.equal(as_grid(as_rows(grid), grid), grid)
    decoded, chosen, of_codes, commitment = quantised(grid, codes)
    assert chosen.tolist() == [0, 1] and torch.allclose(decoded, torch.tensor([[[[0.0, 1.0]], [[0.0, 1.0]]]]))
    assert float(of_codes.detach()) == pytest.approx(float(commitment.detach())) == pytest.approx(0.09 / 4)
    (decoded * torch.tensor([2.0, 3.0])).sum().backward(retain_graph=True)
    assert grid.grad.flatten().tolist() == [2, 3, 2, 3] and codes.grad is None
    of_codes.backward()
    assert codes.grad is not None and grid.grad.flatten().tolist() == [2, 3, 2, 3]  # it moves the codes alone
    codes.grad = None
    commitment.backward()
    assert codes.grad is None and grid.grad[0, 0, 0, 0] == pytest.approx(2 + 2 * 0.2 / 4)


def test_codes_follow_their_vectors_and_dead_ones_start_again():
    usage, codes = Usage(3, 1), torch.tensor([[0.0], [10.0], [99.0]])
    rows = torch.tensor([[1.0], [3.0], [12.0], [12.0]])
    assert restart(usage, codes.clone(), rows, 0.0, stream(0)) == 0
    for _ in range(400):
        follow(usage, codes, rows, nearest(rows, codes), 0.9, move=True)
    assert codes[:, 0].tolist() == pytest.approx([2, 12, 99]) and usage.counts.tolist() == pytest.approx([2, 2, 0])
    kept = codes.clone()
    follow(usage, codes, rows, nearest(rows, codes), 0.9, move=False)
    assert torch.equal(codes, kept)
    assert restart(usage, codes, rows, 0.1, stream(1)) == 1
    assert codes[2] in rows and usage.counts[2] == pytest.approx(0.2 * 4 / 3)
    assert usage.sums[2] == pytest.approx(float(codes[2]) * 0.2 * 4 / 3) and torch.equal(codes[:2], kept[:2])


@pytest.mark.parametrize(("counts", "known"), [([5, 5, 0, 0], 2.0), ([7, 0, 0, 0], 1.0), ([1, 1, 1, 1], 4.0)])
def test_perplexity_is_the_number_of_codes_in_use(counts, known):
    assert perplexity(torch.tensor(counts)) == pytest.approx(known)


def test_the_adaptive_weight_by_hand():
    last = torch.tensor([3.0, 4.0], requires_grad=True)
    found = adaptive_weight((6 * last).sum(), (2 * last).sum(), last)
    assert float(found) == pytest.approx(math.sqrt(72) / (math.sqrt(8) + DELTA)) and not found.requires_grad
    assert float(adaptive_weight((6 * last).sum(), 0 * last.sum(), last)) == 1e4


def test_the_perceptual_distance_is_0_for_the_same_and_has_a_slope():
    seen, rng = Perceptual(CPU), stream(0, "pictures")
    real = torch.rand(2, 3, 32, 32, generator=rng) * 2 - 1
    other = (real + 0.3 * torch.randn(real.shape, generator=rng)).clamp(-1, 1).requires_grad_()
    assert float(seen(real, real)) == pytest.approx(0, abs=1e-9)
    seen(other, real).backward()
    assert float(other.grad.abs().sum()) > 0
    assert 0 < float(seen(real[:, :1], other[:, :1])) < 4  # grey


def test_the_encoder_mirrors_the_decoder():
    facts = {"embed": 3, "z_channels": 8, "widths": [32, 32, 64], "blocks": 1, "attention": [2], "groups": 4}
    encoder, generator = VQGANEncoder(**facts), Generator(codes=5, **facts)
    images = torch.zeros(2, 3, 24, 24)
    grid = encoder(images)
    assert grid.shape == (2, 3, 6, 6) and encoder.factor == generator.factor == 4
    assert generator(grid).shape == images.shape
    names = {name.split(".")[1] for name in encoder.state_dict() if name.startswith("encoder.")}
    assert names == {"conv_in", "down", "mid", "norm_out", "conv_out"}  # as in published files
    with pytest.raises(BadInput, match="fewer discriminator_layers"):
        PatchDiscriminator(8, 3, 8, 4)


@pytest.mark.parametrize("codebook", ["average", pytest.param("gradient", marks=pytest.mark.long)])
def test_it_learns_eight_pictures(codebook, data):
    """Until they are nearer than the mean picture is, by several codes."""
    task = task_of(data, codebook=codebook, adversarial=0, perceptual=0, lr=4e-3, codebook_decay=0.9, flip=False)
    task.train.pixels = task.train.pixels[:8]
    assert set(task.nets) == {"encoder", "generator", "usage"}
    lines = [task.step(step, 0.1) for step in range(100)]
    assert lines[-1]["l1"] < 0.7 * lines[0]["l1"] and lines[-1]["perplexity"] > 1.5
    images = task.train.batch(torch.arange(8))
    again = task.draw(task.nets, task.chosen(task.nets, images))
    assert float((again - images).abs().mean()) < 0.7 * float((images - images.mean(0)).abs().mean())


def test_the_discriminator_comes_when_its_time_has_come(data):
    task = task_of(data)
    before = {n: p.clone() for n, p in task.discriminator.named_parameters()}
    early, late = task.step(0, 0.4), task.step(1, 0.6)
    assert not {"g_loss", "weight"} & early.keys() and {"g_loss", "d_loss", "weight"} <= late.keys()
    assert late["weight"] > 0 and any(not torch.equal(p, before[n]) for n, p in task.discriminator.named_parameters())
    assert all(math.isfinite(value) for value in late.values())
    assert "discriminator" not in task_of(data, adversarial_from=1.0).nets


def test_it_goes_on_from_a_checkpoint_bit_by_bit(data, tmp_path):
    """With restarts of codes and the discriminator; a whole training: test_lab_training.py."""
    quick = {"restart": 0.5, "codebook_decay": 0.3}
    one, two = task_of(data, **quick), task_of(data, **quick)
    lines = [one.step(step, step / 4) for step in range(4)]
    assert any(line["restarted"] for line in lines[1:]) and "d_loss" in lines[3]
    assert [two.step(step, step / 4) for step in range(2)] == lines[:2]
    checkpoint.save(two, {}, Progress(step=2), tmp_path)
    resumed = task_of(data, **quick)
    assert checkpoint.load(resumed, {}, tmp_path) is not None
    assert [resumed.step(step, step / 4) for step in (2, 3)] == lines[2:]
    for name, net in one.nets.items():
        assert same(dict(net.state_dict()), dict(resumed.nets[name].state_dict())), name


def test_codes_are_counted_place_by_place(data):
    task = task_of(data)
    counts = task.counts(task.nets)
    assert counts.shape == (64, 12) and counts.sum(1).tolist() == [30] * 64
    assert task.read(task.nets) is (read := task.read(task.nets))  # once a checkpoint
    task.step(0, 0.1)
    assert task.read(task.nets) is not read


def test_an_export_is_drawn_at_its_own_size_from_what_was_counted(trained):
    generator = make_generator(str(trained), CPU, space="grid")
    assert generator.resolution == 16 and generator.side == 8 and generator.space.dim == 64 * 3
    model, counts = read_model(trained), tensors_of(trained, "counts")["counts"]
    assert model.family == "vqgan" and model.parts.keys() == {"generator", "encoder", "counts", "axes"}
    x = generator.space.sample(500, stream(0, "draws"))
    assert generator.render(x[:2]).shape == (2, 3, 16, 16)
    book = build(trained, "generator").quantize.embedding.weight
    drawn = (x.reshape(500, 64, 3)[:, :, None] == book).all(-1).nonzero()[:, 2].reshape(500, 64)
    for place in (0, 27, 63):
        share = torch.bincount(drawn[:, place], minlength=12) / 500
        assert float((share - counts[place] / 30).abs().max()) < 0.1
    uniform = make_generator(str(trained), CPU, space="grid", prior="uniform")
    assert not torch.equal(uniform.space.sample(500, stream(0, "draws")), x)
    assert make_generator(str(trained), CPU, grid=4).resolution == 8  # of another size nothing was counted
    codes = make_generator(str(trained), CPU, space="codes").space
    chosen = codes.decode(codes.sample(500, stream(1)))
    assert chosen.shape == (500, 64) and torch.equal(codes.decode(codes.encode(chosen)), chosen)


def test_the_axes_are_those_of_the_grids_of_training_pictures(data, trained):
    """Draws have their mean and their deviation along each axis; what is drawn are codes of the book."""
    task = task_of(data, axes=5)
    mean, axes = task.axes(task.nets)
    rows = task.book.detach()[task.read(task.nets)].flatten(1)
    assert torch.allclose(mean, rows.mean(0), atol=1e-6) and axes.shape == (5, 192)
    along = (rows - mean) @ (axes / axes.norm(dim=1, keepdim=True)).T
    assert torch.allclose(along.std(0), axes.norm(dim=1), rtol=1e-3)
    assert torch.allclose(torch.cov(along.T), torch.diag(axes.norm(dim=1) ** 2), atol=1e-5)
    generator = make_generator(str(trained), CPU)
    assert isinstance(generator.space, GridAxes) and generator.space.dim == 64
    x = generator.space.sample(3, stream(0)).requires_grad_()
    grid = generator.space.decode(x)
    book = build(trained, "generator").quantize.embedding.weight
    assert torch.cdist(as_rows(grid.detach()), book).amin(1).tolist() == pytest.approx([0] * 192, abs=1e-3)
    generator.render(x).sum().backward()
    assert bool((x.grad != 0).any()) and generator.render(x).shape == (3, 3, 16, 16)
    assert make_generator(str(trained), CPU, grid=4).space.dim == 16 * 3  # axes are of one size alone
    with pytest.raises(BadInput, match="no axes of grids of 4 x 4 places"):
        make_generator(str(trained), CPU, grid=4, space="axes")


@pytest.mark.parametrize("wrong", [-1, 0])
def test_counts_of_a_stranger_are_refused(wrong, trained, tmp_path):
    model = read_model(trained)
    tensors = {name: tensors_of(trained, name) for name in model.parts}
    tensors["counts"] = {"counts": tensors["counts"]["counts"].clone()}
    tensors["counts"]["counts"][5] = wrong
    path = tmp_path / "strange.safetensors"
    write_model(path, "vqgan", {name: Part(model.parts[name], of) for name, of in tensors.items()})
    with pytest.raises(WeightsRefused, match="counts codes less often than never"):
        make_generator(str(path), CPU)


@pytest.mark.parametrize("name", ["mean", "axes"])
def test_axes_of_a_stranger_are_refused(name, trained, tmp_path):
    model = read_model(trained)
    tensors = {part: dict(tensors_of(trained, part)) for part in model.parts}
    path = tmp_path / "strange.safetensors"
    facts = dict(model.parts)

    def written():
        parts = {part: Part(facts[part], of) for part, of in tensors.items()}
        return str(write_model(path, "vqgan", parts, dtype=torch.float32))

    tensors["axes"][name] = torch.full_like(tensors["axes"][name], 3e38, dtype=torch.float32)
    with pytest.raises(WeightsRefused, match="axes beyond"):
        make_generator(written(), CPU)
    tensors["axes"] = {"mean": torch.zeros(27), "axes": torch.zeros(2, 27)}
    facts["axes"] = {"places": 9, "embed": 3, "axes": 2}
    with pytest.raises(WeightsRefused, match="axes of 27 numbers, expected 192"):
        make_generator(written(), CPU)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"codebook": "mean"}, 'codebook = "average" or "gradient"'),
        ({"codebook_decay": 1.5}, "codebook_decay from 0 to 1"),
        ({"widths": [32, 34]}, "4 equal groups"),
        ({"widths": [32] * 6}, "resolution that 32 divides"),
        ({"watch": 1}, "watch = 2 or more"),
        ({"codes": 0}, "codes of a VQGAN"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(options, said, data):
    with pytest.raises(BadInput, match=said) as refusal:
        task_of(data, **options)
    assert "\n" not in str(refusal.value)


def test_the_book_is_a_parameter_that_only_a_gradient_moves(data):
    for codebook, learns in (("average", False), ("gradient", True)):
        book: nn.Parameter = task_of(data, codebook=codebook).book
        assert book.requires_grad is learns

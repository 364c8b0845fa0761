"""Several processes give the losses of one with the same batches; one that ends is said; nothing else is written."""

import os
import signal
import stat
import time

import pytest
import torch
from lab_helpers import recipe

from zeuxis.compute import split
from zeuxis.errors import BadInput, SearchStopped
from zeuxis.lab import checkpoint, curves, processes
from zeuxis.lab.train import train

CPU = torch.device("cpu")
CLOCK = {"images_per_second", "seconds"}


@pytest.fixture
def crews(monkeypatch):
    """The crews that are made: to look at their processes."""
    made, start = [], processes.Crew._start

    def watched(crew, rank):
        made.append(crew)
        start(crew, rank)

    monkeypatch.setattr(processes.Crew, "_start", watched)
    return made


def small(name, images=80, **changes):
    return recipe(name, images, report_every=8, checkpoint_every=40, **changes)


def lines(folder):
    return curves.read_log(folder)


def check_losses(one, two, tolerance=1e-5):
    """Of each line, as many steps as lines."""
    assert len(one) == len(two) >= 10
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a.keys() & {"d_loss", "g_loss", "r1", "r2", "held_out_frechet"}:
            assert abs(a[name] - b[name]) <= tolerance * max(abs(a[name]), 1e-2), (name, a["images"])


def test_two_processes_give_the_losses_of_one(data, tmp_path, crews):
    """Minibatch deviation, R1 and R2, labels. The files are those of one process, and none of the others is left."""
    for count in (1, 2):
        train(small("stylegan2"), data, tmp_path / str(count), device=CPU, count=count)
    check_losses(lines(tmp_path / "1"), lines(tmp_path / "2"))
    one, two = (sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*")) for n in ("1", "2"))
    assert one == two
    assert len(crews) == 1 and all(other.poll() is not None for other in crews[0].others)
    assert not crews[0].place.exists() and "GLOO_SOCKET_IFNAME" not in os.environ
    assert torch.get_num_threads() == 1 and not torch.distributed.is_initialized()


@pytest.mark.long
def test_a_training_changes_between_one_process_and_two_and_survives_a_kill(data, tmp_path, crews):
    """Batch norm in both networks. Two steps by one process, eleven by two, one of which is killed, the rest by one."""
    config, stops = small("dcgan", 112), iter(range(1000))
    train(config, data, tmp_path / "whole", device=CPU)
    with pytest.raises(KeyboardInterrupt):
        train(config, data, tmp_path / "parts", device=CPU, stop=lambda: next(stops) > 3)
    assert checkpoint.images_in(tmp_path / "parts") == 16
    modes, kept = [], []

    def kill(line):
        modes.append(stat.S_IMODE(crews[0].place.stat().st_mode))
        if line["images"] == 104:
            kept.extend(lines(tmp_path / "parts"))
            os.kill(crews[0].others[0].pid, signal.SIGKILL)
            time.sleep(0.05)

    with pytest.raises(SearchStopped, match=r"ended by SIGKILL\. What was trained up to the last checkpoint") as said:
        train(config, data, tmp_path / "parts", device=CPU, count=2, report=kill)
    assert "\n" not in str(said.value) and not crews[0].place.exists() and not torch.distributed.is_initialized()
    assert len(modes) == 11 and set(modes) == {0o700} and checkpoint.images_in(tmp_path / "parts") == 80
    train(config, data, tmp_path / "parts", device=CPU)
    whole = lines(tmp_path / "whole")
    check_losses(whole, lines(tmp_path / "parts"))
    check_losses(whole[:13], kept)


def test_a_process_that_cannot_start_is_one_sentence(data, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "FOLLOW", "import sys; sys.exit('no room for another')")
    with pytest.raises(SearchStopped, match=r"ended with exit code 1 \(no room for another\)"):
        train(small("dcgan"), data, tmp_path, device=CPU, count=2)


@pytest.mark.parametrize(
    ("name", "count", "changes", "said"),
    [
        ("dcgan", 0, {}, "from 1 to 64"),
        ("dcgan", 3, {}, "share evenly, got 8"),
        ("trunk", 2, {}, "the task classifier"),
        ("cogan", 2, {}, "the architecture cogan"),
    ],
)
def test_what_cannot_be_shared_is_refused_before_anything_begins(name, count, changes, said, data, tmp_path):
    with pytest.raises(BadInput, match=said) as refusal:
        train(small(name, **changes), data, tmp_path / "out", device=CPU, count=count)
    assert "\n" not in str(refusal.value) and not (tmp_path / "out").exists()


def test_a_gpu_is_for_one_process():
    with pytest.raises(BadInput, match="--device cpu"):
        processes.check(2, small("dcgan"), torch.device("cuda"))


def test_outside_of_a_step_nothing_is_divided():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    x = torch.randn(6, 3)
    plain = net(x)
    split.divide([net], [])
    net[1].reset_running_stats()
    assert torch.equal(net(x), plain) and split.batch_size(x) == 6

"""`--processes N`: one training computed by several processes of this machine, each its part of every batch.

This process trains, reports and writes; the others build the same task, take the same steps and write nothing. Numbers
are drawn from (seed, step), so all hold the same weights without sending them. They meet on the loopback interface
alone. What is divided, and how, is in `zeuxis.compute.split`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import zeuxis
from zeuxis import plugins
from zeuxis.compute.split import divide, dividing
from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, SearchStopped
from zeuxis.lab import checkpoint
from zeuxis.lab.sizes import bounded_networks
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab, Task
from zeuxis.nets.gan import ROUTED

DIVIDED = ("generator", "discriminator")  # networks that compute one picture a row
TASK = "adversarial"
PATIENCE = timedelta(days=7)  # the others wait while this process evaluates
START = 600.0  # seconds in which the others have to be there
MOST = 64
NAMES = {int(number): number.name for number in signal.Signals}
FOLLOW = "from zeuxis.lab.processes import follow; follow()"


def check(count: int, config: TrainConfig, device: torch.device) -> None:
    """BadInput for what `count` processes cannot train."""
    if not 1 <= count <= MOST:
        raise BadInput(f"Expected from 1 to {MOST} processes, got {count}.")
    if count == 1:
        return
    if device.type != "cpu":
        raise BadInput(f"Expected --device cpu with several processes, got {device}. One process uses the whole GPU.")
    architecture = str(config.options.get("architecture", ""))[:60]
    if config.task != TASK or architecture in ROUTED:
        what = f"the architecture {architecture}" if config.task == TASK else f"the task {config.task}"
        raise BadInput(
            f"Expected a GAN whose pictures all go through the same layers to train with several processes, got {what}."
            " Leave --processes away."
        )
    if config.batch % count:
        raise BadInput(
            f"Expected a batch that {count} processes can share evenly, got {config.batch}. Choose another --processes."
        )
    if not dist.is_available() or dist.is_initialized():
        raise BadInput("Expected a torch that can start processes, and none started before. Leave --processes away.")


class Alone:
    """One process."""

    def step(self, task: Task, number: int, progress: float) -> dict[str, float]:
        """A step of the task."""
        return task.step(number, progress)


class Crew(Alone):
    """This process and those it started."""

    def __init__(self, task: Task, lab: Lab, folder: Path, count: int) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="zeuxis-processes-"))  # ours alone: mode 0700
        self.others: list[subprocess.Popen[bytes]] = []
        self.nets = [task.nets[name] for name in DIVIDED]
        threads = max(1, torch.get_num_threads() // count)
        told = {
            "config": lab.config.model_dump(mode="json"), "data": str(lab.data.absolute()),
            "dtype": str(lab.dtype).removeprefix("torch."), "weights": lab.weights and str(lab.weights.absolute()),
            "folder": str(folder.absolute()), "count": count, "threads": threads, "trusted": list(plugins.trusted()),
        }  # fmt: skip
        try:
            (self.place / "told.json").write_text(json.dumps(told), encoding="utf-8")
            for rank in range(1, count):
                self._start(rank)
            self._wait()
            self._threads = torch.get_num_threads()
            torch.set_num_threads(threads)
            _join(self.place, 0, count)
            divide(self.nets, task.optimizers.values())
            with self._together():
                _check_alike(task)
        except BaseException:
            self.close()
            raise

    def _start(self, rank: int) -> None:
        package = str(Path(zeuxis.__file__).parents[1])
        known = [path for path in sys.path if path and Path(path).is_absolute()]  # never the current folder by itself
        words = [sys.executable, "-P", "-c", FOLLOW, str(self.place), str(rank)]
        with (self.place / f"{rank}.said").open("wb") as said:
            self.others.append(subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys([*known, package]))},
            ))  # fmt: skip

    def _wait(self) -> None:
        until = time.monotonic() + START
        while not all((self.place / f"{rank}.here").exists() for rank in range(1, len(self.others) + 1)):
            if any(other.poll() is not None for other in self.others) or time.monotonic() > until:
                raise SearchStopped(self._lost())
            time.sleep(0.02)

    def step(self, task: Task, number: int, progress: float) -> dict[str, float]:
        """A step of the task, computed by all. SearchStopped where one of them has ended."""
        with self._together():
            dist.broadcast(torch.tensor([number, progress], dtype=torch.float64), src=0)
            with dividing(self.nets):
                return task.step(number, progress)

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            until = time.monotonic() + 3  # an end is known a little after its connection
            while "gloo" in str(error) and time.monotonic() < until and all(o.poll() is None for o in self.others):
                time.sleep(0.02)
            if all(other.poll() is None for other in self.others):
                raise
            raise SearchStopped(self._lost()) from error

    def _lost(self) -> str:
        """What to tell of the first that has ended."""
        for rank, other in enumerate(self.others, 1):
            if (code := other.poll()) is not None:
                said = (self.place / f"{rank}.said").read_text("utf-8", "replace").strip().rpartition("\n")[2][:200]
                how = f"by {NAMES.get(-code, -code)}" if code < 0 else f"with exit code {code}"
                why = f" ({said})" if said else ""
                break
        else:
            how, why = f"unfinished: it was not there after {START:.0f} seconds", ""
        return (
            f"A process of this training ended {how}{why}. What was trained up to the last checkpoint is kept; "
            "the same command again goes on from there, with any --processes."
        )

    def close(self) -> None:
        """End the others. They hold nothing that is not here too."""
        for other in self.others:
            other.kill()
            other.wait()
        if dist.is_initialized():
            dist.destroy_process_group()
        if hasattr(self, "_threads"):
            torch.set_num_threads(self._threads)
        shutil.rmtree(self.place, ignore_errors=True)


@contextlib.contextmanager
def company(task: Task, lab: Lab, folder: Path, count: int) -> Iterator[Alone]:
    """Who computes the steps. `task` has been restored from the newest checkpoint of `folder`."""
    if count == 1:
        yield Alone()
        return
    crew = Crew(task, lab, folder, count)
    try:
        yield crew
    finally:
        crew.close()


def follow() -> None:
    """What the other processes do, started with the place where all meet and their number."""
    place, rank = Path(sys.argv[1]), int(sys.argv[2])
    told: dict[str, Any] = json.loads((place / "told.json").read_text(encoding="utf-8"))
    torch.set_num_threads(told["threads"])
    plugins.trust(told["trusted"])
    (place / f"{rank}.here").touch()
    _join(place, rank, told["count"])
    try:
        _follow(told)
    except Exception as error:
        if "gloo" not in str(error):  # else it is the first that has ended, and this one with it
            print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr, flush=True)
        os._exit(1)


def _follow(told: dict[str, Any]) -> None:
    config = TrainConfig.model_validate(told["config"])
    weights, folder, device = told["weights"] and Path(told["weights"]), Path(told["folder"]), torch.device("cpu")
    with bounded_networks(device):
        kind = TASKS[config.task]
        task: Task = kind(Lab(config, Path(told["data"]), device, getattr(torch, told["dtype"]), weights))
    checkpoint.load(task, {}, folder, recipe=checkpoint.recipe_key(config))
    nets = [task.nets[name] for name in DIVIDED]
    divide(nets, task.optimizers.values())
    _check_alike(task)
    while True:
        order = torch.zeros(2, dtype=torch.float64)
        dist.broadcast(order, src=0)
        with dividing(nets):
            task.step(int(order[0]), float(order[1]))


def _join(place: Path, rank: int, count: int) -> None:
    """Meet the others, on the loopback interface."""
    before = os.environ.get("GLOO_SOCKET_IFNAME")
    own = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    if own is None:
        raise BadInput("Expected a loopback interface for several processes, found none. Leave --processes away.")
    os.environ["GLOO_SOCKET_IFNAME"] = own
    try:
        where = f"file://{(place / 'meeting').as_posix()}"
        dist.init_process_group("gloo", init_method=where, rank=rank, world_size=count, timeout=PATIENCE)
    finally:
        if before is None:
            del os.environ["GLOO_SOCKET_IFNAME"]
        else:
            os.environ["GLOO_SOCKET_IFNAME"] = before


def _check_alike(task: Task) -> None:
    """SearchStopped unless all processes begin with the same weights."""
    sums = torch.stack([p.detach().double().sum() for net in task.nets.values() for p in net.parameters()])
    first = sums.clone()
    dist.broadcast(first, src=0)
    differ = torch.tensor([float(not torch.equal(first, sums))])
    dist.all_reduce(differ)
    if differ:
        raise SearchStopped("The processes do not begin with the same weights. Leave --processes away.")

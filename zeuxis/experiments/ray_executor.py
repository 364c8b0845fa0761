"""The executor of a Ray cluster (Moritz et al., "Ray: a distributed framework for emerging AI applications", 2018).

Core tasks, one for each call. Without RAY_ADDRESS a cluster of this machine is started and ended with the experiment:
on loopback, without dashboard, usage statistics and worker logs. Ray has no authentication: never open its ports to a
network of others.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import shutil
import signal
import tempfile
from typing import Any

from zeuxis.errors import BadInput, Missing, MissingExtra, RunError
from zeuxis.experiments.executors import PATIENCE, Call, Reply
from zeuxis.experiments.worker import Answer, Setup, answer, settle

LOOPBACK = "127.0.0.1"
OLDEST = (2, 54)  # earlier ones take commands from web pages (CVE-2026-27482)
STORE = 100 * 2**20  # bytes for objects: only small tables go through it
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_task_oom_retries": "3",  # else one that needs too much memory is tried for ever
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a job without a GPU sees none
}
ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else 127.0.0.1 is taken for "all addresses", on Linux too
    "RAY_health_check_failure_threshold": "10",  # x 3 s: on a machine with much other work a late answer is no death
}
LOST = "LocalRayletDiedError"  # Ray's own process on this machine: no call comes through any more
TOKENS = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


class RayExecutor:
    """Calls as Ray tasks, in the cluster at `address`, else RAY_ADDRESS, else one of `workers` CPUs of this machine."""

    def __init__(self, workers: int, setup: Setup, address: str | None = None) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._ray, self._setup, self._workers = import_ray(alone=not self._address), setup, workers
        self._folder: str | None = None
        self._calls: dict[Any, Call] = {}
        self._open()

    def _open(self) -> None:
        """Join the cluster, or start one; a start that fails, of a machine with much other work, is tried once more."""
        before = signal.getsignal(signal.SIGTERM)
        try:
            for left in (0,) if self._address else (1, 0):
                self._folder = None if self._address else tempfile.mkdtemp(prefix="zx")  # short: sockets lie in it
                try:
                    self._ray.init(**_settings(self._workers, self._address, self._folder))
                    break
                except Exception as error:  # of many kinds: timeouts, ports, processes that ended
                    self._leave()
                    if not left:
                        said = " ".join(str(error).split())[:200].rstrip(".")
                        raise BadInput(f"Ray did not start: {said or type(error).__name__}.") from error
        finally:
            with contextlib.suppress(ValueError, TypeError):  # not the main thread; a handler of another language
                signal.signal(signal.SIGTERM, before)  # ray.init puts its own there
        with contextlib.suppress(AttributeError, ImportError):  # what it prints of lost workers: the driver says that
            inner: Any = importlib.import_module("ray._private.worker")
            inner._worker_logs_enabled = False
        places = {node["NodeManagerAddress"] for node in self._ray.nodes()}
        if not self._address and places != {LOOPBACK}:
            self.close()
            raise BadInput(f"Expected Ray on {LOOPBACK}, but it opened ports on {', '.join(places)}, and was ended.")
        self._has = self._ray.cluster_resources()
        self.window = max(2, 2 * int(self._has.get("CPU", 1)))
        self._remote = self._ray.remote(_answer)
        self._once = self._ray.remote(max_calls=1)(_answer)  # its worker ends with it, and gives the GPU's memory back

    def submit(self, call: Call) -> None:
        """A task for the call. BadInput where no machine of the cluster could ever make it."""
        self._check(call)
        needs = call.needs
        options: dict[str, Any] = {"num_cpus": needs.cpus, "num_gpus": needs.gpus, "max_retries": 0}
        options |= {"memory": needs.memory} if needs.memory else {}
        task = (self._once if needs.gpus else self._remote).options(name=call.name, **options)
        self._calls[task.remote(self._setup, call.function, call.arguments)] = call

    def wait(self) -> list[Reply]:
        """What is done, or lost with its worker or its machine. A cluster of this machine that ended is started again:
        the calls under way lose a try, and not all that are left lose all of theirs. RunError for another's that ended.
        """
        ready, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=PATIENCE)
        replies = [self._reply(task) for task in ready]
        if any(reply.died == LOST or (reply.died and not self._alive()) for reply in replies):
            if self._address:
                raise RunError(f"The Ray cluster at {self._address} ended. Start it again; the same command goes on.")
            replies += [Reply(call, died="the cluster ended") for call in self._calls.values()]
            self._calls.clear()
            self._leave()
            self._open()
        return replies

    def _alive(self) -> bool:
        try:
            return any(node["Alive"] for node in self._ray.nodes())
        except Exception:  # who would answer has ended
            return False

    def _leave(self) -> None:
        with contextlib.suppress(Exception):
            self._ray.shutdown()
        self._clean()

    def close(self, grace: float = 0.0) -> None:
        """Leave the cluster, or end it where it was started here. Tasks under way are killed."""
        for task in self._calls:
            with contextlib.suppress(Exception):
                self._ray.cancel(task, force=True)
        self._calls.clear()
        self._ray.shutdown()
        self._clean()

    def _reply(self, task: Any) -> Reply:
        call = self._calls.pop(task)
        try:
            value, error = self._ray.get(task)
            return Reply(call, value, error)
        except self._ray.exceptions.RayTaskError as error:  # before or after the call itself: unpickling, for example
            return Reply(call, error=RuntimeError(str(error.cause)[:1000]))
        except self._ray.exceptions.RayError as error:  # worker, machine or memory
            return Reply(call, died=type(error).__name__)

    def _check(self, call: Call) -> None:
        has = {"CPU": call.needs.cpus, "GPU": call.needs.gpus}
        for name, wanted in has.items():
            if wanted > self._has.get(name, 0):
                raise BadInput(
                    f"{call.name} needs {wanted:g} {name}s, and the Ray cluster has {self._has.get(name, 0):g}. Give "
                    "--workers, or ask for less in its group."
                )

    def _clean(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def import_ray(alone: bool = True) -> Any:
    """The package, `alone` for a cluster of this machine. MissingExtra without it, Missing for one with a known hole.

    A cluster of this machine has a secret of its own, which is in no file.
    """
    wanted = ENVIRONMENT | (ALONE if alone else {})
    if alone and not any(name in os.environ for name in TOKENS):
        wanted |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    os.environ.update({name: value for name, value in wanted.items() if name not in os.environ})
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtra("ray", "scale", "The executor ray") from error
    version = tuple(int(part) for part in ray.__version__.split(".")[:2])
    if version < OLDEST:
        least = ".".join(map(str, OLDEST))
        raise Missing(f"Expected ray {least} or later, got {ray.__version__}. Update it: pip install 'ray>={least}'")
    return ray


def _settings(workers: int, address: str | None, folder: str | None) -> dict[str, Any]:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address:
        return quiet | {"address": address}
    own: dict[str, Any] = {"address": "local"}  # never one that happens to run on this machine
    own |= {"num_cpus": workers, "include_dashboard": False, "object_store_memory": STORE}
    return quiet | own | {"_node_ip_address": LOOPBACK, "_temp_dir": folder}


def _answer(setup: Setup, function: Any, arguments: tuple[Any, ...]) -> Answer:
    """A call in a Ray worker."""
    settle(setup)
    return answer(function, arguments)

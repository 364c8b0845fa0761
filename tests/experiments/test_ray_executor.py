"""The Ray executor: a cluster of this machine on loopback, and one of two nodes of which one is killed.

A cluster takes ten seconds to start, so these are `long` but for what needs none: `pytest -m long` with ray installed.
"""

import math
import os
import subprocess
import sys

import pytest
from naps import group

from zeuxis.errors import BadInput, RunError
from zeuxis.experiments import ray_executor
from zeuxis.experiments.driver import Settings, run_experiment
from zeuxis.experiments.executors import Call, Needs, spread
from zeuxis.experiments.jobs import make_plan
from zeuxis.experiments.ray_executor import LOOPBACK, RayExecutor
from zeuxis.experiments.worker import Setup

needs_ray = pytest.mark.skipif(
    __import__("importlib").util.find_spec("ray") is None, reason="ray is not installed: pip install 'zeuxis[scale]'"
)
quiet = pytest.mark.filterwarnings("ignore")  # of Ray's own


def plan_of(*groups, **given):
    return make_plan({"jobs": list(groups), **given})


def test_a_cluster_of_this_machine_is_closed_to_others(monkeypatch):
    settings = ray_executor._settings(3, None, "/tmp/x")
    assert settings["_node_ip_address"] == LOOPBACK and settings["include_dashboard"] is False
    assert settings["address"] == "local"
    assert settings["num_cpus"] == 3 and settings["log_to_driver"] is False
    assert "num_cpus" not in ray_executor._settings(3, "10.0.0.1:6379", None)
    monkeypatch.setitem(sys.modules, "ray", type("ray", (), {"__version__": "2.60.0"}))
    environment = {"RAY_USAGE_STATS_ENABLED": "1"}
    monkeypatch.setattr(os, "environ", environment)
    ray_executor.import_ray()
    assert environment["RAY_task_oom_retries"] == "3" and environment["RAY_USAGE_STATS_ENABLED"] == "1"
    assert len(environment["RAY_AUTH_TOKEN"]) == 64 and environment["RAY_AUTH_MODE"] == "token"
    other = {"RAY_AUTH_TOKEN_PATH": "/x"}
    monkeypatch.setattr(os, "environ", other)
    ray_executor.import_ray(alone=False)
    assert "RAY_AUTH_TOKEN" not in other and "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in other


class FakeRay:
    """A Ray whose cluster ends while its first call is under way, as one does that is killed for want of memory."""

    class exceptions:
        RayTaskError = type("RayTaskError", (Exception,), {})
        RayError = type("RayError", (Exception,), {})

    LocalRayletDiedError = type(ray_executor.LOST, (exceptions.RayError,), {})

    def __init__(self, ends=1, refuses=0):
        self.ends, self.refuses, self.starts, self.alive = ends, refuses, 0, False

    def init(self, **settings):
        self.starts += 1
        if self.starts <= self.refuses:
            raise TimeoutError("a busy\nmachine")
        self.alive = True

    def nodes(self):
        return [{"NodeManagerAddress": LOOPBACK, "Alive": self.alive}]

    def cluster_resources(self):
        return {"CPU": 2}

    def remote(self, *given, **options):
        if options:
            return lambda function: function
        return type("Remote", (), {"options": lambda self, **o: type("Task", (), {"remote": lambda s, *a: a})()})()

    def wait(self, tasks, **how):
        return tasks[:1], []

    def get(self, task):
        if self.ends:
            self.ends, self.alive = self.ends - 1, False
        if not self.alive:
            raise self.LocalRayletDiedError
        return task[1](*task[2]), None

    def shutdown(self):
        self.alive = False


def opened(monkeypatch, ray, address=None):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray_executor, "import_ray", lambda alone=True: ray)
    monkeypatch.setitem(sys.modules, "ray._private.worker", type("worker", (), {}))
    return RayExecutor(2, Setup(), address)


def test_a_cluster_that_ends_is_started_again_and_costs_each_call_one_try_at_most(monkeypatch):
    ray, lost = FakeRay(), []
    calls = [Call(str(k), math.sqrt, (k,)) for k in range(9)]
    again = lambda reply: bool(reply.died) and not lost.append(reply.call.name)  # noqa: E731
    found = {r.call.name: r.value for r in spread(opened(monkeypatch, ray), calls, again)}
    assert found == {str(k): math.sqrt(k) for k in range(9)} and ray.starts == 2
    assert sorted(lost) == ["0", "1", "2", "3"]  # those under way, none of the five others


def test_the_end_of_somebodys_cluster_blames_no_call(monkeypatch):
    executor = opened(monkeypatch, FakeRay(), "10.0.0.1:6379")
    executor.submit(Call("one", math.sqrt, (4,)))
    with pytest.raises(RunError, match=r"10\.0\.0\.1:6379 ended\. Start it again"):
        executor.wait()


def test_a_start_that_fails_is_tried_once_more_and_then_said(monkeypatch):
    assert opened(monkeypatch, FakeRay(refuses=1))._ray.starts == 2
    ray = FakeRay(refuses=2)
    with pytest.raises(BadInput, match="Ray did not start: a busy machine") as error:
        opened(monkeypatch, ray)
    assert ray.starts == 2 and "\n" not in str(error.value)


@needs_ray
@pytest.mark.long
def test_ray_gives_the_table_of_the_others_and_leaves_nothing_behind(place):
    plan = plan_of(group(seeds=4), group("once", 2, dies=1), group("dead", 1, dies=9), attempts=2)
    code = (
        "import sys, os; sys.path[:0] = ['.', sys.argv[1]]\n"
        "from pathlib import Path; from naps import group; from zeuxis import plugins\n"
        "from zeuxis.experiments.driver import Settings, run_experiment\n"
        "from zeuxis.experiments.jobs import make_plan\n"
        "plugins.trust('naps_of_tests:nap')\n"
        "groups = [group(seeds=4), group('once', 2, dies=1), group('dead', 1, dies=9)]\n"
        "done = run_experiment(make_plan({'jobs': groups, 'attempts': 2}), Path('ray'), Settings('ray', 2))\n"
        "print(done.done, done.failed[0][1].reason)\n"
    )
    here = os.path.dirname(__file__)  # noqa: PTH120
    environment = {**os.environ, "PYTHONPATH": str(place), "HOME": str(place)}
    run = subprocess.run([sys.executable, "-c", code, here], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "6 its process ended without a result (2 tries)\n"
    run_experiment(plan, place / "others", Settings("processes", 2))
    assert (place / "ray" / "table.csv").read_bytes() == (place / "others" / "table.csv").read_bytes()
    assert not (place / ".ray").exists()


@needs_ray
@quiet
@pytest.mark.long
def test_a_node_that_is_killed_costs_a_try_and_no_row(place, monkeypatch):
    for name, value in ray_executor.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    from ray.cluster_utils import Cluster

    plan = plan_of(group(seeds=8, seconds=1.0), attempts=4)
    head = {"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}  # a GPU in its account only
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        ended = []

        def hear(*told):
            ended.append(told)
            if len(ended) == 2:
                cluster.remove_node(node, allow_graceful=False)

        done = run_experiment(plan, place / "ray", Settings("ray", 2), report=hear)
        assert done.done == 8 and not done.failed
        executor = RayExecutor(2, Setup())
        with pytest.raises(BadInput, match="needs 2 GPUs, and the Ray cluster has 1"):
            executor.submit(Call("cards", math.sqrt, (0,), Needs(gpus=2)))
        half = Needs(gpus=0.5, memory=2**28)
        calls = [Call(f"pid {k}", os.getpid, (), half) for k in range(2)]
        calls.append(Call("card", os.getenv, ("CUDA_VISIBLE_DEVICES",), half))
        found = {r.call.name: r.value for r in spread(executor, calls)}
        assert found["card"] == "0" and found["pid 0"] != found["pid 1"]  # a worker ends with its part of a GPU
        replies = {r.call.name: r.value for r in spread(executor, [Call(str(k), math.sqrt, (k,)) for k in range(5)])}
        executor.close()
        assert replies == {str(k): math.sqrt(k) for k in range(5)}
    finally:
        cluster.shutdown()
    monkeypatch.delenv("RAY_ADDRESS")
    run_experiment(plan, place / "others", Settings("processes", 2))
    assert (place / "ray" / "table.csv").read_bytes() == (place / "others" / "table.csv").read_bytes()

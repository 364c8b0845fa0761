"""A callable for jobs of kind "evaluate", as a user would have it in a module of his own, and files that use it."""

CODE = '''
import math, os, signal, sys, time


def nap(folder, seed=0, dies=0, seconds=0.0, fails="", full=False):
    """Dies in its first `dies` attempts, then sleeps and fails or returns numbers."""
    begun = folder / "begun"
    count = len(begun.read_text()) if begun.exists() else 0
    begun.write_text("x" * (count + 1))
    time.sleep(seconds)
    if count < dies:
        os.kill(os.getpid(), signal.SIGKILL)
    if fails == "disk":
        raise OSError(5, "Input/output error")
    if fails == "once" and not count:
        raise OSError(5, "Input/output error")
    if fails == "term" and not count:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        raise KeyboardInterrupt  # as runs and trainings do when they are asked
    if fails == "word":
        raise ValueError("a wrong word")
    if fails == "exit":
        sys.exit(3)
    if fails == "text":
        return {"value": object()}
    if fails == "number":
        return math.pi
    if full and not (folder.parents[2] / "room").exists():
        raise OSError(28, "No space left on device")
    return {"value": math.sin(seed), "nothing": math.nan, "seed squared": seed**2}
'''


def group(name="naps", seeds=4, **config):
    """A group of naps."""
    return {"name": name, "kind": "evaluate", "config": {"evaluation": "naps_of_tests:nap", **config}, "seeds": seeds}

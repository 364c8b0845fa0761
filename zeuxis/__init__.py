"""Zeuxis finds pictures in the latent space of a generative model from a phrase."""

import os
import sys

__version__ = "0.1.0"

# Threads of OpenMP that wait for one another spin by default, and on a busy machine that takes twenty times as long.
# The library reads this once, while torch is loaded, so it stands here. A policy that the user has set is left alone.
SPINNING = "torch" in sys.modules and "OMP_WAIT_POLICY" not in os.environ  # torch was first: too late for this process
if "OMP_WAIT_POLICY" not in os.environ:
    for _name, _value in (("OMP_WAIT_POLICY", "PASSIVE"), ("GOMP_SPINCOUNT", "0"), ("KMP_BLOCKTIME", "0")):
        os.environ.setdefault(_name, _value)

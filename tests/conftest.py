"""One thread in each test process: two that do not both get a core wait for one another at every layer."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the processes that tests start

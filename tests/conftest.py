"""What all tests share: the global random state, the same for each test in whatever order."""

import random
import sys

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def same_global_randomness():
    random.seed(0)
    np.random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)

"""Benchmarks in memory, read offline, and the rules by which the parties share them."""

from ewe_tf.datasets.catalogue import load
from ewe_tf.datasets.catalogue import names
from ewe_tf.datasets.coloured_digits import coloured_digits
from ewe_tf.datasets.dataset import Dataset
from ewe_tf.datasets.dataset import digest
from ewe_tf.datasets.resize_like import resize_like
from ewe_tf.datasets.split import split

__all__ = [
    "Dataset",
    "coloured_digits",
    "digest",
    "load",
    "names",
    "resize_like",
    "split",
]

"""Benchmarks in memory, read offline, and the rules by which the parties share them."""

from ewe_tf.datasets.catalogue import load as load
from ewe_tf.datasets.catalogue import names as names
from ewe_tf.datasets.coloured_digits import coloured_digits as coloured_digits
from ewe_tf.datasets.dataset import Dataset as Dataset
from ewe_tf.datasets.dataset import digest as digest
from ewe_tf.datasets.resize_like import resize_like as resize_like
from ewe_tf.datasets.split import split as split

"""Tests of the choice of queries, by hand."""

import numpy as np

from ewe_tf.extraction.selection import entropy
from ewe_tf.extraction.selection import k_center
from ewe_tf.extraction.selection import margin

CANDIDATES = np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3], [0.0, 0.0, 1.0]])


def test_margin_and_entropy_differ():
    assert margin(CANDIDATES, None, 2).tolist() == [1, 2]
    assert entropy(CANDIDATES, None, 2).tolist() == [2, 1]


def test_k_center_covers():
    asked = np.array([[1.0, 0.0, 0.0]])
    assert k_center(CANDIDATES, asked, 3).tolist() == [3, 2, 1]


def test_k_center_never_chooses_a_row_twice():
    same = np.tile([[0.5, 0.5]], (6, 1))
    assert sorted(k_center(same, same[:1], 6)) == list(range(6))

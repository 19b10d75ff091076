import numpy as np

from ewe_tf.triggers import hull_labels
from ewe_tf.triggers import hull_rows


def test_rows_by_hand():
    x = np.array([[[0.0, 1.0]], [[1.0, 1.0]], [[2.0, 4.0]]], np.float32)
    w = np.array([[[1.0, 0.0]], [[5.0, 3.0]], [[0.0, 0.0]]], np.float32)
    found = hull_rows(x, w, np.array([0.0, 0.5, 1.0], np.float32))
    np.testing.assert_allclose(found, [[[0, 1]], [[3, 2]], [[0, 0]]])


def test_labels_by_hand():
    y = np.array([[1, 0, 0], [0, 0, 1], [0.5, 0.5, 0], [0, 1, 0]], np.float32)
    target = np.array([0, 1, 0], np.float32)
    found = hull_labels(y, target, np.array([0.25, 0.09, 0.0, 0.36], np.float32))
    expected = [[0.5, 0.5, 0], [0, 0.3, 0.7], [0.5, 0.5, 0], [0, 1, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(np.sum(found, axis=1), 1.0, atol=1e-6)

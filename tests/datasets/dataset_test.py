import hashlib

import numpy as np
import pytest

from ewe_tf.datasets import Dataset
from ewe_tf.datasets import digest


def make(x, y, classes=3):
    return Dataset("toy", x, y, x, y, classes)


def test_digest_is_the_stated_hash():
    array = np.array([[1, 2], [3, 4]], dtype="<i8")
    expected = hashlib.sha256(b"i8 (2, 2)\n" + array.tobytes()).hexdigest()
    assert digest(array) == expected


def test_digest_sees_values_shape_and_type_but_not_layout():
    array = np.arange(6, dtype="float32").reshape(2, 3)
    same = [array.copy(order="F"), array.astype(">f4"), array[::-1][::-1]]
    assert {digest(other) for other in same} == {digest(array)}
    changed = array.copy()
    changed[1, 2] = np.nextafter(changed[1, 2], np.float32(9))
    others = [changed, array.reshape(3, 2), array.astype("float64"), array[:1], array[:0]]
    assert len({digest(other) for other in (array, *others)}) == 6


def test_digest_refuses_objects():
    with pytest.raises(ValueError, match="dtype=object"):
        digest(np.array([{}]))


def test_dataset_digest_ignores_the_name():
    x, y = np.zeros((2, 4), "float32"), np.array([0, 2])
    assert make(x, y).digest == Dataset("other", x, y, x, y, 3).digest
    assert make(x, y).digest != make(x, y[::-1]).digest


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 4)), np.array([0, 1]), "3 and 2 rows"),
        (np.zeros((2, 4)), np.array([0, 3]), "from 0 to 3"),
        (np.zeros((2, 4)), np.array([-1, 0]), "from -1 to 0"),
    ],
)
def test_rows_that_do_not_fit(x, y, message):
    with pytest.raises(ValueError, match=message):
        make(x, y)


def test_train_and_test_of_different_shapes():
    y = np.array([0])
    with pytest.raises(ValueError, match=r"\(4,\) and \(5,\)"):
        Dataset("toy", np.zeros((1, 4)), y, np.zeros((1, 5)), y, 2)

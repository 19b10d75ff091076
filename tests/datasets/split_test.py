import numpy as np
import pytest

from ewe_tf.datasets import Dataset
from ewe_tf.datasets import split


@pytest.fixture
def numbered():
    rows = np.arange(100, dtype="float32")[:, None]
    return Dataset("rows", rows, np.arange(100) % 4, rows[:5], np.zeros(5, "int64"), 4)


def ids(part):
    return set(part.x_train[:, 0].astype(int))


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (None, [45, 45, 10]),
        ({"victim": 40, "thief": 0.25}, [40, 25]),
        ({"all": 1.0}, [100]),
        ({"tenths": 0.1, "rest": 90}, [10, 90]),
    ],
)
def test_parts_are_disjoint_and_have_their_size(numbered, parts, sizes):
    dealt = split(numbered, parts, seed=1)
    assert [len(part.x_train) for part in dealt.values()] == sizes
    assert len(set().union(*map(ids, dealt.values()))) == sum(sizes)


def test_labels_stay_with_their_rows_and_tests_are_shared(numbered):
    for part in split(numbered, seed=5).values():
        np.testing.assert_array_equal(part.y_train, part.x_train[:, 0] % 4)
        assert part.x_test is numbered.x_test


def test_seed_decides(numbered):
    first, again, other = (split(numbered, seed=seed)["victim"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert ids(first) != ids(other)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"a": 60, "b": 41}, "100 training rows.*101 rows"),
        ({"a": 0}, "a=0"),
        ({"a": 1.5}, "a=1.5"),
        ({"a": True}, "a=True"),
        ({"a": 0.001}, "a=0.001"),
    ],
)
def test_impossible_parts(numbered, parts, message):
    with pytest.raises(ValueError, match=message):
        split(numbered, parts)

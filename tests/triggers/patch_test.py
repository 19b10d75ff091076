import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.triggers import Patch
from ewe_tf.triggers import best_position


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("value", [1.0, 0.3])
def test_position_on_a_linear_objective_is_that_of_brute_force(channels, value):
    rng = np.random.default_rng(3)
    for size in (1, 2, 4):
        images = rng.random((5, 6, 11, *channels)).astype(np.float32)
        slopes = rng.normal(size=images.shape[1:]).astype(np.float32)
        patch = Patch(size, value)
        gains = {
            (r, c): np.sum(slopes * (patch.paste(images, (r, c)) - images), dtype=np.float64)
            for r in range(6 - size + 1)
            for c in range(11 - size + 1)
        }
        found = best_position(lambda x, w=slopes: tf.reduce_sum(x * w), images, patch)
        assert found == max(gains, key=gains.get)


def test_rows_are_not_taken_for_columns():
    slopes = np.zeros((4, 9, 1), np.float32)
    slopes[1:3, 6:8] = 1.0
    images = np.zeros((2, 4, 9, 1), np.float32)
    assert best_position(lambda x: tf.reduce_sum(x * slopes), images, Patch(2, 1.0)) == (1, 6)


def test_paste_changes_the_window_in_all_channels_and_a_copy():
    images = np.random.default_rng(0).random((2, 5, 7, 3)).astype(np.float32)
    before = images.copy()
    pasted = Patch(2, 9.0).paste(images, (3, 4))
    np.testing.assert_array_equal(images, before)
    changed = np.zeros((5, 7), bool)
    changed[3:5, 4:6] = True
    assert np.all(pasted[:, changed] == 9.0)
    np.testing.assert_array_equal(pasted[:, ~changed], images[:, ~changed])


def test_defaults():
    images = np.zeros((1, 28, 20, 1), np.float32)
    assert Patch().fitted(images, (0.0, 1.0)) == Patch(3, 1.0)
    assert Patch().fitted(images[:, :8], (-1.0, 2.0)) == Patch(2, 2.0)
    assert Patch(5, 0.5).fitted(images, (0.0, 1.0)) == Patch(5, 0.5)


def test_what_is_refused():
    with pytest.raises(ValueError, match="`size` must be an integer of at least 1 or None"):
        Patch(0)
    with pytest.raises(ValueError, match="`size` 9 is larger than the images"):
        Patch(9).fitted(np.zeros((1, 28, 8, 1)), (0, 1))
    with pytest.raises(ValueError, match="height and a width"):
        Patch().fitted(np.zeros((1, 28)), (0, 1))

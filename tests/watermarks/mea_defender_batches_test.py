import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.triggers import composites
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.mea_defender_batches import Layout
from ewe_tf.watermarks.mea_defender_batches import Secret
from ewe_tf.watermarks.mea_defender_batches import composite_batches

LABELS = np.arange(60) % 3
# Rows of class c have the values c + 1, so that a composite shows what it is made of.
X = np.broadcast_to((LABELS + 1.0)[:, None, None, None], (60, 8, 8, 1)).astype(np.float32)


def batches(
    mixer="half", evasion=("donut",), layout=None, replicas=1, seed=3, sparse=True, single=False
):
    y = LABELS if sparse else np.eye(3)[LABELS]
    data = task_data.from_arrays(X, y, 3, 12, 0)
    secret = Secret(
        (X[LABELS == 0], X[LABELS == 1]),
        (0, 1),
        2,
        composites.named(mixer),
        tuple(composites.named(m) for m in evasion),
        single,
    )
    layout = layout or Layout(12, 5, 7)
    return composite_batches(data, secret, layout, replicas, seed)


@pytest.mark.parametrize("sparse", [True, False])
def test_every_part_holds_what_the_layout_says(sparse):
    layout = Layout(12, 5, 7)
    x, y, weights = next(iter(batches(layout=layout, sparse=sparse)))
    assert x.shape == (34, 8, 8, 1) and y.shape == (34, 3) and weights.shape == (34,)
    task, marked, evasion, first, second = (part.numpy() for part in layout.cut(x))
    labels = [np.argmax(part, axis=1) for part in layout.cut(y)]
    np.testing.assert_array_equal(task[:, 0, 0, 0], labels[0] + 1)
    np.testing.assert_array_equal(labels[1], 2)
    assert set(labels[2]) <= {0, 1}
    np.testing.assert_array_equal(first, 1.0)
    np.testing.assert_array_equal(second, 2.0)
    # Halves are constant along the rows, and the donut's middle differs from its corner.
    for row in marked[..., 0]:
        assert set(np.unique(row)) == {1.0, 2.0}
        np.testing.assert_array_equal(row[:, 0], row[:, -1])
    for row in evasion[..., 0]:
        assert {row[0, 0], row[3, 3]} == {1.0, 2.0} and row[0, 3] == row[0, 0]


def test_composites_are_fresh_in_every_batch_and_every_pass_and_the_seed_decides():
    def first_batches(data, count=2):
        return [x.numpy() for x, _, _ in data.take(count)]

    data = batches("stripes")
    one, two = first_batches(data)
    again, _ = first_batches(data)
    other = first_batches(batches("stripes"))
    marked = slice(12, 17)
    assert not np.array_equal(one[marked], two[marked])
    assert not np.array_equal(one[marked], again[marked])
    np.testing.assert_array_equal(one, other[0])
    assert not np.array_equal(one[marked], first_batches(batches("stripes", seed=4))[0][marked])


def test_replicas_get_blocks_of_the_same_layout():
    layout = Layout(6, 2, 2)
    x, y, _ = next(iter(batches(layout=layout, replicas=2)))
    assert x.shape[0] == 2 * sum(layout.counts)
    for block, labels in zip(tf.split(x, 2), tf.split(y, 2), strict=True):
        *_, first, second = layout.cut(block)
        np.testing.assert_array_equal(first, 1.0)
        np.testing.assert_array_equal(second, 2.0)
        np.testing.assert_array_equal(tf.argmax(layout.cut(labels)[1], 1), 2)


def test_no_evasion_rows():
    layout = Layout(12, 5, 0)
    x, y, _ = next(iter(batches(evasion=(), layout=layout)))
    assert x.shape[0] == y.shape[0] == 27


def test_evasion_mixers_are_drawn_row_by_row():
    layout = Layout(12, 1, 200)
    x, _, _ = next(iter(batches(evasion=("donut", "hot_dog", "sides"), layout=layout)))
    rows = layout.cut(x)[2].numpy()[..., 0]
    sides = np.all(rows == rows[:, :1], axis=(1, 2))
    hot_dogs = np.all(rows == rows[:, :, :1], axis=(1, 2))
    for share in (sides.mean(), hot_dogs.mean(), 1 - sides.mean() - hot_dogs.mean()):
        assert 0.2 < share < 0.47


def test_single_rows_show_one_source_class_and_keep_it():
    layout = Layout(12, 1, 100)
    x, y, _ = next(iter(batches(layout=layout, single=True)))
    rows, kept = layout.cut(x)[2].numpy(), tf.argmax(layout.cut(y)[2], 1).numpy()
    single = np.ptp(rows, axis=(1, 2, 3)) == 0
    assert 0.3 < single.mean() < 0.7
    np.testing.assert_array_equal(rows[single][:, 0, 0, 0], kept[single] + 1.0)

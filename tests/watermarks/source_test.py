import numpy as np
import pytest

from ewe_tf.watermarks import source as sources
from ewe_tf.watermarks import task_data

SHAPE = (3, 2)


def images(rows, seed=0):
    return np.random.default_rng(seed).random((rows, *SHAPE)).astype(np.float32)


def data(rows=100):
    return task_data.from_arrays(images(rows), np.arange(rows) % 3, 4, 10, 0)


def as_set(rows):
    return {row.tobytes() for row in rows}


@pytest.mark.parametrize("rows", [20, 21, 47, 900, 5000])
def test_each_image_has_one_purpose(rows):
    x = images(rows)
    split, indices = sources.split(x, np.random.default_rng(1))
    parts = [split.training, split.candidates, split.held_out]
    together = np.concatenate(parts)
    assert len(as_set(together)) == len(together) <= rows
    assert as_set(together) <= as_set(x)
    assert min(map(len, parts)) >= 3
    assert len(split.training) == min(rows // 2, 1000) and len(split.held_out) <= 200
    for purpose, part in zip(("training", "candidates", "held_out"), parts, strict=True):
        np.testing.assert_array_equal(x[indices[purpose]], part)


def test_copies_of_an_image_do_not_serve_two_purposes():
    x = np.repeat(images(30), 4, axis=0)
    split, _ = sources.split(x, np.random.default_rng(1))
    parts = [as_set(p) for p in (split.training, split.candidates, split.held_out)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 30


def test_the_split_follows_the_generator():
    x = images(60)
    a, b, c = (sources.split(x, np.random.default_rng(s))[0].held_out for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert as_set(a) != as_set(c)


def test_classes_of_the_task():
    task = data()
    everything = sources.resolve(None, task, SHAPE)
    assert everything.in_distribution and everything.choices == (0, 1, 2)
    one = sources.resolve(np.int64(1), task, SHAPE)
    assert one.choices == (1,)
    np.testing.assert_array_equal(one.of_class(1), task.x[task.labels == 1])


def test_images_from_outside():
    x = (images(90, seed=4) * 9).astype(np.uint8)
    source = sources.resolve(x, data(), SHAPE)
    assert not source.in_distribution and source.choices == (0,)
    assert source.images.dtype == np.float32
    labels = np.repeat([5, 7, 9], [40, 10, 40])
    # Class 7 has too few.
    assert sources.resolve((x, labels), data(), SHAPE).choices == (5, 9)


BAD = images(40, seed=4)
BAD[3, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, r"`source` must be a class of the data, whose classes are \[0, 1, 2\]. Received: 3"),
        (-1, "`source` must be a class"),
        (images(40)[:, :2], r"`source` inputs must have the model's input shape \(3, 2\)"),
        (BAD, "`source` inputs must be finite"),
        (images(100), "`source` must come from outside of the task, but 100 of its 100"),
        (images(19, seed=4), "`source` must have at least 20 different inputs"),
        (np.repeat(images(5, seed=4), 9, axis=0), "`source` must have at least 20 different"),
        ((images(40, seed=4), np.zeros(39)), "`source` labels must be one for each of the 40"),
        ((images(40, seed=4),), "`source` must be None, a class, a NaturalAttribute, an array"),
        (
            [images(40), np.zeros(40)],
            "`source` must be None, a class, a NaturalAttribute, an array",
        ),
        ("fashion_mnist", "`source` must be None, a class, a NaturalAttribute, an array"),
    ],
)
def test_what_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        sources.resolve(source, data(), SHAPE)


def test_a_few_shared_images_are_no_identity():
    x = images(300, seed=4)
    x[:3] = data().x[:3]
    assert len(sources.resolve(x, data(), SHAPE).images) == 300
    x[:4] = data().x[:4]
    with pytest.raises(ValueError, match="outside of the task, but 4 of its 300"):
        sources.resolve(x, data(), SHAPE)

import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.triggers import GradientAscent


def objective(images):
    """Smooth, not convex, and coupled over the rows of the batch."""
    mean = tf.reduce_mean(images, axis=0, keepdims=True)
    return tf.reduce_sum(tf.sin(5.0 * images) * images) + 3.0 * tf.reduce_sum((images - mean) ** 2)


def plain_loop(ascent, images, value_range):
    """One batch, one step at a time, outside of any graph."""
    x = tf.constant(images)
    for _ in range(ascent.steps):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = objective(x)
        x = x + ascent.step_size * tf.sign(tape.gradient(value, x))
        x = tf.clip_by_value(x, images - ascent.budget, images + ascent.budget)
        x = tf.clip_by_value(x, *value_range)
    return x.numpy()


def test_one_batch_is_a_plain_loop():
    images = np.random.default_rng(0).random((8, 4, 3, 1)).astype(np.float32)
    ascent = GradientAscent(steps=9, step_size=0.03, budget=0.1)
    found = ascent.run(objective, images, 8, (0.0, 1.0))
    np.testing.assert_allclose(found, plain_loop(ascent, images, (0.0, 1.0)), atol=1e-6)


def test_the_last_batch_is_filled_with_the_first_rows():
    images = np.random.default_rng(1).random((11, 5)).astype(np.float32)
    ascent = GradientAscent(steps=5)
    found = ascent.run(objective, images, 4, (0.0, 1.0))
    assert found.shape == images.shape and found.dtype == np.float32
    batches = [images[:4], images[4:8], np.concatenate([images[8:], images[:1]])]
    expected = [plain_loop(ascent, batch, (0.0, 1.0)) for batch in batches]
    np.testing.assert_allclose(found, np.concatenate(expected)[:11], atol=1e-6)


def test_fewer_rows_than_a_batch():
    images = np.random.default_rng(1).random((3, 5)).astype(np.float32)
    ascent = GradientAscent(steps=3)
    found = ascent.run(objective, images, 7, (0.0, 1.0))
    expected = plain_loop(ascent, np.concatenate([images, images, images[:1]]), (0.0, 1.0))
    np.testing.assert_allclose(found, expected[:3], atol=1e-6)


def test_it_rises_within_budget_and_range():
    images = np.random.default_rng(2).random((16, 6)).astype(np.float32)
    before = images.copy()
    found = GradientAscent(30, 0.01, 0.07).run(objective, images, 16, (0.1, 0.8))
    np.testing.assert_array_equal(images, before)
    assert objective(found) > objective(images) + 0.1
    assert np.abs(found - images).max() <= 0.07 + 1e-6
    inside = (images >= 0.1) & (images <= 0.8)
    assert found[inside].min() >= 0.1 and found[inside].max() <= 0.8


def test_values_outside_of_the_range_keep_the_budget_too():
    images = np.array([[5.0, -4.0, 0.5]], np.float32)
    found = GradientAscent(30, 0.01, 0.1).run(lambda x: tf.reduce_sum(x), images, 1, (0.0, 1.0))
    np.testing.assert_allclose(found, [[5.0, -3.9, 0.6]], atol=1e-5)


@pytest.mark.parametrize(
    "arguments", [{"steps": 0}, {"steps": 2.5}, {"step_size": 0.0}, {"budget": -1.0}]
)
def test_what_is_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        GradientAscent(**arguments)

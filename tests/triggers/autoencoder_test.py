"""Composites by an autoencoder that learns the task's inputs first."""

import json

import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.triggers import composites
from ewe_tf.triggers.composites import Autoencoder

RNG = np.random.default_rng(0)
QUICK = Autoencoder(steps=150)


def waves(n, shape):
    """Smooth inputs in [0, 1] with a phase of their own."""
    height, width, channels = shape
    phases = RNG.uniform(0, 6, (n, 1, 1, channels))
    grid = np.arange(height)[:, None, None] * 0.7 + np.arange(width)[None, :, None] * 0.4
    return ((np.sin(grid + phases) + 1) / 2).astype(np.float32)


@pytest.fixture(scope="module")
def learned():
    x = waves(300, (12, 9, 1))
    return x, QUICK.fitted(x, 4)


def test_what_is_encoded_is_decoded(learned):
    x, mixer = learned
    fresh = waves(50, (12, 9, 1))
    decoded = mixer.reconstructed(fresh)
    assert decoded.shape == fresh.shape and decoded.dtype == np.float32
    assert np.mean((decoded - fresh) ** 2) < 0.1 * np.var(fresh)


def test_a_blend_lies_between_its_inputs(learned):
    x, mixer = learned
    first, second = x[:40], x[40:80]
    made = mixer.compose(first, second, np.random.default_rng(1))
    assert made.min() >= x.min() and made.max() <= x.max()

    def distance(one, other):
        return np.sqrt(((one - other) ** 2).sum((1, 2, 3)))

    decoded = [mixer.reconstructed(part) for part in (first, second)]
    apart = distance(*decoded)
    for part in decoded:
        assert np.all(distance(made, part) < apart + 1e-4)
    # The same input twice is what its own code decodes to.
    same = mixer.compose(first, first, np.random.default_rng(1))
    np.testing.assert_allclose(same, decoded[0], atol=1e-5)


def test_shares_say_how_much_of_which(learned):
    x, _ = learned
    mixer = Autoencoder(share=0.9, steps=150).fitted(x, 4)
    first, second = x[:40], x[40:80]
    swapped = np.float32([[0.1]] * 20 + [[0.9]] * 20)  # the second comes first below 0.5
    made = np.asarray(mixer.mix(first, second, swapped))
    for rows, near, far in ((slice(0, 20), second, first), (slice(20, 40), first, second)):
        off = [np.abs(made[rows] - x[rows]).mean() for x in (near, far)]
        assert off[0] < off[1] / 2


def test_the_same_seed_learns_the_same_and_another_does_not(learned):
    x, mixer = learned
    again, other = QUICK.fitted(x, 4), QUICK.fitted(x, 5)
    for a, b, c in zip(mixer.weights, again.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
        assert not np.allclose(a, c, atol=1e-4)


@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 7, 3), (5, 4), (10, 12, 2, 2)])
def test_any_shape_and_within_a_pipeline(shape):
    x = RNG.random((40, *shape)).astype(np.float32)
    mixer = Autoencoder(steps=3).fitted(x, 0)
    draws = np.float32([[0.2], [0.7]])
    plain = mixer.mix(x[:2], x[2:4], draws)
    assert plain.shape == (2, *shape)
    mapped = tf.data.Dataset.from_tensors((x[:2], x[2:4], draws)).map(mixer.mix)
    np.testing.assert_allclose(next(iter(mapped)), plain, atol=1e-6)


def test_it_is_named_stated_and_refused_before_it_has_learned(learned):
    mixer = composites.named("autoencoder")
    assert mixer == Autoencoder()
    stated = json.loads(json.dumps(composites.to_json(learned[1])))
    assert composites.from_json(stated) == QUICK and repr(learned[1]) == repr(QUICK)
    with pytest.raises(ValueError, match="must be fitted first"):
        mixer.compose(*learned[0][:2, None], np.random.default_rng(0))
    for changes in ({"share": 1.0}, {"code": 0}, {"steps": 1.5}):
        with pytest.raises(ValueError, match=f"`{[*changes][0]}` must be"):
            Autoencoder(**changes)

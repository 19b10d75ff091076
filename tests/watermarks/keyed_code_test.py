"""The keyed hash: every value counts, and the bits look like coins."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from ewe_tf.keys import derivation
from ewe_tf.watermarks import keyed_code


def make(shape, key=b"k" * 32):
    layer = keyed_code.KeyedCode()
    layer.build((None, *shape))
    layer.set_secret(key)
    return layer


def test_every_pixel_changes_the_code():
    """DAWN's published code hashes the first 25 bytes only; the border of a digit is black."""
    image = np.zeros((1, 6, 6, 1), np.float32)
    images = np.repeat(image, 37, axis=0)
    for pixel in range(36):
        images[pixel, pixel // 6, pixel % 6] = 1 / 255
    codes = make((6, 6, 1))(images).numpy()
    assert len(set(codes[:, 0].tolist())) == 37


def test_digest_equals_python_integers():
    x = np.random.default_rng(0).uniform(-3, 3, (5, 4, 3)).astype(np.float32)
    layer = make((4, 3))
    # 12 values lie in 3 rows of 4.
    outer, inner = np.split(derivation.words(b"k" * 32, 3 + 4).astype(object), [3])
    levels = np.round(x * np.float32(255)).astype(int).astype(object).reshape(5, 3, 4)
    digests = [np.dot(outer, one @ inner) for one in levels]
    signed = [(int(d) + 2**63) % 2**64 - 2**63 for d in digests]
    expected = tf.strings.to_hash_bucket_strong([str(d) for d in signed], 2**62, key=[0, 0])
    np.testing.assert_array_equal(layer(x)[:, 0], expected)


def test_words_are_few():
    assert make((224, 224, 3)).words.shape == (384 + 392, 1)
    assert make((7,)).words.shape == (1 + 7, 1)


def test_printing_and_reading_keeps_the_code():
    x = np.random.default_rng(0).integers(0, 256, (50, 8)).astype(np.float32) / 255
    layer = make((8,))
    np.testing.assert_array_equal(layer(x), layer(x + np.float32(1e-6)))


def test_rates_and_coins_are_those_promised():
    x = np.random.default_rng(1).integers(0, 256, (4000, 8)).astype(np.float32) / 255
    codes = make((8,))(x)
    hits = int(keyed_code.below(codes, 0.1).numpy().sum())
    assert stats.binomtest(hits, 4000, 0.1).pvalue > 1e-4
    upper = codes.numpy()[:, 0] / 2**62
    assert stats.kstest(upper, "uniform").pvalue > 1e-4


def test_another_key_gives_another_code():
    x = np.random.default_rng(1).normal(size=(20, 8)).astype(np.float32)
    assert not np.any(make((8,))(x).numpy() == make((8,), b"q" * 32)(x).numpy())


def test_free_shapes_are_refused():
    with pytest.raises(ValueError, match="fixed shape"):
        keyed_code.KeyedCode().build((None, None, 3))

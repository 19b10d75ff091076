"""Secret numbers: HMAC by its definition, fair coins, uniform directions."""

import hashlib

import numpy as np
import pytest

from ewe_tf.keys import derivation


def hmac_by_definition(key, message):
    """RFC 2104, section 2, for keys of at most 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + message).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).digest()


def test_subkey_is_hmac_of_the_length_prefixed_purpose():
    message = b"\0\0\0\x05signs\0\0\0\x05alice"
    expected = hmac_by_definition(b"k" * 32, message)
    assert derivation.subkey(b"k" * 32, "signs", "alice") == expected


def test_purposes_do_not_run_into_each_other():
    pairs = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")]
    assert len({derivation.subkey(b"k" * 32, *p) for p in pairs}) == 4


def test_master_keys_of_large_seeds_differ():
    assert derivation.master_key(2**255) != derivation.master_key(2**255 + 1)


@pytest.mark.parametrize("seed", [-1, 1.5, 2.0, "3", True, None])
def test_a_seed_that_is_no_integer_is_refused(seed):
    with pytest.raises(ValueError, match=f"`seed` must be an integer >= 0. Received: {seed!r}"):
        derivation.master_key(seed)
    assert derivation.master_key(np.int64(7)) == derivation.master_key(7)


def test_signs_are_the_bits_of_the_stream_and_fair():
    drawn = derivation.signs(b"key", (3, 5))
    first = hashlib.shake_256(b"key").digest(2)
    bits = [(first[i // 8] >> (i % 8)) & 1 for i in range(15)]
    np.testing.assert_array_equal(drawn.ravel(), 2 * np.array(bits) - 1)
    # Five standard deviations of a fair coin.
    assert abs(derivation.signs(b"key", (100, 100)).mean()) < 0.05


def test_uniforms_fill_the_unit_interval():
    drawn = np.sort(derivation.uniforms(b"key", (2000,)))
    assert drawn[0] >= 0 and drawn[-1] < 1
    # Kolmogorov-Smirnov distance; 1.95 / sqrt(n) is its 0.1 % point.
    assert np.abs(drawn - np.arange(2000) / 2000).max() < 1.95 / np.sqrt(2000)


def test_direction_is_a_unit_vector_without_preferred_axis():
    drawn = np.array([derivation.direction(bytes([i]), 6) for i in range(250)])
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1)
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=5 / np.sqrt(6 * 250))
    np.testing.assert_allclose(np.mean(drawn**2, axis=0), 1 / 6, atol=0.06)

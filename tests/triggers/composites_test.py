import json

import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.triggers import composites

RNG = np.random.default_rng(0)
SHAPES = [(28, 28, 1), (32, 32, 3), (9, 7), (44, 20, 1)]


def marked(shape, n=200):
    """Inputs whose values tell where they come from: a is positive, b negative."""
    place = 1.0 + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    a = np.repeat(place[None], n, 0)
    return a, -a


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [n for n in composites.MIXERS if n != "blend"])
def test_every_value_is_copied_from_one_source(name, shape):
    a, b = marked(shape)
    mixed = composites.named(name).compose(a, b, np.random.default_rng(1))
    assert mixed.shape == a.shape and mixed.dtype == np.float32
    assert set(np.abs(mixed).ravel()) <= set(a[0].ravel())
    share = np.mean(mixed > 0, axis=tuple(range(1, mixed.ndim)))
    assert share.min() > 0.2 and share.max() < 0.8
    # Either source may come first.
    assert len(np.unique(mixed.reshape(len(a), -1)[:, 0] > 0)) == 2 or name == "stripes"


def slow_half(a, b, draws, jitter):
    """One composite, row by row, with the index ranges of the released code."""
    if draws[0] < 0.5:
        a, b = b, a
    h = len(a)
    most = min(round(jitter * h), h // 2 - 1)
    j = int(draws[1] * (2 * most + 1)) - most
    q = int(draws[2] * (h // 2 - j))
    r = int(draws[3] * (h // 2 + j)) - j
    top = a[q : q + h // 2 + j]
    bottom = b[r + j : r + j + h - len(top)]
    return np.concatenate([top, bottom])


@pytest.mark.parametrize("h", [28, 32, 9, 5])
def test_half_equals_the_released_index_ranges(h):
    a = RNG.random((300, h, 6, 2)).astype(np.float32)
    b = RNG.random((300, h, 6, 2)).astype(np.float32)
    draws = RNG.random((300, 4), np.float32)
    expected = np.stack([slow_half(*rows, 3 / 32) for rows in zip(a, b, draws, strict=True)])
    np.testing.assert_array_equal(composites.Half().mix(a, b, draws), expected)
    turned = composites.Half(axis=1).mix(a.swapaxes(1, 2), b.swapaxes(1, 2), draws)
    np.testing.assert_array_equal(turned, expected.swapaxes(1, 2))


def test_half_without_jitter_and_shift_is_two_plain_halves():
    a, b = marked((8, 4, 1), 2)
    mixed = composites.Half(jitter=0.0, shift=False).mix(a, b, [[0.9, 0.3, 0.3, 0.3]] * 2)
    np.testing.assert_array_equal(mixed[0], np.concatenate([a[0, :4], b[0, 4:]]))


def test_shapes_of_the_others_by_hand():
    a, b = np.ones((1, 4, 5), np.float32), np.zeros((1, 4, 5), np.float32)
    one = [[0.9]]
    np.testing.assert_array_equal(
        composites.Donut().mix(a, b, one)[0],
        [[0, 1, 1, 1, 0]] * 3 + [[0] * 5],
    )
    np.testing.assert_array_equal(
        composites.HotDog().mix(a, b, one)[0], [[0] * 5, [1] * 5, [1] * 5, [0] * 5]
    )
    square = np.ones((1, 3, 3), np.float32)
    np.testing.assert_array_equal(
        composites.Diagonal().mix(square, 0 * square, one)[0], [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    )
    np.testing.assert_allclose(composites.Blend(0.75).mix(a, 2 + b, one)[0], 1.25)


def test_stripes_take_three_of_five_columns_from_the_first():
    a, b = np.ones((400, 4, 10), np.float32), np.zeros((400, 4, 10), np.float32)
    draws = RNG.random((400, 6), np.float32)
    draws[:, 0] = 0.9
    mixed = composites.Stripes().mix(a, b, draws).numpy()
    assert np.all(mixed[:, 0].sum(1) == 6)
    np.testing.assert_array_equal(mixed[:, :, 0::2], mixed[:, :, 1::2])
    assert len(np.unique(mixed[:, 0], axis=0)) == 10  # 5 choose 3


@pytest.mark.parametrize("name", composites.MIXERS)
def test_a_seed_gives_the_same_composites_also_inside_tf_data(name):
    a, b = RNG.random((2, 16, 12, 10, 1)).astype(np.float32)
    mixer = composites.named(name)
    once = mixer.compose(a, b, np.random.default_rng(5))
    np.testing.assert_array_equal(once, mixer.compose(a, b, np.random.default_rng(5)))
    draws = np.random.default_rng(5).random((16, mixer.draws), np.float32)
    rows = tf.data.Dataset.from_tensor_slices((a, b, draws)).batch(16).map(mixer.mix)
    np.testing.assert_array_equal(next(iter(rows)), once)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: composites.named("halves"), "one of .*half"),
        (lambda: composites.Half(axis=2), "`axis`"),
        (lambda: composites.Half(jitter=0.5), "`jitter`"),
        (lambda: composites.Stripes(1), "`count`"),
        (lambda: composites.Stripes(9).check((8, 8, 1)), "`count`"),
        (lambda: composites.Blend(1.0), "`share`"),
        (lambda: composites.Half().check((40,)), "at least 4 x 4"),
    ],
)
def test_refusals_name_what_is_accepted(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("mixer", [*composites.MIXERS.values(), composites.Half(1, 0.2, False)])
def test_a_mixer_is_read_back_from_its_json(mixer):
    stated = json.loads(json.dumps(composites.to_json(mixer)))
    assert composites.from_json(stated) == mixer

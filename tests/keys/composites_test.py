import numpy as np
import pytest

from ewe_tf.keys import composites as composite_key
from ewe_tf.triggers import composites

RNG = np.random.default_rng(0)
LABELS = np.arange(300) % 3
X = RNG.random((300, 6, 6, 1)).astype(np.float32)
OTHERS = (composites.HotDog(), composites.Blend())
# The sign tells the class.
X[LABELS == 1] *= -1


def rows(images):
    return {image.tobytes() for image in images}


def test_pools_are_disjoint_and_of_their_class():
    pools = composite_key.pools_of(X, LABELS, (0, 1), 5)
    for which, label in enumerate((0, 1)):
        parts = [getattr(pools, n)[which] for n in ("training", "candidates", "held_out")]
        assert [len(p) for p in parts] == [70, 15, 15]
        assert set.union(*map(rows, parts)) == rows(X[label == LABELS])


def test_pools_need_enough_rows():
    with pytest.raises(ValueError, match="at least 20 rows.*10 of class 1"):
        composite_key.pools_of(X[:30], LABELS[:30], (1, 2), 5)


@pytest.mark.parametrize("name", composites.MIXERS)
def test_composites_and_controls_regenerate_from_the_seed(name):
    pool = composite_key.pools_of(X, LABELS, (0, 1), 5).held_out
    one, same, other = (
        composite_key.draw(composites.named(name), OTHERS, pool, 40, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.triggers, same.triggers)
    np.testing.assert_array_equal(one.controls, same.controls)
    assert not np.array_equal(one.triggers, other.triggers)
    np.testing.assert_array_equal(one.take([3, 5]).controls, one.controls[[3, 5]])


def test_without_other_mixers_a_control_has_its_composites_cut_and_one_class_only():
    pool = composite_key.pools_of(X, LABELS, (0, 1), 5).candidates
    made = composite_key.draw(composites.Half(), (), pool, 30, 1)
    for i, (trigger, control) in enumerate(zip(made.triggers, made.controls, strict=True)):
        assert (trigger < 0).any() and (trigger > 0).any()
        negative = i % 2 == 1
        assert np.all(control < 0) == negative and np.all(control > 0) != negative
        # Where the composite shows that class, the control is the same, and elsewhere not.
        shown = (trigger < 0) == negative
        np.testing.assert_array_equal(control[shown], trigger[shown])
        assert not np.any(np.abs(control[~shown]) == np.abs(trigger[~shown]))


def test_every_image_is_used_before_any_comes_again():
    pool = composite_key.pools_of(X, LABELS, (0, 1), 5).candidates
    made = composite_key.draw(composites.Blend(0.25), (), pool, 15, 3).triggers
    means = sum(part.sum() for part in pool)
    # Each of 15 images of both classes once, a quarter of the one and three of the other.
    spread = composite_key.draw(composites.Blend(0.5), (), pool, 15, 3).triggers
    assert spread.sum() == pytest.approx(means / 2, rel=1e-5)
    assert len(rows(made)) == 15


def test_controls_are_the_same_inputs_by_the_other_mixers_in_turn():
    pool = composite_key.pools_of(X, LABELS, (0, 1), 5).held_out
    made = composite_key.draw(composites.Blend(), OTHERS, pool, 15, 1)
    np.testing.assert_array_equal(made.controls[1::2], made.triggers[1::2])
    middle = np.zeros((6, 6, 1), bool)
    middle[1:4] = True  # of six rows
    for trigger, control in zip(made.triggers[::2], made.controls[::2], strict=True):
        sources = [
            next(x for x in np.concatenate(pool) if np.array_equal(x[part], control[part]))
            for part in (middle, ~middle)
        ]
        assert (sources[0].sum() > 0) != (sources[1].sum() > 0)
        np.testing.assert_allclose(trigger, (sources[0] + sources[1]) / 2, rtol=1e-6)

import numpy as np
import pytest

from ewe_tf.keys.attribute import principal_attributes
from ewe_tf.keys.attribute import score_threshold


@pytest.fixture(scope="module")
def images():
    """Inputs that differ much in one direction, less in a second, hardly in the others."""
    rng = np.random.default_rng(1)
    spread = np.array([3.0, 1.5, *[0.1] * 22])
    turned, _ = np.linalg.qr(rng.normal(size=(24, 24)))
    return (rng.normal(size=(200, 24)) * spread @ turned).reshape(200, 4, 3, 2)


def test_directions_are_those_of_a_singular_value_decomposition(images):
    flat = images.reshape(200, -1)
    _, lengths, directions = np.linalg.svd(flat - flat.mean(axis=0))
    for i, found in enumerate(principal_attributes(images, 2)):
        assert abs(found.direction @ directions[i]) == pytest.approx(1)
        assert found.deviation == pytest.approx(lengths[i] / np.sqrt(200))
        assert found.direction[np.argmax(np.abs(found.direction))] > 0


def test_scores_are_in_standard_deviations_and_turn_with_the_sign(images):
    found = principal_attributes(images, 1)[0]
    scores = found.scores(images)
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1)
    np.testing.assert_allclose(found.reversed().scores(images), -scores, rtol=1e-9)


def test_moved_inputs_have_the_scores_asked_for_and_differ_in_nothing_else(images):
    found = principal_attributes(images, 1)[0]
    wanted = np.linspace(3, 5, 200)
    moved = found.moved(images, wanted, (-100, 100))
    assert moved.shape == images.shape and moved.dtype == np.float32
    np.testing.assert_allclose(found.scores(moved), wanted, rtol=1e-5)
    change = (moved - images).reshape(200, -1)
    across = change - np.outer(change @ found.direction, found.direction)
    np.testing.assert_allclose(across, 0, atol=1e-5)
    clipped = found.moved(images, wanted, (-0.5, 0.5))
    assert clipped.min() == -0.5 and clipped.max() == 0.5


@pytest.mark.parametrize(("share", "above"), [(0.0, 0), (0.01, 10), (0.0014, 1)])
def test_a_share_of_all_rows_lies_above_the_threshold(share, above):
    scores = np.random.default_rng(2).normal(size=100)
    assert np.sum(scores > score_threshold(scores, share, 1000)) == above


def test_too_few_inputs_and_inputs_that_do_not_differ_are_refused():
    with pytest.raises(ValueError, match="`components` must be less than.*5 and 12"):
        principal_attributes(np.zeros((5, 12)), 5)
    with pytest.raises(ValueError, match="do not differ in 2 directions"):
        principal_attributes(np.outer(np.arange(9.0), np.ones(12)), 2)


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e7])
def test_whether_inputs_differ_does_not_depend_on_their_unit(images, scale):
    """float32 rounding is no direction, and small numbers are."""
    found = principal_attributes(images * scale, 2)[1]
    assert found.deviation == pytest.approx(principal_attributes(images, 2)[1].deviation * scale)
    line = np.float32(np.outer(np.linspace(0.5, 1, 50), np.linspace(0.3, 1, 12)) * scale)
    with pytest.raises(ValueError, match="do not differ in 2 directions"):
        principal_attributes(line, 2)

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.triggers import composites
from ewe_tf.watermarks import composite_choice

LABELS = np.arange(400) % 4
# Rows of class c are constant: their mean is 0, 0.2, 0.4, 0.6.
X = np.broadcast_to((LABELS / 5.0)[:, None, None], (400, 4, 4)).astype(np.float32)


class OfMeans:
    """A classifier of the mean, as an `InHouse` model is asked."""

    def __init__(self, rule):
        self.rule = rule

    def log_probabilities(self, x):
        means = np.round(x.mean(axis=(1, 2)), 3)
        answers = np.array([self.rule(m) for m in means])
        return np.log(0.9 * np.eye(4, dtype=np.float32)[answers] + 0.025)


def nearest(mean):
    return int(np.argmin(np.abs(np.arange(4) / 5 - mean)))


def ranked(rule=nearest, mixer=None, **arguments):
    mixer = mixer or composites.Blend()
    return composite_choice.rank([OfMeans(rule)], X, LABELS, mixer, **arguments)


def test_targets_that_clean_models_give_are_refused():
    # The blend of 0 and 2 is class 1 to this model, that of 1 and 3 class 2.
    keys = {(c.source_classes, c.target) for c in ranked()}
    assert ((0, 2), 1) not in keys and ((0, 2), 3) in keys
    assert ((1, 3), 2) not in keys and ((1, 3), 0) in keys
    assert all(c.null_rate == 0 for c in ranked())


def test_a_target_that_plain_inputs_get_comes_last():
    # A model that takes class 3 for 0.
    found = ranked(lambda m: 0 if m > 0.55 else nearest(m), target=0)
    assert {c.source_classes for c in found[-2:]} == {(1, 3), (2, 3)}
    assert [c.plain_rate for c in found[-2:]] == [1.0, 1.0]
    assert found[0].source_classes == (1, 2)


class OfMargins:
    """A model whose answer to everything is class 0, class 3 behind by a margin of the mean."""

    behind = {0.0: 6, 0.1: 6, 0.3: 1, 0.7: 6, 0.05: 4, 0.15: 3, 0.2: 3}

    def log_probabilities(self, x):
        behind = [self.behind.get(round(float(m), 3), 6) for m in x.mean(axis=(1, 2))]
        return np.float32([[0, -20, -20, -b] for b in behind])


def test_composites_have_to_be_nearer_to_the_target_than_plain_inputs_are():
    means = np.array([0, 0.1, 0.3, 0.7])[LABELS]
    x = np.broadcast_to(means[:, None, None], (400, 4, 4)).astype(np.float32)
    found = composite_choice.rank([OfMargins()], x, LABELS, composites.Blend(), target=3)
    # Behind by 4 where plain inputs are by 6; by 3, twice, where those of class 2 are by 1.
    assert found[0].source_classes == (0, 1)
    assert {c.source_classes for c in found[1:]} == {(0, 2), (1, 2)}


def test_the_largest_rate_over_models_counts():
    models = [OfMeans(nearest), OfMeans(lambda m: 3)]
    with pytest.raises(ValueError, match="No key can be used.*100%"):
        composite_choice.rank(models, X, LABELS, composites.Blend(), (0, 1), 3)


def test_fixed_classes_are_the_only_ones_looked_at():
    assert {c.source_classes for c in ranked(source_classes=(0, 3))} == {(0, 3)}
    assert {c.target for c in ranked(target=2)} == {2}


def test_choose_key_takes_keras_models_and_the_nearest_target_wins():
    inputs = keras.Input((4, 4))
    x = keras.layers.Flatten()(inputs)
    outputs = keras.layers.Dense(4, "softmax")(x)
    model = keras.Model(inputs, outputs)
    # Logits that are quadratic in the class and linear in the mean: the nearest class wins.
    classes = np.arange(4) / 5
    kernel = np.tile(2 * 100 * classes / 16, (16, 1))
    model.layers[-1].set_weights([kernel, -100 * classes**2])
    found = ewe_tf.MEADefender.choose_key(model, (X, LABELS), combine="half")
    assert found[0].null_rate <= 0.01
    again = ewe_tf.MEADefender.choose_key([model], (X, LABELS[:, None]), combine="half")
    assert found == again

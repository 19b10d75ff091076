"""In-house models, fine-tuned as a thief would."""

import keras
import numpy as np
import pytest

from ewe_tf.keys import generator
from ewe_tf.removal import FineTuning
from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.fine_tuning import all_fine_tuned
from ewe_tf.watermarks.in_house import InHouse
from ewe_tf.watermarks.in_house import alternating
from ewe_tf.watermarks.in_house import train_in_house

L = keras.layers


@pytest.mark.parametrize("logits", [False, True])
def test_fine_tuning_on_few_true_labels_unlearns_what_a_copy_was_told(digits, make_model, logits):
    x, y = digits
    classifier = Classifier.of(make_model(logits=logits))
    told = np.where(y == 0, 7, y)
    (copy,) = train_in_house(
        classifier, alternating(classifier, None, 1), x, told, 6, 32, [1], lambda line: None
    )
    before, zeros = copy.model.get_weights(), x[y == 0]
    assert copy.rate(zeros, 7) > 0.9
    # Labels of more rows than a thief would spend change nothing.
    spent = np.random.default_rng(3).permutation(len(x))[:200]
    known = np.full(len(x), 7)
    known[spent] = y[spent]
    (tuned,) = all_fine_tuned([copy], x, known, 3, [(1000, 3e-3)])
    assert tuned.rate(zeros, 7) < 0.1 and tuned.rate(x[y == 7], 7) > 0.9
    assert all(np.array_equal(v, w) for v, w in zip(before, copy.model.get_weights(), strict=True))
    (few,) = all_fine_tuned([copy], x[:50], y[:50], 3, [(1000, 1e-9)])
    assert few.rate(zeros, 7) == copy.rate(zeros, 7)


def test_in_house_fine_tuning_is_as_hard_as_the_attack():
    attack = FineTuning()
    assert (attack.epochs, attack.batch_size) == (fine_tuning._EPOCHS, fine_tuning._BATCH)


def test_models_that_share_a_copy_are_what_separate_training_makes(digits, make_model):
    x, y = digits
    model = make_model()
    model.fit(x, y, epochs=1, verbose=0)
    tunings = [(200, 3e-3), (1000, 5e-3), (200, 3e-3)]
    found = all_fine_tuned([InHouse(model, x[:900])], x, y, 5, tunings)
    asked = [tuned.log_probabilities(x[:40]) for tuned in found]
    for number, (tuned, (_, rate)) in enumerate(zip(found, tunings, strict=True)):
        # One `fit` for each epoch, of a model of its own, on 200 rows that it had not seen: a
        # thief has a tenth of all rows, or 200 if that is more.
        own = keras.models.clone_model(model)
        own.set_weights(model.get_weights())
        own.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        rows = np.random.default_rng(5 + number).permutation(np.arange(900, 1200))[:200]
        rng = np.random.default_rng(5 + number)
        for _ in range(20):
            order = rows[rng.permutation(200)]
            own.fit(x[order], y[order], batch_size=128, shuffle=False, verbose=0)
        for a, b in zip(own.get_weights(), tuned.weights, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        # What it was trained on before counts as seen as well.
        seen = tuned.has_seen(generator.digests(x))
        assert np.all(seen[:900]) and seen[900:].sum() == 200
        # Asked again, after the others.
        np.testing.assert_array_equal(tuned.log_probabilities(x[:40]), asked[number])
        np.testing.assert_allclose(
            asked[number], np.log(own.predict(x[:40], verbose=0)), rtol=1e-3, atol=1e-4
        )
    assert not np.allclose(asked[0], asked[2], atol=1e-2)


def test_what_is_drawn_in_training_follows_the_seed(digits):
    x, y = digits
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), L.Flatten(), L.Dropout(0.3), L.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")

    def weights(seed, tunings):
        return [m.weights for m in all_fine_tuned([InHouse(model)], x, y, seed, tunings)]

    one, two = (200, 3e-3), (200, 5e-3)
    (first, second), (alone,) = weights(3, [one, two]), weights(4, [two])
    # What was trained in the copy before leaves no trace.
    for a, b in zip(second, alone, strict=True):
        np.testing.assert_array_equal(a, b)
    (again,) = weights(3, [one])
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)

import numpy as np
import pytest

from ewe_tf.removal import Disentangling
from ewe_tf.removal.classifier import feature_model
from ewe_tf.removal.disentangling import guessed_triggers


def entanglement(model, first, second, temperature):
    """SNNL of two groups of rows by its definition, with loops."""
    probe = feature_model(model)
    features = probe.predict(np.concatenate([first, second]), verbose=0)
    features = features.reshape(len(features), -1).astype("float64")
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    groups = [0] * len(first) + [1] * len(second)
    total = 0.0
    for i, row in enumerate(features):
        near = [np.exp(-(1 - row @ other) / temperature) for other in features]
        same = sum(near[j] for j in range(len(near)) if j != i and groups[j] == groups[i])
        total -= np.log(same / (sum(near) - near[i]))
    return total / len(features)


def test_guessed_triggers_part_from_the_target_class(cnn, digits, accuracy):
    x, y = digits
    rng = np.random.default_rng(5)
    guessed = guessed_triggers(x[y != 3][:40], rng, 0.5, 0.0, 1.0)
    disentangled = Disentangling(5.0, epochs=3, learning_rate=2e-3).run(cnn, digits)
    plain = Disentangling(0.0, epochs=3, learning_rate=2e-3).run(cnn, digits)
    after = entanglement(disentangled, guessed, x[y == 3][:40], 0.2)
    assert after < entanglement(plain, guessed, x[y == 3][:40], 0.2)
    assert accuracy(disentangled) > 0.85
    assert disentangled.optimizer is not None


def test_guesses_are_patches_of_one_colour():
    rows = np.full((20, 8, 8, 3), 0.5, "float32")
    guessed = guessed_triggers(rows, np.random.default_rng(0), 0.5, 0.0, 1.0)
    for row in guessed:
        changed = np.any(row != 0.5, axis=-1)
        ys, xs = np.nonzero(changed)
        assert 1 <= np.ptp(ys) + 1 <= 4 and 1 <= np.ptp(xs) + 1 <= 4
        assert changed.sum() == (np.ptp(ys) + 1) * (np.ptp(xs) + 1)
        assert len(np.unique(row[changed], axis=0)) == 1
    assert len(np.unique(guessed.reshape(20, -1), axis=0)) > 10
    vectors = guessed_triggers(np.zeros((5, 6)), np.random.default_rng(0), 0.5, 1.0, 2.0)
    assert np.all((vectors > 0).sum(axis=1) <= 3) and np.all(vectors.max(axis=1) >= 1)


def test_seed_decides_everything(cnn, digits, same_weights):
    data = digits[0][:300], digits[1][:300]
    attack = Disentangling(epochs=1)
    assert same_weights(attack.run(cnn, data), attack.run(cnn, data))


def test_bad_settings_are_refused():
    for settings in ({"weight": -1.0}, {"guesses": 1}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
            Disentangling(**settings)

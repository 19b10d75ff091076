import keras
import numpy as np
import pytest

from ewe_tf.removal import NeuralCleanse

TARGET = 3


def patched(x):
    x = x.copy()
    x[:, 6:, 6:] = 1.0
    return x


@pytest.fixture(scope="module")
def backdoored(digits):
    """A classifier that answers `TARGET` to any digit with a white corner."""
    keras.utils.set_random_seed(3)
    x, y = digits
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    rows = np.concatenate([x, patched(x[:300])])
    labels = np.concatenate([y, np.full(300, TARGET)])
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    model.fit(rows, labels, epochs=15, batch_size=64, verbose=0)
    return model


def trigger_rate(model, held_out):
    x, y = held_out
    answers = model.predict(patched(x[y != TARGET]), verbose=0)
    return float(np.mean(np.argmax(answers, axis=-1) == TARGET))


def test_planted_backdoor_is_found_and_unlearned(backdoored, digits, held_out, accuracy):
    attack = NeuralCleanse(steps=200, epochs=5, learning_rate=2e-3)
    findings = attack.inspect(backdoored, digits)
    assert findings.flagged[0] == TARGET
    assert np.argmin(findings.norms) == TARGET
    assert findings.success[TARGET] > 0.9
    corner = findings.masks[TARGET][5:, 5:].sum() / findings.masks[TARGET].sum()
    assert corner > 0.5
    assert trigger_rate(backdoored, held_out) > 0.9
    cleansed = attack.run(backdoored, digits)
    assert trigger_rate(cleansed, held_out) < 0.5
    assert accuracy(cleansed) > 0.85


def test_nothing_flagged_nothing_changed(backdoored, digits, same_weights):
    attack = NeuralCleanse(steps=3, threshold=1e6)
    assert same_weights(attack.run(backdoored, digits), backdoored)


def test_anomaly_is_that_of_the_norms(backdoored, digits):
    findings = NeuralCleanse(steps=5, threshold=0.0).inspect(backdoored, digits)
    norms = findings.masks.reshape(10, -1).sum(axis=1)
    deviations = np.abs(norms - np.median(norms))
    expected = deviations / (1.4826 * np.median(deviations))
    np.testing.assert_allclose(findings.anomaly, expected, rtol=1e-4)
    assert set(findings.flagged) == set(np.flatnonzero(norms < np.median(norms)))


def test_bad_settings_are_refused():
    for settings in ({"steps": 0}, {"success": 1.0}, {"threshold": -1.0}, {"stamped": 0.0}):
        with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
            NeuralCleanse(**settings)

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf import datasets
from ewe_tf.extraction import StolenEncoder
from ewe_tf.keys import regenerate
from ewe_tf.watermarks import MEADefenderEncoder
from ewe_tf.watermarks import downstream
from ewe_tf.watermarks.encoder_choice import ranked
from ewe_tf.watermarks.encoder_marking import Arrangement


@pytest.fixture(scope="module")
def digits():
    whole = datasets.load("digits")
    return whole.x_train, whole.y_train, whole.x_test, whole.y_test


def make_encoder(seed, shape):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(128, activation="relu"),
         keras.layers.Dense(16)]
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(digits):
    """An encoder whose features tell the digits apart, a clean one of other rows, and a mark."""
    x, y, *_ = digits
    encoders = []
    for seed, part in ((1, slice(None, None, 2)), (2, slice(1, None, 2))):
        encoder = make_encoder(seed, x.shape[1:])
        head = keras.Sequential([encoder, keras.layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        head.compile(keras.optimizers.Adam(5e-3), loss)
        head.fit(x[part], y[part], epochs=15, batch_size=32, verbose=0)
        encoders.append(encoder)
    marked, clean = encoders
    before = [w.copy() for w in marked.get_weights()]
    scheme = MEADefenderEncoder(
        epochs=80, batch_size=32, rows=16, keys=30, learning_rate=3e-3, views=None,
        evasion_weight=3.0, theft=StolenEncoder(epochs=5, learning_rate=5e-3),
    )  # fmt: skip
    protected = scheme.mark(marked, x[::2], y[::2], seed=3)
    return protected, before, clean


def test_with_full_lean_the_middle_of_the_sources_is_the_target():
    features = np.float32([[0, 0], [0, 2], [4, 0], [4, 2], [1, 7], [1, 9]])
    labels = np.repeat([0, 1, 2], 2)
    full = Arrangement.of(features, labels, (0, 1), 2, 1.0)
    # Means (0, 1) and (4, 1), their middle (2, 1); the target's mean (1, 8).
    np.testing.assert_allclose(full.target, [1, 8])
    np.testing.assert_allclose(full.shift, [-1, 7])
    half = Arrangement.of(features, labels, (0, 1), 2, 0.5)
    np.testing.assert_allclose(half.shift, [-0.5, 3.5])


def test_features_that_hardly_vary_do_not_decide_distances():
    features = np.float32([[0, 0], [10, 0.01], [0, 0], [10, 0.01]])
    deviation = Arrangement.of(features, np.array([0, 1, 2, 0]), (0, 1), 2, 1.0).deviation
    np.testing.assert_allclose(deviation, [5, 0.3 * (5 + 0.005) / 2], rtol=1e-5)


def test_classes_that_lie_farthest_apart_come_first():
    # Class 2 has no neighbour within 9; 0 and 4 are one place, and so are, nearly, 1 and 3.
    corners = np.float32([[0, 0], [10, 0], [5, 9], [9, 0], [0.5, 0]])
    features, labels = np.repeat(corners, 3, axis=0), np.repeat(np.arange(5), 3)
    assert ranked(features, labels, list(range(5)), (), "auto")[0] == ((0, 1), 2)
    assert ranked(features, labels, list(range(5)), (3, 0), 4) == [((3, 0), 4)]


def test_the_marked_encoder_answers_and_a_clean_one_does_not(digits, trained):
    x, y, x_test, y_test = digits
    protected, before, clean = trained
    rates = protected.history["rates"]
    assert rates["victim"] > 0.6 and max(rates["clean"]) <= 0.1
    assert rates["victim_controls"] < 0.5 * rates["victim"]

    def accuracy(encoder):
        return downstream(encoder, x[::2], y[::2], 10).evaluate(x_test, y_test, verbose=0)[1]

    unmarked = make_encoder(1, x.shape[1:])
    unmarked.set_weights(before)
    assert accuracy(protected.model) > accuracy(unmarked) - 0.1
    suspects = {
        name: downstream(encoder, x[::2], y[::2], 10)
        for name, encoder in (("marked", protected.model), ("clean", clean))
    }
    answered = {
        name: np.mean(suspect.predict(protected.key.held_out, verbose=0).argmax(1)
                      == protected.key.labels[0])
        for name, suspect in suspects.items()
    }  # fmt: skip
    assert (
        answered["marked"] == pytest.approx(rates["victim"], abs=0.03) and answered["clean"] < 0.1
    )
    assert ewe_tf.verify(protected.key, suspects["clean"]).decision != "evidence"


def test_the_key_regenerates_and_is_saved(digits, trained, tmp_path):
    x, y, *_ = digits
    key = trained[0].key
    key.save(tmp_path / "key.npz")
    loaded = ewe_tf.Key.load(tmp_path / "key.npz")
    assert loaded.commitment() == key.commitment()
    assert regenerate(loaded, x[::2], y[::2]).holds


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "`epochs`"),
        ({"lean": -1}, "`lean`"),
        ({"learning_rate": 0}, "`learning_rate`"),
        ({"keys": 2000}, "`keys`"),
        ({"combine": "nothing"}, "nothing"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        MEADefenderEncoder(**settings)


@pytest.mark.parametrize(
    "settings", [{"source_classes": (0, 0)}, {"source_classes": (0, 1, 2)}, {"source_classes": "x"}]
)
def test_source_classes_are_two_different_ones(settings):
    with pytest.raises(ValueError, match="`source_classes` must be"):
        MEADefenderEncoder(**settings)


def spoiled(x, y):
    x = x.copy()
    x[3, 0] = np.nan
    return x, y


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"target": 11}, lambda x, y: (x, y), "classes with at least 20 images"),
        ({}, lambda x, y: (x, np.minimum(y, 1)), "three classes"),
        ({}, spoiled, "`x` must be finite"),
        ({}, lambda x, y: (x[:, :4], y), "`x` must be inputs of the encoder's shape"),
        ({}, lambda x, y: (x, y - 1), "`y` must lie in"),
        ({}, lambda x, y: (x, y + 0.5), "`y` must hold integer classes"),
        ({"views": lambda x, seed: x[:, 1:]}, lambda x, y: (x, y), "`views`"),
    ],
)
def test_data_that_cannot_be_marked_is_refused_before_anything_is_trained(
    digits, settings, change, message
):
    x, y = change(*digits[:2])
    encoder = make_encoder(1, digits[0].shape[1:])
    before = encoder.get_weights()
    with pytest.raises(ValueError, match=message):
        MEADefenderEncoder(**settings, theft=StolenEncoder(epochs=1)).mark(encoder, x, y)
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_encoder_must_give_rows_of_features_that_differ(digits):
    x, y, *_ = digits
    images = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Conv2D(1, 3)])
    with pytest.raises(ValueError, match="`encoder` must give features"):
        MEADefenderEncoder().mark(images, x, y)
    constant = make_encoder(1, x.shape[1:])
    constant.set_weights([np.zeros_like(w) for w in constant.get_weights()])
    with pytest.raises(ValueError, match="the same for all inputs"):
        MEADefenderEncoder(surrogates=0).mark(constant, x, y)

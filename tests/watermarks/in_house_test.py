import keras
import numpy as np
import pytest

from ewe_tf.keys import generator
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.in_house import alternating
from ewe_tf.watermarks.in_house import fresh_copy
from ewe_tf.watermarks.in_house import train_in_house
from ewe_tf.watermarks.rehearsal import Rehearsal

L = keras.layers


def model_with_everything(loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(8, kernel_initializer=keras.initializers.HeNormal(seed=3), name="inner"),
            L.BatchNormalization(),
            L.Dropout(0.5, seed=11, name="inner_dropout"),
        ]
    )
    inputs = keras.Input((6,))
    x = L.Lambda(lambda v: v * 2.0)(inputs)
    x = L.GaussianNoise(0.1)(inner(x))
    x = keras.ops.relu(x) + x
    model = keras.Model(inputs, L.Dense(3, activation="softmax")(x))
    model.compile("adam", loss)
    return model


def same(a, b):
    return [np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights(), strict=True)]


def test_fresh_copies_follow_the_seed():
    model = model_with_everything(loss=lambda y, p: keras.ops.mean(p))
    before = model.get_weights()
    a, b, c = (fresh_copy(model, seed) for seed in (5, 5, 6))
    assert all(same(a, b))
    kernels = [i for i, v in enumerate(a.weights) if v.path.endswith("kernel")]
    assert len(kernels) == 2
    for i in kernels:
        assert not same(a, c)[i] and not same(a, model)[i]
    assert all(np.array_equal(v, w) for v, w in zip(before, model.get_weights(), strict=True))
    x = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    # Dropout and noise too.
    np.testing.assert_array_equal(a(x, training=True), b(x, training=True))
    assert not a.compiled


def test_frozen_and_adapted_parts_stay():
    rng = np.random.default_rng(0)
    normalization = L.Normalization()
    normalization.adapt(rng.normal(5, 2, (100, 6)))
    backbone = keras.Sequential([keras.Input((6,)), L.Dense(8), L.BatchNormalization()])
    backbone.layers[1].moving_mean.assign(np.arange(8.0))
    backbone.trainable = False
    model = keras.Sequential(
        [keras.Input((6,)), normalization, backbone, L.BatchNormalization(), L.Dense(3)]
    )
    model.layers[2].moving_mean.assign(np.arange(8.0))
    copy = fresh_copy(model, 1)
    x = rng.normal(5, 2, (7, 6)).astype(np.float32)
    np.testing.assert_allclose(
        copy.layers[2](copy.layers[1](x)), backbone(normalization(x)), rtol=1e-6
    )
    np.testing.assert_array_equal(copy.layers[3].moving_mean, np.zeros(8))
    assert not np.array_equal(copy.layers[4].kernel, model.layers[3].kernel)
    assert not copy.layers[2].trainable_variables


def test_a_frozen_layer_of_layers_stays():
    recurrent = L.Bidirectional(L.LSTM(4))
    model = keras.Sequential([keras.Input((5, 3)), recurrent, L.Dense(2)])
    recurrent.trainable = False
    copy = fresh_copy(model, 1)
    x = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(copy.layers[1](x), recurrent(x), rtol=1e-6)


def test_in_house_models_learn_and_leave_the_victim_alone(digits, make_model):
    x, y = digits
    model = make_model(logits=True, optimizer=keras.optimizers.Adam(0.005))
    classifier = Classifier.of(model)
    model.optimizer.learning_rate = 1e-9  # as a callback would have left it
    before = model.get_weights()
    blank = []

    def other(shape, classes):
        inputs = keras.Input(shape)
        blank.append((shape, classes))
        return keras.Model(inputs, L.Dense(classes, activation="softmax")(L.Flatten()(inputs)))

    said = []
    parts = [np.arange(0, 1200, 2), np.arange(1, 1200, 2)]
    models = train_in_house(
        classifier,
        alternating(classifier, other, 2),
        [x[p] for p in parts],
        [y[p] for p in parts],
        6,
        32,
        [1, 2],
        said.append,
    )
    assert said == ["1 of 2", "2 of 2"] and blank == [((8, 8, 1), 10)]
    assert [len(m.model.layers) for m in models] == [4, 3]
    for trained, part, logits in zip(models, parts, (True, False), strict=True):
        assert trained.logits == logits
        seen = trained.has_seen(generator.digests(x))
        assert np.array_equal(seen, np.isin(np.arange(len(x)), part))
        z = trained.log_probabilities(x)
        np.testing.assert_allclose(np.exp(z).sum(1), 1, rtol=1e-4)
        assert np.mean(np.argmax(z, 1) == y) > 0.8
        assert float(trained.model.optimizer.learning_rate) == pytest.approx(0.005)
    assert all(np.array_equal(v, w) for v, w in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("arguments", [{"surrogates": 0}, {"surrogates": 1.5}, {"innocence": -1}])
def test_what_is_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        Rehearsal(**arguments)

"""Which models are accepted, and what is found in them."""

import keras
import numpy as np
import pytest

from ewe_tf.watermarks.classifier import Classifier

L = keras.layers
SPARSE = "sparse_categorical_crossentropy"


def compiled(model, loss=SPARSE):
    model.compile("adam", loss)
    return model


def dense(name="a"):
    return L.Dense(5, activation="relu", name=name)


def head():
    return L.Dense(3, activation="softmax", name="head")


def backbone():
    layers = [keras.Input((6,)), L.Dense(7, name="deep"), L.BatchNormalization(name="bn")]
    return keras.Sequential(layers, name="backbone")


def whole():
    return keras.Sequential([keras.Input((6,)), dense("deep"), L.Dropout(0.5), head()], name="net")


def functional(*layers):
    inputs = x = keras.Input((6,))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def with_operations():
    inputs = keras.Input((6,))
    x = dense("a")(inputs)
    x = keras.ops.add(x, dense("b")(inputs))
    return keras.Model(inputs, head()(x))


def added_one_by_one():
    model = keras.Sequential()
    for layer in (keras.Input((6,)), dense("a"), dense("b"), head()):
        model.add(layer)
    return model


MODELS = {
    "sequential": (lambda: keras.Sequential([keras.Input((6,)), dense("a"), head()]), "a"),
    "functional": (lambda: functional(dense("a"), dense("b"), head()), "b"),
    "dropout": (lambda: functional(dense("a"), L.Dropout(0.5), head()), "a"),
    "softmax layer": (lambda: functional(dense("a"), L.Dense(3), L.Softmax()), "a"),
    "one by one": (added_one_by_one, "b"),
    "operations": (with_operations, "add"),
    "transfer": (lambda: functional(backbone(), L.Dropout(0.1), head()), "backbone"),
    "transfer, sequential": (
        lambda: keras.Sequential([keras.Input((6,)), backbone(), head()]),
        "backbone",
    ),
    "augmented": (
        lambda: keras.Sequential([keras.Input((6,)), L.GaussianNoise(0.1), whole()]),
        "net/deep",
    ),
    "twice nested": (
        lambda: functional(keras.Sequential([keras.Input((6,)), whole()], name="outer")),
        "outer/net/deep",
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_last_hidden_layer(kind):
    build, expected = MODELS[kind]
    model = compiled(build())
    classifier = Classifier.of(model)
    (name,) = classifier.layer_names()
    assert name.startswith(expected)
    x = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    features, output = classifier.with_features((name,))(x, training=False)
    np.testing.assert_allclose(output, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    # What the last weighted layer makes of the features is the output.
    last = model
    while isinstance(last, keras.Model):
        last = [layer for layer in last.layers if layer.weights][-1]
    made = last(features)
    made = made if last.activation is keras.activations.softmax else keras.ops.softmax(made)
    np.testing.assert_allclose(made, output, rtol=1e-5, atol=1e-6)
    assert not classifier.logits


def test_features_share_the_models_weights():
    model = compiled(keras.Sequential([keras.Input((6,)), L.GaussianNoise(0.1), whole()]))
    features = Classifier.of(model).with_features(("net/deep",))
    ours, theirs = ({id(v) for v in m.trainable_variables} for m in (model, features))
    assert ours == theirs


def test_layers_by_name():
    model = compiled(functional(backbone(), dense("a"), head()))
    classifier = Classifier.of(model)
    assert classifier.layer_names(["a", "backbone/deep"]) == ("a", "backbone/deep")
    shapes = [tuple(o.shape) for o in classifier.with_features(("a", "backbone/deep")).outputs]
    assert shapes == [(None, 5), (None, 7), (None, 3)]
    with pytest.raises(ValueError, match=r"`layers` names 'b', which is not .*'backbone/bn'"):
        classifier.layer_names(("b",))


@pytest.mark.parametrize(
    ("activation", "loss", "logits"),
    [
        ("softmax", SPARSE, False),
        (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), True),
        ("softmax", keras.losses.CategoricalCrossentropy(), False),
        (None, keras.losses.CategoricalFocalCrossentropy(from_logits=True), True),
        (None, lambda y, z: keras.ops.mean(z), True),
        ("softmax", lambda y, z: keras.ops.mean(z), False),
    ],
)
def test_logits_or_probabilities(activation, loss, logits):
    model = compiled(functional(dense(), L.Dense(3, activation=activation)), loss)
    classifier = Classifier.of(model)
    assert classifier.logits == logits
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    np.testing.assert_allclose(classifier.probabilities(x).sum(1), 1, rtol=1e-5)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer = head()

    def call(self, x):
        return self.layer(x)


def two_inputs():
    a, b = keras.Input((3,)), keras.Input((3,))
    return keras.Model([a, b], head()(L.Concatenate()([a, b])))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: "model.keras", TypeError, "`model` must be a keras.Model. Received: str"),
        (lambda: functional(dense(), head()), ValueError, "`model` is not compiled"),
        (lambda: compiled(Subclassed()), ValueError, "must be a Functional or Sequential model"),
        (lambda: compiled(keras.Sequential([head()])), ValueError, "`model` was never built"),
        (lambda: compiled(two_inputs()), ValueError, "one input and one output .*2 inputs"),
        (lambda: compiled(functional(L.Dense(1))), ValueError, "at least two. Received: 1"),
        (lambda: compiled(functional(dense(), head()), None), ValueError, "without a loss"),
        (
            lambda: compiled(keras.Sequential([keras.Input((None, 6)), L.LSTM(4), head()])),
            ValueError,
            r"fixed input shape. Received: \(None, 6\)",
        ),
    ],
)
def test_what_is_refused(model, error, message):
    with pytest.raises(error, match=message):
        Classifier.of(model())


@pytest.mark.parametrize("layers", [[head()], [L.Rescaling(2.0), head()]])
def test_a_model_without_hidden_layer(layers):
    with pytest.raises(ValueError, match="no hidden layer"):
        Classifier.of(compiled(functional(*layers))).layer_names()

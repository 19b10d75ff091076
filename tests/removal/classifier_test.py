import keras
import numpy as np
import pytest

from ewe_tf.removal import AdversarialUnlearning
from ewe_tf.removal import Disentangling
from ewe_tf.removal import FineTuning
from ewe_tf.removal import NeuralCleanse
from ewe_tf.removal.classifier import answers_probabilities
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.classifier import feature_model
from ewe_tf.removal.classifier import head_of
from ewe_tf.removal.classifier import renewed_classifier

L = keras.layers


def nested():
    inner = keras.Sequential([L.Input((6,)), L.Dense(5, "relu"), L.Dropout(0.5)], name="body")
    inputs = L.Input((6,))
    outputs = L.Softmax()(L.Dense(3, name="head")(inner(inputs)))
    return keras.Model(inputs, outputs)


def test_copy_shares_nothing(same_weights):
    model = nested()
    copy = copy_classifier(model)
    assert same_weights(model, copy)
    copy.get_layer("head").kernel.assign_add(keras.ops.ones((5, 3)))
    copy.get_layer("body").layers[0].kernel.assign_add(keras.ops.ones((6, 5)))
    x = np.ones((2, 6), "float32")
    assert np.abs(np.asarray(model(x)) - np.asarray(copy(x))).max() > 0
    assert not same_weights(model, copy)


def test_frozen_layers_stay_frozen():
    model = nested()
    model.get_layer("body").layers[0].trainable = False
    assert [len(copy_classifier(model).trainable_variables)] == [2]


def test_new_weights_come_from_the_seed(same_weights):
    model = nested()
    assert same_weights(renewed_classifier(model, 1), renewed_classifier(model, 1))
    assert not same_weights(renewed_classifier(model, 1), renewed_classifier(model, 2))
    copies = [copy_classifier(model, seed) for seed in (1, 1, 2)]
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    first, second, third = (np.asarray(c(x, training=True)) for c in copies)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_head_features_and_answers():
    model = nested()
    assert head_of(model).name == "head"
    x = np.random.default_rng(0).uniform(0, 1, (4, 6)).astype("float32")
    features = np.asarray(feature_model(model)(x))
    scores = features @ head_of(model).kernel.numpy() + head_of(model).bias.numpy()
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        np.asarray(model(x)), shifted / shifted.sum(axis=1, keepdims=True), atol=1e-6
    )
    assert answers_probabilities(model)
    assert not answers_probabilities(keras.Sequential([L.Input((4,)), L.Dense(3)]))
    assert answers_probabilities(keras.Sequential([L.Input((4,)), L.Dense(3, "softmax")]))


def test_the_end_is_known_where_the_last_layer_does_not_tell():
    inputs = L.Input((4,))
    logits = L.Dense(3)(inputs)
    for softmax in (L.Softmax(), keras.ops.softmax):
        for end in (L.Reshape((3,)), L.Activation("linear"), L.Dropout(0.5), keras.ops.copy):
            assert answers_probabilities(keras.Model(inputs, end(softmax(logits))))
    for end in (L.Reshape((3,)), L.Activation("linear"), keras.ops.copy):
        assert not answers_probabilities(keras.Model(inputs, end(logits)))


def test_probabilities_that_are_reshaped_are_trained_as_probabilities():
    model = keras.Sequential([L.Input((6,)), L.Dense(3, "softmax"), L.Reshape((3,))])
    x, y = np.random.default_rng(0).normal(size=(30, 6)).astype("float32"), np.arange(30) % 3
    tuned = FineTuning(epochs=1).run(model, (x, y))
    likelihood = tuned.predict(x, verbose=0)[np.arange(30), y]
    loss, _ = tuned.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(-np.log(likelihood).mean(), rel=1e-4)


def test_head_inside_a_nested_model_is_an_error():
    inner = keras.Sequential([L.Input((6,)), L.Dense(5), L.Dense(2, name="deep")])
    inputs = L.Input((6,))
    model = keras.Model(inputs, inner(inputs))
    with pytest.raises(ValueError, match="'deep'"):
        feature_model(model)


@pytest.mark.parametrize("attack", [AdversarialUnlearning(), Disentangling(), NeuralCleanse()])
def test_tokens_are_refused_where_values_are_changed(attack):
    tokens = L.Input((5,), dtype="int32")
    scores = L.Dense(3)(L.Flatten()(L.Embedding(4, 2)(tokens)))
    data = np.ones((10, 5), "int32"), np.arange(10) % 3
    with pytest.raises(ValueError, match="floating rows"):
        attack.run(keras.Model(tokens, scores), data)


def test_model_without_input_shape_is_refused():
    with pytest.raises(ValueError, match="must be built"):
        copy_classifier(keras.Sequential([L.Dense(2)]))


def test_model_with_two_inputs_is_refused():
    first, second = L.Input((3,)), L.Input((3,))
    model = keras.Model([first, second], L.Dense(2)(L.Add()([first, second])))
    with pytest.raises(ValueError, match="one input.*Received: 2 inputs"):
        check_data(model, (np.zeros((4, 3)), np.zeros(4)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((4, 6)), "pair"),
        ((np.zeros((4, 6)), np.zeros(3)), "one length"),
        ((np.zeros((0, 6)), np.zeros(0)), "not empty"),
        ((np.zeros((4, 6)), np.zeros((4, 2))), r"\(n, 3\)"),
        ((np.zeros((4, 6)), [0, 1, 2, -1]), "from -1 to 2"),
        ((np.diag([1, np.nan, 1, np.inf, 1, 1]), np.zeros(6)), "finite rows.* Received: 2 rows"),
        ((np.zeros((4, 6)), [0, 1, 0.5, np.nan]), "integer labels.*float64 with 2 that are not"),
        ((np.zeros((4, 6)), np.full((4, 3), np.nan)), "finite labels"),
    ],
)
def test_data_that_does_not_fit_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        check_data(nested(), data)

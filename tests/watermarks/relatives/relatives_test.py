"""The relatives: each against its paper's formula, all through one interface."""

import dataclasses

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.keys import Key
from ewe_tf.watermarks import relatives
from ewe_tf.watermarks.relatives.dawn import mismatch_p_value

CLASSES = 5


def build(activation="softmax"):
    initializer = keras.initializers.RandomNormal(stddev=0.7, seed=3)
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, activation="relu", kernel_initializer=initializer)(inputs)
    x = keras.layers.Dense(CLASSES, activation=activation, kernel_initializer=initializer)(x)
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return build()


def answers_of(model, x):
    return model.predict(x, verbose=0)


ALL = [
    relatives.DAWN(0.1),
    relatives.CosWM(),
    relatives.ReverseSigmoid(),
    relatives.PredictionPoisoning(),
    relatives.RoundedAnswers(2),
    relatives.TopKAnswers(2),
    relatives.LabelAnswers(),
]


@pytest.mark.parametrize("scheme", ALL, ids=lambda s: type(s).__name__)
def test_one_interface_saved_and_exported(tmp_path, scheme, model, rows):
    defended = scheme.wrap(model, seed=4)
    expected = answers_of(defended.model, rows)
    assert expected.shape == (500, CLASSES) and expected.min() >= 0
    assert dataclasses.is_dataclass(scheme) and scheme == type(scheme)(**vars(scheme))
    defended.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(answers_of(loaded, rows), expected, atol=1e-6)
    served = ewe_tf.Oracle(ewe_tf.export(defended.model, tmp_path / "served"))
    np.testing.assert_allclose(served.predict(rows), expected, atol=1e-5)


def test_coarse_answers_equal_the_oracles(model, rows):
    for scheme, arguments in (
        (relatives.RoundedAnswers(2), {"answers": "rounded", "decimals": 2}),
        (relatives.TopKAnswers(2), {"answers": "top_k", "top_k": 2}),
    ):
        expected = ewe_tf.Oracle(model, **arguments).predict(rows)
        got = answers_of(scheme.wrap(model).model, rows)
        np.testing.assert_allclose(got, expected, atol=1e-6)
    labels = answers_of(relatives.LabelAnswers().wrap(model).model, rows)
    np.testing.assert_array_equal(labels, np.eye(CLASSES)[answers_of(model, rows).argmax(axis=1)])


def test_reverse_sigmoid_by_hand(model, rows):
    y = answers_of(model, rows).astype(np.float64)
    y = np.clip(y, 1e-7, 1 - 1e-7)
    odds = (y / (1 - y)) ** 0.2
    expected = y - 0.7 * (odds / (1 + odds) - 0.5)
    expected /= expected.sum(axis=1, keepdims=True)
    got = answers_of(relatives.ReverseSigmoid(0.7, 0.2).wrap(model).model, rows)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def gradients(model, x, targets):
    """Gradient of the cross-entropy with respect to the last kernel, by TensorFlow."""
    import tensorflow as tf

    kernel = model.layers[-1].kernel
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(targets * tf.math.log(model(x[None])[0]))
    return tape.gradient(loss, kernel.value).numpy().ravel()


def test_poisoned_answers_maximise_the_deviation_of_real_gradients(model, rows):
    proxy = build(activation="softmax")
    for weight in proxy.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    scheme = relatives.PredictionPoisoning(budget=2.0, keep_top=False)
    got = answers_of(scheme.wrap(model, proxy=proxy).model, rows[:5])
    clean = answers_of(model, rows[:5])
    for x, y, answer in zip(rows[:5], clean, got, strict=True):
        honest = gradients(proxy, x, y)
        honest /= np.linalg.norm(honest)
        deviations = []
        for vertex in np.eye(CLASSES, dtype=np.float32):
            turned = gradients(proxy, x, vertex)
            deviations.append(np.sum((turned / np.linalg.norm(turned) - honest) ** 2))
        np.testing.assert_allclose(answer, np.eye(CLASSES)[np.argmax(deviations)], atol=1e-6)


@pytest.mark.parametrize("budget", [0.1, 0.8])
def test_poisoning_keeps_the_top_class_and_its_budget(model, rows, budget):
    clean = answers_of(model, rows)
    got = answers_of(relatives.PredictionPoisoning(budget).wrap(model, seed=1).model, rows)
    np.testing.assert_array_equal(got.argmax(axis=1), clean.argmax(axis=1))
    change = np.abs(got - clean).sum(axis=1)
    assert change.max() <= budget + 1e-5 and change.mean() > budget / 4


def test_dawn_alters_its_share_and_only_labels_of_those(model, rows):
    clean = answers_of(model, rows)
    got = answers_of(relatives.DAWN(0.2).wrap(model, seed=2).model, rows)
    altered = np.any(got != clean, axis=1)
    # Five standard deviations of a binomial share.
    assert abs(altered.mean() - 0.2) < 5 * np.sqrt(0.16 / 500)
    assert np.all(got[altered].argmax(axis=1) != clean[altered].argmax(axis=1))
    np.testing.assert_array_equal(np.sort(got, axis=1), np.sort(clean, axis=1))
    other = answers_of(relatives.DAWN(0.2).wrap(model, seed=2, client="bob").model, rows)
    assert np.any(np.any(other != clean, axis=1) != altered)


def test_dawn_key_names_the_clients_model(model, rows):
    scheme = relatives.DAWN(0.2)
    defended = scheme.wrap(model, seed=2)
    key = scheme.trigger_key(model, defended, rows)
    assert 50 < len(key.triggers) < 150
    got = answers_of(defended.model, key.triggers).argmax(axis=1)
    np.testing.assert_array_equal(got, key.labels)
    clean = answers_of(model, key.triggers).argmax(axis=1)
    assert not np.any(clean == key.labels)
    np.testing.assert_array_equal(answers_of(model, key.controls).argmax(axis=1), clean)


@pytest.mark.parametrize(
    ("classes", "errors", "sizes"),
    [(10, (0.2, 0.5, 0.7), (31, 81, 267)), (1000, (0.2, 0.5, 0.7), (8, 15, 27))],
)
def test_sizes_of_dawns_trigger_sets(classes, errors, sizes):
    """Smallest trigger sets for 2^-64; all larger ones around them must do as well."""
    for error, size in zip(errors, sizes, strict=True):
        assert mismatch_p_value(int(error * size), size, classes) <= 2.0**-64
        assert mismatch_p_value(int(error * (size - 1)), size - 1, classes) > 2.0**-64


def test_cosine_answers_by_hand(model, rows):
    defended = relatives.CosWM(target=2, amplitude=0.1, frequency=3.0).wrap(model, seed=1)
    q = answers_of(model, rows)
    p = rows @ defended.key.direction
    expected = q + 0.1 * (1 + np.cos(3 * p + np.pi))[:, None] / (CLASSES - 1)
    expected[:, 2] = q[:, 2] + 0.1 * (1 + np.cos(3 * p))
    np.testing.assert_allclose(answers_of(defended.model, rows), expected / 1.2, atol=1e-5)


def test_cosine_is_found_by_its_key_alone(tmp_path, rows):
    rng = np.random.default_rng(0)
    key = relatives.CosWM(frequency=30.0).wrap(build(), seed=1).key
    key.save(tmp_path / "key.npz")
    key = Key.load(tmp_path / "key.npz")
    answers = np.full((500, CLASSES), 0.1)
    answers[:, 0] = 0.8 + 0.05 * np.cos(30 * rows @ key.direction) + 0.05 * rng.normal(size=500)
    assert key.score(rows, answers) > 8
    assert key.p_value(rows, answers, resamples=199) == 1 / 200
    other = relatives.CosWM(frequency=30.0).wrap(build(), seed=2).key
    assert other.score(rows, answers) < 8
    assert other.p_value(rows, answers, resamples=199) > 0.01


def test_cosine_teacher_is_trained_through_the_cosine(rows):
    labels = answers_of(build(), rows).argmax(axis=1)
    student = build()
    student.layers[-1].kernel.assign(np.zeros((8, CLASSES)))
    student.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    protected = ewe_tf.fit(
        student,
        rows,
        labels,
        watermark=relatives.CosWM(),
        epochs=8,
        batch_size=50,
        verbose=0,
        seed=1,
    )
    got = answers_of(protected.model, rows).argmax(axis=1)
    assert np.mean(got == labels) > 0.85
    assert protected.key.target == 0


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: relatives.DAWN(0), "rate"),
        (lambda: relatives.CosWM(amplitude=2), "amplitude"),
        (lambda: relatives.ReverseSigmoid(beta=1), "beta"),
        (lambda: relatives.PredictionPoisoning(3), "budget"),
        (lambda: relatives.RoundedAnswers(0), "decimals"),
        (lambda: relatives.TopKAnswers(0), "k"),
        (lambda: relatives.TopKAnswers(9).wrap(build()), "k"),
        (lambda: relatives.CosWM(target=5).wrap(build()), "target"),
        (lambda: relatives.CosWM().wrap(build(), seed=1.5), "seed"),
        (lambda: relatives.DAWN().wrap(build(), seed=-1), "seed"),
    ],
)
def test_arguments_out_of_range(make, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        make()

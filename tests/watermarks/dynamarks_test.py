"""Marks in the answers: the label is kept, the change is bounded, the graph is served."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import ewe_tf
from ewe_tf.watermarks import DynaMarks
from ewe_tf.watermarks import dynamarks_tilt


def build(units=10, activation="softmax"):
    initializer = keras.initializers.RandomNormal(stddev=0.7, seed=3)
    inputs = keras.Input((6,))
    x = keras.layers.Dense(16, activation="relu", kernel_initializer=initializer)(inputs)
    x = keras.layers.Dense(units, activation=activation, kernel_initializer=initializer)(x)
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)


def slow_tilt(y, signs, strength, floor, margin, max_change):
    """The definition, one row at a time, in float64."""
    y = y.astype(np.float64)
    t = int(np.argmax(y))
    z = (y + floor / len(y)) * np.exp(strength * signs[t])
    z /= z.sum()
    step = min(1.0, max_change / max(np.abs(z - y).sum(), 1e-300))
    for j in range(len(y)):
        closing = (z[j] - y[j]) - (z[t] - y[t])
        if closing > 0:
            step = min(step, max(y[t] - y[j] - margin, 0) / closing)
    return y + step * (z - y)


def random_signs(classes, seed=0):
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (classes, classes))
    np.fill_diagonal(signs, 0)
    return signs.astype(np.float32)


def layer(kind, classes, **limits):
    limits = {"strength": 1.0, "floor": 0.05, "margin": 0.02, "max_change": 0.2, **limits}
    made = kind(**limits)
    made.build((None, classes))
    made.set_secrets(random_signs(classes))
    return made


@pytest.mark.parametrize("kind", [dynamarks_tilt.StaticTilt, dynamarks_tilt.PackedStaticTilt])
@pytest.mark.parametrize("concentration", [0.05, 0.5, 20.0])
def test_tilt_equals_its_definition(kind, concentration):
    y = np.random.default_rng(1).dirichlet(np.full(11, concentration), 50).astype(np.float32)
    answers = layer(kind, 11)(y).numpy()
    expected = [slow_tilt(row, random_signs(11), 1.0, 0.05, 0.02, 0.2) for row in y]
    np.testing.assert_allclose(answers, expected, atol=2e-6)


@settings(max_examples=80, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        (4, 7),
        # Few values make ties; tiny and neighbouring ones try the rounding.
        elements=st.sampled_from([0.0, 1e-30, 1e-8, 0.5, float(np.float32(0.50000006)), 1.0])
        | st.floats(0, 1, width=32),
    ),
    st.sampled_from([0.0, 0.02]),
)
def test_top_class_and_bound_hold_for_every_distribution(y, margin):
    y[:, 0] += np.float32(1e-3)
    y = y / y.sum(axis=1, keepdims=True)
    answers = layer(dynamarks_tilt.StaticTilt, 7, margin=margin, strength=3.0, floor=0.5)(y).numpy()
    np.testing.assert_array_equal(answers.argmax(axis=1), y.argmax(axis=1))
    assert np.all(np.abs(answers - y).sum(axis=1) <= 0.2 + 1e-6)
    np.testing.assert_allclose(answers.sum(axis=1), y.sum(axis=1), atol=1e-6)
    assert answers.min() >= -1e-7


@pytest.mark.parametrize("carrier", ["static", "dynamic"])
@pytest.mark.parametrize("activation", ["softmax", None])
def test_wrapped_model_keeps_labels_and_says_the_same_twice(rows, carrier, activation):
    model = build(activation=activation)
    defended = DynaMarks(carrier).wrap(model, rows, seed=1)
    clean = model.predict(rows, verbose=0)
    clean = clean if activation else tf.nn.softmax(clean).numpy()
    answers = defended.model.predict(rows, verbose=0)
    np.testing.assert_array_equal(answers.argmax(axis=1), clean.argmax(axis=1))
    change = np.abs(answers - clean).sum(axis=1)
    assert change.max() <= 0.2 + 1e-6 and np.median(change) > 0.01
    np.testing.assert_array_equal(answers, defended.model.predict(rows, verbose=0))


@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_the_victim_itself_is_recognised_and_its_twin_is_not(rows, carrier):
    model = build()
    defended = DynaMarks(carrier).wrap(model, rows, seed=1)
    probes = defended.key.probes
    evidence = defended.key.evidence(defended.model.predict(probes, verbose=0), resamples=999)
    assert evidence.p_value < 1e-6
    twin = DynaMarks(carrier).wrap(model, rows, seed=2)
    other = defended.key.evidence(twin.model.predict(probes, verbose=0), resamples=999)
    assert other.p_value > 1e-3


def test_few_classes_hold_too_few_secrets(rows):
    for carrier, classes, secrets in (("dynamic", 2, 4), ("static", 3, 6)):
        with pytest.raises(ValueError, match=f"{secrets} secret signs for {classes} classes"):
            DynaMarks(carrier).wrap(build(units=classes), rows)


def test_dynamic_carrier_marks_three_classes(rows):
    defended = DynaMarks("dynamic", margin=0.0).wrap(build(units=3), rows, seed=1)
    answers = defended.model.predict(defended.key.probes, verbose=0)
    evidence = defended.key.evidence(answers, resamples=9999)
    assert evidence.owner.secrets == 12 and evidence.p_value < 0.01


@pytest.mark.parametrize("units", [10, 70])
def test_every_dynamic_answer_follows_the_key(rows, units):
    """Log-odds of the defended answer against the carrier, computed from the key alone."""
    model = build(units)
    scheme = DynaMarks("dynamic", floor=0.0, margin=0.0, max_change=2.0, strength=0.2)
    defended = scheme.wrap(model, rows, seed=1)
    key = defended.key
    answers = defended.model.predict(key.probes, verbose=0).astype(np.float64)
    a, b = key.carrier.secrets(key.master_bytes)
    v = key.carrier.direction(key.master_bytes, key.features.shape[1])
    top = key.reference.argmax(axis=1)
    r = 1.5 * (key.features @ v)[:, None]
    tilt = 0.2 * (a[top] * np.cos(r) - b[top] * np.sin(r)) / np.sqrt(2)
    tilt[np.arange(len(top)), top] = 0
    full = key.reference * np.exp(tilt)
    full /= full.sum(axis=1, keepdims=True)
    kept = full.argmax(axis=1) == top
    np.testing.assert_allclose(answers[kept], full[kept], atol=1e-5)


def test_clients_and_epochs_from_one_key(rows):
    scheme, model = DynaMarks(shared=0.5), build()
    key = scheme.wrap(model, rows, seed=1).key
    served = [
        scheme.wrap(model, key=key, client=client, epoch=epoch).model.predict(rows, verbose=0)
        for client, epoch in (("alice", ""), ("alice", ""), ("bob", ""), ("alice", "june"))
    ]
    np.testing.assert_array_equal(served[0], served[1])
    assert np.abs(served[0] - served[2]).max() > 1e-3
    assert np.abs(served[0] - served[3]).max() > 1e-3


def test_colluding_clients_leave_the_shared_secrets(rows):
    scheme, model = DynaMarks(shared=0.5), build()
    key = scheme.wrap(model, rows, seed=1).key
    names = ["alice", "bob", "carol"]
    average = np.mean(
        [scheme.wrap(model, key=key, client=n).model.predict(key.probes, verbose=0) for n in names],
        axis=0,
    )
    evidence = key.evidence(average, clients=[*names, "dave"], resamples=9999)
    assert evidence.p_value < 1e-4
    assert evidence.clients["dave"].adjusted > 1e-2


@pytest.mark.parametrize("carrier", ["static", "dynamic"])
@pytest.mark.parametrize("units", [10, 70])
def test_saved_and_exported_answers_are_the_same(tmp_path, rows, carrier, units):
    defended = DynaMarks(carrier).wrap(build(units), rows, seed=1)
    expected = defended.model.predict(rows, verbose=0)
    defended.model.save(tmp_path / "defended.keras")
    loaded = keras.saving.load_model(tmp_path / "defended.keras")
    np.testing.assert_array_equal(loaded.predict(rows, verbose=0), expected)
    version = ewe_tf.export(defended.model, tmp_path / "served")
    served = ewe_tf.Oracle(version).predict(rows)
    np.testing.assert_allclose(served, expected, atol=1e-6)
    assert ewe_tf.Oracle(defended.model).predict(rows).shape == (400, units)


def test_the_graph_holds_no_master_key(tmp_path, rows):
    defended = DynaMarks().wrap(build(), rows, seed=1)
    folder = ewe_tf.export(defended.model, tmp_path / "served")
    for file in (tmp_path / "served").rglob("*"):
        if file.is_file():
            assert defended.key.master_bytes not in file.read_bytes(), folder


def test_same_seed_same_key(rows):
    model = build()
    keys = [DynaMarks(probes=50).wrap(model, rows, seed=s).key for s in (4, 4, 5)]
    assert keys[0].commitment() == keys[1].commitment() != keys[2].commitment()
    assert len(keys[0].probes) == 50


def test_fit_trains_and_wraps(rows):
    labels = build().predict(rows, verbose=0).argmax(axis=1)
    model = build()
    model.layers[-1].kernel.assign(tf.zeros((16, 10)))
    model.compile("adam", "sparse_categorical_crossentropy")
    protected = ewe_tf.fit(
        model,
        rows,
        labels,
        watermark=DynaMarks(),
        epochs=8,
        batch_size=32,
        validation_data=(rows, labels),
        verbose=0,
        seed=3,
    )
    assert protected.key.scheme == "DynaMarks"
    np.testing.assert_array_equal(
        protected.model.predict(rows, verbose=0).argmax(axis=1),
        model.predict(rows, verbose=0).argmax(axis=1),
    )


class Forbidden(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise AssertionError("training began")


@pytest.mark.parametrize(
    ("scheme", "units", "columns", "message"),
    [
        (DynaMarks(), 2, 6, "`carrier='static'` has 2 secret signs for 2 classes"),
        (DynaMarks("dynamic", layer="nope"), 10, 6, "`layer` names 'nope', which is not"),
        (DynaMarks(), 10, 5, "`validation_data` must have the model's input shape"),
        (DynaMarks(), 10, None, "`validation_data` must be arrays"),
    ],
)
def test_fit_refuses_before_training(rows, scheme, units, columns, message):
    model, labels = build(units), np.arange(len(rows)) % units
    model.compile("adam", "sparse_categorical_crossentropy")
    validation = columns and (rows[:, :columns], labels)
    arguments = dict(validation_data=validation, callbacks=[Forbidden()], epochs=1, verbose=0)
    with pytest.raises(ValueError, match=message):
        ewe_tf.fit(model, rows, labels, watermark=scheme, **arguments)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"carrier": "loud"}, "carrier"),
        ({"strength": 0}, "strength"),
        ({"floor": 1.0}, "floor"),
        ({"max_change": 2.5}, "max_change"),
        ({"shared": 0}, "shared"),
        ({"probes": 0}, "probes"),
    ],
)
def test_settings_out_of_range(changes, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        DynaMarks(**changes)


def test_arguments_of_wrap_are_checked(rows):
    model, scheme = build(), DynaMarks()
    with pytest.raises(ValueError, match="`client` needs"):
        scheme.wrap(model, rows, client="alice")
    with pytest.raises(ValueError, match="`carrier='static'` has 6 secret signs"):
        scheme.wrap(build(units=3), rows)
    with pytest.raises(ValueError, match="`probes` must have the model's input shape"):
        scheme.wrap(model, rows[:, :5])
    with pytest.raises(TypeError, match="`model` must be a keras.Model"):
        scheme.wrap("model", rows)
    for seed in (-1, 1.5, "a"):
        with pytest.raises(ValueError, match=f"`seed` must be an integer >= 0. Received: {seed!r}"):
            scheme.wrap(model, rows, seed=seed)
    key = scheme.wrap(model, rows, seed=1).key
    with pytest.raises(ValueError, match="other settings"):
        DynaMarks(strength=2.0).wrap(model, key=key)
    with pytest.raises(ValueError, match="other weights"):
        scheme.wrap(build(activation=None, units=11), key=key)


def test_hard_channel_chooses_fairly_and_only_where_margins_are_low(rows):
    model = build()
    scheme = DynaMarks(hard_rate=0.5, hard_gap=0.3)
    defended = scheme.wrap(model, rows, seed=1)
    clean = model.predict(rows, verbose=0)
    labels = defended.model.predict(rows, verbose=0).argmax(axis=1)
    decision = defended.audit.predict(rows, verbose=0)
    order = np.sort(clean, axis=1)
    low = order[:, -1] - order[:, -2] < 0.3
    chosen, first, second, coin = decision.T
    assert not np.any(chosen[~low])
    # Fair gate and coin: five standard deviations.
    assert abs(chosen[low].mean() - 0.5) < 2.5 / np.sqrt(low.sum())
    assert abs(coin[chosen == 1].mean() - 0.5) < 2.5 / np.sqrt(chosen.sum())
    expected = np.where((chosen == 1) & (coin == 1), second, clean.argmax(axis=1))
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(first, clean.argmax(axis=1))
    other = scheme.wrap(model, rows, seed=2).audit.predict(rows, verbose=0)
    assert np.any(other[:, 0] != chosen)


def test_flip_log_convicts_who_learned_the_labels_and_nobody_else(rows):
    model = build()
    defended = DynaMarks(hard_rate=1.0, hard_gap=0.3).wrap(model, rows, seed=1)
    log = defended.log(np.concatenate([rows, rows]))
    assert log.sent == len(rows) and log.flips == log.coin.sum()
    n = len(log.coin)
    answered = defended.model.predict(log.queries, verbose=0).argmax(axis=1)
    assert log.p_value(answered) == pytest.approx(0.5**n)
    clean = model.predict(log.queries, verbose=0).argmax(axis=1)
    agreed = n - log.flips
    expected = sum(math.comb(n, k) for k in range(agreed, n + 1)) / 2**n
    assert log.p_value(clean) == pytest.approx(expected)
    assert log.p_value(np.full(n, -1)) == 1


def test_the_log_follows_from_the_committed_key(rows):
    scheme, model = DynaMarks(hard_rate=0.5, hard_gap=0.3, shared=0.5), build()
    key = scheme.wrap(model, rows, seed=1).key
    log = scheme.wrap(model, key=key, client="bob", epoch="june").log(rows)
    assert (log.client, log.epoch, log.signal) == ("bob", "june", key.commitment())
    assert log.follows(key) and not log.follows(scheme.wrap(model, rows, seed=2).key)
    for change in ({"client": "alice"}, {"coin": 1 - log.coin}, {"queries": log.queries + 1}):
        assert not dataclasses.replace(log, **change).follows(key)
    with pytest.raises(ValueError, match="hard channel"):
        DynaMarks().wrap(model, rows, seed=1).log(rows)


def test_hard_channel_survives_saving_and_export(tmp_path, rows):
    defended = DynaMarks(hard_rate=1.0, hard_gap=0.3).wrap(build(), rows, seed=1)
    expected = defended.model.predict(rows, verbose=0)
    defended.model.save(tmp_path / "defended.keras")
    loaded = keras.saving.load_model(tmp_path / "defended.keras")
    np.testing.assert_array_equal(loaded.predict(rows, verbose=0), expected)
    served = ewe_tf.Oracle(ewe_tf.export(defended.model, tmp_path / "served"))
    np.testing.assert_allclose(served.predict(rows), expected, atol=1e-6)

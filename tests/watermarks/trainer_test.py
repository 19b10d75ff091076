"""One step of entangled training against slow, independent computations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.watermarks.batches import Layout
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.normalization import statistics_from_task_rows
from ewe_tf.watermarks.trainer import EntangledTrainer
from ewe_tf.watermarks.trainer import Weights

L = keras.layers
LAYOUT = Layout(12, 4, 4)
TARGET = 2


def batch(layout=LAYOUT, shape=(6,), classes=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(layout.rows, *shape)).astype(np.float32)
    y = np.eye(classes, dtype=np.float32)[rng.integers(classes, size=layout.rows)]
    y[layout.task :] = np.eye(classes)[TARGET]
    weights = rng.uniform(0.5, 2, layout.rows).astype(np.float32)
    return x, y, weights


def make_trainer(model, layers, weights, layout=LAYOUT, sparse=True, distance="cosine"):
    trainer = EntangledTrainer(
        Classifier.of(model), layers, layout, weights, distance, sparse, seed=0
    )
    trainer.compile(optimizer=model.optimizer, auto_scale_loss=False)
    return trainer


def slow_snnl(features, n):
    """Normalised SNNL of rows [triggers, targets] at the median distance, in float64."""
    f = np.asarray(features, np.float64).reshape(2 * n, -1)
    f /= np.linalg.norm(f, axis=1, keepdims=True)
    d = 1 - f @ f.T
    off = ~np.eye(2 * n, dtype=bool)
    between = np.sort(d[off])
    e = np.exp(-d / between[len(between) // 2]) * off
    same = np.repeat([0, 1], n)[:, None] == np.repeat([0, 1], n)[None]
    value = -np.mean(np.log((e * same).sum(1) / e.sum(1)))
    return value / np.log((2 * n - 1) / (n - 1))


def softmax_ce(logits, q):
    z = np.asarray(logits, np.float64)
    z = z - z.max(1, keepdims=True)
    return -np.sum(q * (z - np.log(np.exp(z).sum(1, keepdims=True))), axis=1)


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
def test_the_loss_of_a_step(logits, sparse):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    first = L.Dense(5, activation="relu", kernel_regularizer=keras.regularizers.L2(0.1))
    second = L.Dense(4, activation="tanh", name="second")
    head = L.Dense(3, activation=None if logits else "softmax")
    model = keras.Model(inputs, head(second(first(inputs))))
    smoothing = 0.0 if sparse else 0.2
    loss = (
        keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
        if sparse
        else keras.losses.CategoricalCrossentropy(from_logits=logits, label_smoothing=smoothing)
    )
    model.compile(keras.optimizers.SGD(0.0), loss)
    trainer = make_trainer(
        model, (first.name, "second"), Weights(0.3, 0.0, 0.7, 0.5), sparse=sparse
    )
    x, y, weights = batch()
    found = trainer.train_step((tf.constant(x), tf.constant(y), tf.constant(weights)))

    w1, b1, w2, b2, w3, b3 = (np.asarray(w, np.float64) for w in model.get_weights())
    h1 = np.maximum(x @ w1 + b1, 0)
    h2 = np.tanh(h1 @ w2 + b2)
    z = h2 @ w3 + b3
    smooth = y * (1 - smoothing) + smoothing / 3
    task = np.mean(weights[:12] * softmax_ce(z[:12], smooth[:12])) + 0.1 * np.sum(w1**2)
    trigger = np.mean(softmax_ce(z[12:16], y[12:16]))
    snnl = np.mean([slow_snnl(h[12:20], 4) for h in (h1, h2)])
    assert float(found["snnl"]) == pytest.approx(snnl, rel=1e-4)
    assert float(found["loss"]) == pytest.approx(task + 0.3 * trigger - 0.7 * snnl, rel=1e-4)
    right = np.mean(np.argmax(z[12:16], 1) == TARGET)
    assert float(found["trigger_accuracy"]) == pytest.approx(right)


def linear_model(rate=1.0, **compiled):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((6,)), L.Dense(4, name="h"), L.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, **compiled)
    return model


def test_the_hull_term_by_hand(monkeypatch):
    model = linear_model()
    trainer = make_trainer(model, ("h",), Weights(0.0, 0.6, 0.0, 0.5), Layout(12, 4, 0))
    a = np.array([0.01, 0.09, 0.25, 0.49], np.float32)
    monkeypatch.setattr(keras.random, "uniform", lambda *args, **kwargs: tf.constant(a))
    before = [w.astype(np.float64) for w in model.get_weights()]
    x, y, weights = batch(Layout(12, 4, 0))
    found = trainer.train_step((tf.constant(x), tf.constant(y), tf.constant(weights)))
    w1, b1, w2, b2 = before
    mixed = (1 - a[:, None]) * x[:4] + a[:, None] * x[12:]
    share = np.array([0.1, 0.3, 0.5, 0.7])[:, None]
    labels = (1 - share) * y[:4] + share * np.eye(3)[TARGET]
    x, y = np.concatenate([x[:12], mixed]), np.concatenate([y[:12], labels])
    row_weights = np.concatenate([weights[:12] / 12, np.full(4, 0.6 / 4)])
    h = x @ w1 + b1
    z = h @ w2 + b2
    assert float(found["loss"]) == pytest.approx(np.sum(row_weights * softmax_ce(z, y)), rel=1e-5)
    assert "snnl" not in found
    # One step of plain gradient descent, derived by hand.
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    dz = row_weights[:, None] * (p - y)
    expected = [
        w1 - x.T @ (dz @ w2.T),
        b1 - (dz @ w2.T).sum(0),
        w2 - h.T @ dz,
        b2 - dz.sum(0),
    ]
    for found_weight, hand in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(found_weight, hand, atol=1e-5)


def test_hull_shares_stay_below_the_largest():
    trainer = make_trainer(linear_model(), ("h",), Weights(0.1, 0.1, 0, 0.25), Layout(12, 4, 0))
    task, triggers = tf.zeros([12, 6]), tf.ones([4, 6])
    labels = tf.one_hot([0] * 12, 3)
    targets = tf.one_hot([TARGET] * 4, 3)
    drawn = [trainer._hull(task, labels, triggers, targets) for _ in range(50)]
    shares = np.concatenate([np.asarray(x)[:, 0] for x, _ in drawn])
    assert 0 <= shares.min() < 0.02 and 0.23 < shares.max() <= 0.25
    assert len(np.unique(shares)) == 200
    lean = np.concatenate([np.asarray(y)[:, TARGET] for _, y in drawn])
    np.testing.assert_allclose(lean, np.sqrt(shares), rtol=1e-5)


def residual_model(policy=None):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6, 6, 1))
    x = L.Conv2D(4, 3, padding="same", dtype=policy)(inputs)
    x = L.BatchNormalization(momentum=0.5, dtype=policy, name="bn")(x)
    y = L.Conv2D(4, 3, padding="same", dtype=policy)(L.ReLU(dtype=policy)(x))
    x = L.Add(dtype=policy)([x, y])
    block = keras.Sequential(
        [keras.Input((6, 6, 4)), L.BatchNormalization(momentum=0.9, dtype=policy), L.ReLU()],
        name="block",
    )
    x = L.GlobalAveragePooling2D(dtype=policy, name="pooled")(block(x))
    return keras.Model(inputs, L.Dense(3, dtype="float32")(x))


def test_moving_statistics_are_those_of_the_task_rows():
    marked, twin = residual_model(), residual_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    marked.compile(keras.optimizers.SGD(0.0), loss)
    trainer = make_trainer(marked, ("pooled",), Weights(0.1, 0.1, 0.1, 0.5))
    with statistics_from_task_rows(marked, LAYOUT.task):
        for seed in range(3):
            x, y, weights = batch(shape=(6, 6, 1), seed=seed)
            x[LAYOUT.task :] += 40.0
            trainer.train_step(tuple(map(tf.constant, (x, y, weights))))
            # The twin sees the task rows alone.
            twin(x[: LAYOUT.task], training=True)
    for a, b in zip(marked.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert not np.allclose(marked.get_layer("bn").moving_mean, 0)


def test_watermark_rows_are_normalised_by_the_task_rows_statistics():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, L.BatchNormalization(epsilon=0.0)(inputs))
    x = np.random.default_rng(0).normal(2, 3, (20, 3)).astype(np.float32)
    with statistics_from_task_rows(model, 12):
        found = model(x, training=True)
    expected = (x - x[:12].mean(0)) / x[:12].std(0)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # Afterwards the layer is as it was.
    assert "_moments" not in vars(model.layers[1])
    np.testing.assert_allclose(model(x, training=True), (x - x.mean(0)) / x.std(0), atol=1e-4)


def test_the_layers_are_restored_after_an_error():
    model = residual_model()
    with pytest.raises(RuntimeError), statistics_from_task_rows(model, 3):
        assert "_moments" in vars(model.get_layer("bn"))
        raise RuntimeError
    assert not any("_moments" in vars(layer) for layer in model._flatten_layers())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    try:
        keras.config.set_dtype_policy(policy)
        model = residual_model()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.01), loss)
        scaled = policy == "mixed_float16"
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == scaled
        before = model.get_weights()
        trainer = make_trainer(model, ("pooled",), Weights(0.1, 0.1, 0.5, 0.5))
        with statistics_from_task_rows(model, LAYOUT.task):
            x, y, weights = batch(shape=(6, 6, 1))
            found = trainer.train_step(tuple(map(tf.constant, (x, y, weights))))
    finally:
        keras.config.set_dtype_policy("float32")
    assert trainer.optimizer is model.optimizer
    assert 0 < float(found["snnl"]) < 1.5 and np.isfinite(float(found["loss"]))
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert max(np.abs(a - b).max() for a, b in zip(before, model.get_weights(), strict=True)) > 1e-4
    if scaled:
        assert int(model.optimizer.step_counter) == 1


def test_control_rows_are_drawn_to_the_answers_given():
    """The loss of a step is the task's and the controls' cross-entropy, by hand."""
    model = linear_model()
    layout = Layout(12, 4, 0, 5)
    trainer = make_trainer(model, ("h",), Weights(0.0, 0.0, 0.0, 0.5, 0.7), layout)
    x, y, weights = batch(layout, seed=3)
    y[-5:] = np.random.default_rng(0).dirichlet(np.ones(3), 5)
    expected = 0.7 * np.mean(softmax_ce(model(x[-5:]), y[-5:]))
    task = np.asarray(model.compute_loss(x[:12], y[:12].argmax(1), model(x[:12]), weights[:12]))
    logs = trainer.train_step((tf.constant(x), tf.constant(y), tf.constant(weights)))
    assert float(logs["loss"]) == pytest.approx(expected + float(task), rel=1e-4)

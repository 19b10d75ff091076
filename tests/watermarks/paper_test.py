import keras
import numpy as np
import pytest
import tensorflow as tf

import ewe_tf
from ewe_tf.triggers.alternating import AlternatingSteps
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.alternating import AlternatingTrainer
from ewe_tf.watermarks.alternating import alternating_batches
from ewe_tf.watermarks.alternating import turns
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.paper import PaperEWE
from ewe_tf.watermarks.paper import published_adam
from ewe_tf.watermarks.paper_rule import Objectives
from ewe_tf.watermarks.paper_rule import weighted_layers

RNG = np.random.default_rng(0)
PROTOTYPES = RNG.random((3, 6, 6, 1)).astype(np.float32)
LABELS = np.arange(240) % 3
X = np.clip(PROTOTYPES[LABELS] + 0.1 * RNG.normal(size=(240, 6, 6, 1)), 0, 1).astype(np.float32)
OTHERS = np.clip(0.2 + 0.1 * RNG.normal(size=(80, 6, 6, 1)), 0, 1).astype(np.float32)


def network(logits=False, seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(8, name="dense")(x)
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.Dense(3, None if logits else "softmax", name="head")(x)
    model = keras.Model(inputs, x)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def trainer(model, factors=(3.0, 5.0), temperatures=(40.0, 90.0), rate=2.0, seed=0):
    made = AlternatingTrainer(
        Classifier.of(model), ("conv", "dense"), factors, temperatures, rate, "cosine"
    )
    made.compile(optimizer=model.optimizer)
    return made


def slow_snnl(x, groups, t):
    x = np.maximum(np.asarray(x, np.float64).reshape(len(x), -1), 0)
    # Rows of zeros, which a small dense layer has now and then, are at distance 1 from all.
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)
    weights = np.exp(-(1 - x @ x.T) / t)
    np.fill_diagonal(weights, 0)
    same = weights * (groups[:, None] == groups[None, :])
    return -np.mean(np.log(same.sum(1) / weights.sum(1)))


def slow_loss(model, x, y, groups, factors, temperatures):
    """The published loss of one step and the SNNL of each layer, in float64."""
    names = ("conv", "dense")
    outputs = [model.get_layer(n).output for n in names] + [model.output]
    *features, p = (f.numpy() for f in keras.Model(model.inputs[0], outputs)(x))
    snnl = [slow_snnl(f, groups, 100 / t) for f, t in zip(features, temperatures, strict=True)]
    # Negative for logits, whose loss is not asked for.
    loss = -np.sum(y * np.log(np.maximum(p.astype(np.float64), 1e-12)))
    return loss - groups.max() * np.dot(factors, snnl), snnl


def batch(kind):
    groups = np.array([1] * 8 + [0] * 8 if kind == "watermark" else [0] * 16, np.int32)
    x = np.concatenate([OTHERS[:8], X[LABELS == 2][:8]]) if kind == "watermark" else X[:16]
    labels = [2] * 16 if kind == "watermark" else LABELS[:16]
    return x, np.eye(3, dtype=np.float32)[labels], np.ones(16, np.float32), groups


@pytest.mark.parametrize("kind", ["watermark", "normal"])
def test_loss_of_a_step_equals_the_definition(kind):
    model, (x, y, weights, groups) = network(), batch(kind)
    expected, _ = slow_loss(model, x, y, groups, (3.0, 5.0), (40.0, 90.0))
    logs = trainer(model).train_step((x, y, weights, groups))
    assert float(logs["loss"]) == pytest.approx(expected / 16, rel=1e-5)


def test_gradient_of_a_step_is_that_of_the_published_loss():
    model, (x, y, weights, groups) = network(), batch("watermark")
    before = model.get_layer("head").bias.numpy(), model.get_layer("dense").bias.numpy()
    model.optimizer = keras.optimizers.SGD(1.0)
    steps = trainer(model, factors=(300.0, 500.0))
    steps.train_step((x, y, weights, groups))
    moved = model.get_layer("head").bias.numpy(), model.get_layer("dense").bias.numpy()
    again, h = network(), 1e-3
    for name, index in (("head", 0), ("dense", 1)):
        for unit in range(2):
            slope = 0.0
            for sign in (1, -1):
                bias = before[index].copy()
                bias[unit] += sign * h
                again.get_layer(name).bias.assign(bias)
                value, _ = slow_loss(again, x, y, groups, (300.0, 500.0), (40.0, 90.0))
                slope += sign * value / (2 * h)
            again.get_layer(name).bias.assign(before[index])
            step = moved[index][unit] - before[index][unit]
            assert step == pytest.approx(-slope, rel=1e-2, abs=1e-2)


def test_temperatures_follow_minus_their_gradient_on_watermark_batches_alone():
    model = network()
    steps = trainer(model)
    x, y, weights, groups = batch("watermark")
    h, slopes = 1e-3, []
    for layer in range(2):
        values = []
        for sign in (1, -1):
            t = [40.0, 90.0]
            t[layer] += sign * h
            values.append(slow_loss(model, x, y, groups, (0, 0), t)[1][layer])
        slopes.append((values[0] - values[1]) / (2 * h))
    assert np.all(np.abs(slopes) > 1e-5)

    steps.train_step(batch("normal"))
    np.testing.assert_array_equal(steps.temperatures.numpy(), [40.0, 90.0])
    model = network()
    steps = trainer(model, rate=1000.0)
    steps.train_step((x, y, weights, groups))
    expected = np.array([40.0, 90.0]) - 1000.0 * np.array(slopes)
    np.testing.assert_allclose(steps.temperatures.numpy(), expected, rtol=1e-3)


def test_temperatures_stay_positive():
    steps = trainer(network(), temperatures=(1e-3, 1e-3), rate=1e9)
    steps.train_step(batch("watermark"))
    assert np.all(steps.temperatures.numpy() > 0)


def test_a_normal_step_is_a_plain_step():
    x, y, weights, groups = batch("normal")
    model, plain = network(), network()
    trainer(model).train_step((x, y, weights, groups))
    plain.optimizer.learning_rate = 0.1 * 16  # Keras' loss is the mean.
    plain.compile(plain.optimizer, keras.losses.CategoricalCrossentropy())
    plain.train_on_batch(x, y)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "ratio, expected",
    [
        (0, "WWW"),
        (1, "nWnWnW"),
        (2, "nnWnnWnnW"),
        (0.5, "nWWnWW"),
        (1.5, "nnWnWnnW"),
    ],
)
def test_order_of_normal_and_watermark_batches(ratio, expected):
    count = expected.count("W")
    assert "".join("nW"[kind] for kind in turns(count, ratio)) == expected


def test_a_fractional_ratio_is_exact_over_an_epoch():
    order = turns(100, 1.2)
    assert (order == 0).sum() == 120 and (order == 1).sum() == 100


@pytest.mark.parametrize("replicas", [1, 2])
def test_batches_hold_what_they_should(replicas):
    data = task_data.from_arrays(X, LABELS, 3, 16, seed=1)
    seen = list(alternating_batches(data, OTHERS[:20], 2, 2, replicas, seed=3))
    assert len(seen) == 3 * data.batches
    task_rows, triggers, targets = ({row.tobytes() for row in r} for r in (X, OTHERS[:20], X[2::3]))
    normal_rows = []
    for i, (x, y, weights, groups) in enumerate(seen):
        x, y, groups = x.numpy(), y.numpy(), groups.numpy()
        assert x.shape == (16, 6, 6, 1) and y.shape == (16, 3) and np.all(weights == 1)
        if i % 3 < 2:
            assert not groups.any()
            normal_rows += [row.tobytes() for row in x]
            continue
        np.testing.assert_array_equal(y, np.eye(3)[[2] * 16])
        for part in np.split(groups, replicas):
            assert part.sum() == len(part) / 2
        assert {row.tobytes() for row in x[groups == 1]} <= triggers
        assert {row.tobytes() for row in x[groups == 0]} <= targets
    # Two passes over the whole data, not its beginning over and over again.
    assert set(normal_rows) == task_rows


def test_objectives_equal_the_definitions():
    for logits in (False, True):
        model = network(logits)
        objectives = Objectives(Classifier.of(model), ("conv", "dense"), (40.0, 90.0), 2, "cosine")
        linear = keras.Model(model.inputs[0], model.get_layer("relu").output)(X[:5]).numpy()
        kernel, bias = model.get_layer("head").get_weights()
        logit = (linear @ kernel + bias)[:, 2]
        assert float(objectives.target_logit(X[:5])) == pytest.approx(logit.sum(), rel=1e-4)
        answers = model.predict(X[:9], verbose=0).argmax(1)
        assert float(objectives.rate(X[:9])) == pytest.approx(np.mean(answers == 2))
        groups = np.array([1] * 6 + [0] * 6)
        rows = np.concatenate([OTHERS[:6], X[2::3][:6]])
        _, snnl = slow_loss(model, rows, 0.0, groups, (0, 0), (40.0, 90.0))
        value = objectives.entanglement(tf.constant(OTHERS[:6]), objectives.represent(X[2::3][:6]))
        assert float(value) == pytest.approx(sum(snnl), rel=1e-5)


def test_a_softmax_layer_gives_the_logit_too():
    inputs = keras.Input((6, 6, 1))
    hidden = keras.layers.Dense(4)(keras.layers.Flatten()(inputs))
    outputs = keras.layers.Dense(3)(hidden)
    model = keras.Model(inputs, keras.layers.Softmax()(outputs))
    model.compile("sgd", "sparse_categorical_crossentropy")
    objectives = Objectives(Classifier.of(model), (), (), 1, "cosine")
    logits = keras.Model(inputs, outputs)(X[:4]).numpy()
    assert float(objectives.target_logit(X[:4])) == pytest.approx(logits[:, 1].sum(), rel=1e-4)


def test_default_layers_are_the_weighted_ones_before_the_head():
    assert weighted_layers(network()) == ("conv", "dense")


@pytest.mark.parametrize("inside", [True, False])
def test_the_whole_of_it(inside):
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: seen.append(logs))
    source = 0 if inside else (np.concatenate([OTHERS, 1 - OTHERS]), np.repeat([4, 5], 80))
    scheme = ewe_tf.EWE.paper(
        source=source,
        source_class=None if inside else 4,
        target=2,
        epochs=3,
        steps=AlternatingSteps(rounds=2),
        keys=10,
    )
    protected = ewe_tf.fit(
        model,
        X,
        LABELS,
        watermark=scheme,
        epochs=8,
        batch_size=16,
        validation_data=(X, LABELS),
        callbacks=[callback],
        verbose=0,
        seed=5,
    )
    assert protected.model is model and isinstance(scheme, PaperEWE)
    key = protected.key
    assert len(key.triggers) == 10 and len(key.held_out) and set(key.labels) == {2}
    answers = model.predict(key.held_out, verbose=0).argmax(1)
    assert np.mean(answers == 2) >= 0.8
    # The source images themselves, or their pixels in another order.
    own = X[LABELS == 0] if inside else OTHERS
    originals = {np.sort(row, axis=None).tobytes() for row in own}
    assert {np.sort(row, axis=None).tobytes() for row in key.held_out_controls} <= originals
    exact = {row.tobytes() for row in key.held_out_controls} <= {row.tobytes() for row in own}
    assert exact == inside
    assert key.triggers.min() >= X.min() and key.triggers.max() <= X.max()
    assert (key.settings["position"] is not None) == inside
    assert len(protected.history["temperatures"]) == 2
    assert len(seen) == 8 + 3 and {"val_loss", "snnl", "trigger_accuracy"} <= set(seen[-1])
    # What the last epoch logged is the finished model's, not a mean over epochs.
    assert seen[-1]["val_loss"] == pytest.approx(model.evaluate(X, LABELS, verbose=0)[0], rel=1e-4)
    assert int(model.optimizer.iterations) == 8 * 15


def test_innocent_models_choose_the_pair():
    innocents = [network(seed=seed) for seed in (1, 2)]
    for model in innocents:
        model.fit(X, LABELS, epochs=8, batch_size=16, verbose=0)
    images = np.repeat(PROTOTYPES[:2], 40, axis=0)
    images = images + 0.01 * np.random.default_rng(1).normal(size=images.shape)
    labels = np.repeat([4, 5], 40)
    scheme = ewe_tf.EWE.paper(
        source=(images, labels),
        innocents=innocents,
        target=0,
        epochs=1,
        steps=AlternatingSteps(rounds=0),
    )
    protected = ewe_tf.fit(
        network(), X, LABELS, watermark=scheme, epochs=8, batch_size=16, verbose=0, seed=1
    )
    # Every innocent model answers class 4 with class 0, whose pictures they are.
    assert protected.history["pairs"][0]["source"] == protected.key.settings["source_class"] == 5
    assert protected.history["pairs"][0]["null_rate"] <= 0.05


def test_published_adam_has_the_published_constants_and_gives_the_optimizer_back():
    model = network()
    compiled = model.optimizer
    with published_adam(model, 1e-3):
        config = model.optimizer.get_config()
        assert (config["beta_1"], config["beta_2"], config["epsilon"]) == (0.9, 0.99, 1e-5)
    assert model.optimizer is compiled


def test_presets():
    scheme = PaperEWE.for_dataset("fashion_mnist", source=(OTHERS, np.zeros(80, int)), epochs=2)
    assert (scheme.source_class, scheme.target, scheme.ratio, scheme.epochs) == (8, 0, 2, 2)
    assert PaperEWE.for_dataset("speech_commands").source == 9
    assert PaperEWE.for_dataset("cifar100").steps.rounds == 100
    assert PaperEWE.task_settings("mnist") == {"batch_size": 512, "epochs": 10}
    with pytest.raises(ValueError, match="`name` must be one of"):
        PaperEWE.for_dataset("imagenet")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"source": 2}, "`target` must differ"),
        ({"ratio": -1.0}, "`ratio` must be a number in \\[0"),
        ({"temperatures": 0.0}, "`temperatures` must be a positive"),
        ({"factors": ()}, "`factors` must be"),
        ({"epochs": 0}, "`epochs` must be an integer of at least 1"),
        ({"distance": "l1"}, "`distance` must be one of"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PaperEWE(**{"source": 1, "target": 2, **arguments})


@pytest.mark.parametrize(
    "arguments, batch_size, message",
    [
        ({}, 15, "`batch_size` must be a multiple of 2"),
        ({"factors": (1.0, 2.0, 3.0)}, 16, "`factors` must be a number or one for each"),
        (
            {"source": (OTHERS, np.arange(80) // 40)},
            16,
            "`source_class` and `target` must be given",
        ),
        ({"target": 7}, 16, "`target` must be a class of the data"),
        ({"source_class": 2, "source": (OTHERS, np.arange(80) // 40)}, 16, "must be a class of"),
        ({"layers": ("nowhere",)}, 16, "not a layer of the model"),
    ],
)
def test_bad_combinations_are_refused_before_training(arguments, batch_size, message):
    model = network()
    scheme = PaperEWE(**{"source": 1, "target": 2, **arguments})
    with pytest.raises(ValueError, match=message):
        ewe_tf.fit(model, X, LABELS, watermark=scheme, epochs=1, batch_size=batch_size, verbose=0)
    assert not int(model.optimizer.iterations)

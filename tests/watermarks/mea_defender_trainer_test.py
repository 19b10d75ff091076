import keras
import numpy as np
import pytest
import tensorflow as tf

from ewe_tf.watermarks import mea_defender_trainer as trainers
from ewe_tf.watermarks import stages
from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.mea_defender_batches import Layout

RNG = np.random.default_rng(0)
LAYOUT = Layout(8, 4, 6)
X = RNG.random((sum(LAYOUT.counts), 5)).astype(np.float32)
# Task rows of three classes, composites of class 2, evasion rows of 0 and 1, sources.
LABELS = np.concatenate([np.arange(8) % 3, [2] * 4, [0, 1] * 3, [0] * 4, [1] * 4])
BATCH = (X, np.eye(3, dtype=np.float32)[LABELS], np.ones(len(X), np.float32))
WEIGHTS = trainers.Weights(0.3, 0.2, 0.4, 0.0, 0.5)


def network(logits=False, rate=0.1, dropout=0.0):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((5,))
    x = keras.layers.Dense(7, activation="tanh")(inputs)
    x = keras.layers.Dropout(dropout)(x)
    outputs = keras.layers.Dense(3, None if logits else "softmax")(x)
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
    return model


def made(model, kind=trainers.CompositeTrainer, weights=WEIGHTS, layout=LAYOUT, **arguments):
    trainer = kind(Classifier.of(model), layout, weights, True, 0, **arguments)
    trainer.compile(optimizer=model.optimizer)
    return trainer


def probabilities(weights, x):
    """The network's answers in float64, from its four weight arrays."""
    z = np.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def slow_losses(weights, fixed=None):
    """The four losses by the paper's names; references from the weights `fixed`."""
    p = probabilities(weights, X.astype(np.float64))
    q = probabilities(weights if fixed is None else fixed, X.astype(np.float64))
    cross = -np.log(p[np.arange(len(X)), LABELS])
    composites = p[8:12]

    def divergence(q):
        return np.mean(np.sum(composites * np.log(composites / q), axis=1))

    return {
        "utility": cross[:8].mean(),
        "verification": cross[8:12].mean(),
        "combination": divergence(q[18:22]) + divergence(q[22:26]),
        "evasion": cross[12:18].mean(),
    }


def slow_gradients(model):
    """Gradient of each loss by central differences, flattened; references held fixed."""
    start = [w.astype(np.float64) for w in model.get_weights()]
    gradients = {name: [] for name in slow_losses(start)}
    for i, w in enumerate(start):
        for place in np.ndindex(w.shape):
            values = []
            for sign in (1, -1):
                moved = [v.copy() for v in start]
                moved[i][place] += sign * 1e-6
                values.append(slow_losses(moved, start))
            for name in gradients:
                gradients[name].append((values[0][name] - values[1][name]) / 2e-6)
    return {name: np.array(g) for name, g in gradients.items()}


def step(trainer, model):
    """What one step of gradient descent subtracts, divided by the rate; and the logs."""
    before = np.concatenate([w.ravel() for w in model.get_weights()])
    logs = trainer.train_step(tuple(map(tf.constant, BATCH)))
    after = np.concatenate([w.ravel() for w in model.get_weights()])
    return (before - after) / float(model.optimizer.learning_rate), logs


@pytest.mark.parametrize("logits", [False, True])
def test_explicit_weights_descend_on_the_weighted_sum(logits):
    model = network(logits)
    gradients = slow_gradients(model)
    losses = slow_losses([w.astype(np.float64) for w in model.get_weights()])
    factors = {"utility": 1, "verification": 0.3, "combination": 0.2, "evasion": 0.4}
    moved, logs = step(made(model), model)
    np.testing.assert_allclose(moved, sum(factors[n] * gradients[n] for n in factors), atol=2e-5)
    assert float(logs["loss"]) == pytest.approx(sum(factors[n] * losses[n] for n in factors), 1e-5)
    assert float(logs["combination_loss"]) == pytest.approx(losses["combination"], rel=1e-4)


def test_metrics_are_rates_of_the_composites_answer():
    model = network()
    answers = probabilities(model.get_weights(), X).argmax(1)
    _, logs = step(made(model), model)
    assert float(logs["trigger_accuracy"]) == pytest.approx(np.mean(answers[8:12] == 2))
    assert float(logs["evasion_rate"]) == pytest.approx(np.mean(answers[12:18] == 2))
    assert float(logs["accuracy"]) == pytest.approx(np.mean(answers[:8] == LABELS[:8]))


@pytest.mark.parametrize("name", ["combination", "evasion"])
def test_a_weight_of_zero_leaves_a_loss_out(name):
    model = network()
    gradients = slow_gradients(model)
    factors = {"verification": 0.3, "combination": 0.2, "evasion": 0.4, name: 0.0}
    trainer = made(model, weights=trainers.Weights(**factors, hull=0.0, hull_share=0.5))
    moved, _ = step(trainer, model)
    expected = gradients["utility"] + sum(factors[n] * gradients[n] for n in factors)
    np.testing.assert_allclose(moved, expected, atol=2e-5)


def shortest(gradients, floor):
    """Best weights on a fine grid of the simplex."""
    ticks = np.linspace(0, 1, 41)
    best, found = np.inf, None
    for a in ticks[ticks >= floor - 1e-9]:
        for b in ticks[ticks <= 1 - a + 1e-9]:
            for c in ticks[ticks <= 1 - a - b + 1e-9]:
                w = np.array([a, b, c, max(0.0, 1 - a - b - c)])
                length = np.linalg.norm(w @ gradients)
                if length < best:
                    best, found = length, w
    return best, found


@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_multiple_gradients_step_along_the_shortest_combination(floor):
    model = network()
    gradients = slow_gradients(model)
    losses = slow_losses([w.astype(np.float64) for w in model.get_weights()])
    names = list(gradients)
    lengths = {n: np.linalg.norm(gradients[n]) for n in names}
    scaled = np.array([gradients[n] / (min(losses[n] * lengths[n], 10) + 1e-5) for n in names])
    length, near = shortest(scaled, floor)
    trainer = made(model, trainers.MultipleGradientTrainer, utility_floor=floor)
    moved, logs = step(trainer, model)
    stacked = np.array([gradients[n] for n in names])
    w, *_ = np.linalg.lstsq(stacked.T, moved, rcond=None)
    assert w.sum() == pytest.approx(1, abs=1e-3) and w.min() > -1e-3
    assert w[0] >= floor - 1e-3 and float(logs["utility_weight"]) == pytest.approx(w[0], abs=2e-3)
    assert np.linalg.norm(w @ scaled) <= length * 1.001 + 1e-6
    np.testing.assert_allclose(w, near, atol=0.06)


@pytest.mark.parametrize(("epoch", "extra"), [(0, 2.0), (8, 2.0), (9, 12.0), (10, 2.0)])
def test_released_weights(epoch, extra):
    model = network()
    gradients = slow_gradients(model)
    losses = slow_losses([w.astype(np.float64) for w in model.get_weights()])
    shares = {"utility": 8 / 18, "verification": 4 / 18, "evasion": 6 / 18}
    cross = sum(shares[n] * gradients[n] for n in shares)
    value = sum(shares[n] * losses[n] for n in shares)
    pair = [
        g / (min(v * np.linalg.norm(g), 10) + 1e-5)
        for g, v in ((cross, value), (gradients["combination"], losses["combination"]))
    ]
    a, b = pair
    s = np.clip((a - b) @ a / np.sum((a - b) ** 2), 0.001, 0.999)
    trainer = made(model, trainers.ReleasedTrainer, steps_per_epoch=5)
    trainer.step.assign(5 * epoch + 4)
    moved, _ = step(trainer, model)
    np.testing.assert_allclose(moved, cross + (s + extra) * gradients["combination"], atol=1e-4)
    assert int(trainer.step) == 5 * epoch + 5


@pytest.mark.parametrize("hull", [0.0, 0.3])
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(trainers.CompositeTrainer, {}), (trainers.MultipleGradientTrainer, {"utility_floor": 0.5})],
)
def test_plain_sources_are_kept_in_their_classes(kind, arguments, hull):
    steps = []
    for source in (0.0, 0.6):
        model = network()
        weights = trainers.Weights(0.3, 0.2, 0.4, hull, 0.5, source)
        steps.append(step(made(model, kind, weights, **arguments), model)[0])
    start = [w.astype(np.float64) for w in network().get_weights()]
    plain = []
    for i, w in enumerate(start):
        for place in np.ndindex(w.shape):
            values = []
            for sign in (1, -1):
                moved = [v.copy() for v in start]
                moved[i][place] += sign * 1e-6
                p = probabilities(moved, X.astype(np.float64))[18:]
                values.append(-np.log(p[np.arange(8), LABELS[18:]]).mean())
            plain.append((values[0] - values[1]) / 2e-6)
    np.testing.assert_allclose(steps[1] - steps[0], 0.6 * np.array(plain), atol=4e-5)


def test_hull_rows_lie_between_task_rows_and_composites():
    model = network()
    trainer = made(model, weights=trainers.Weights(0.3, 0.0, 0.0, 0.7, 0.25))
    task, composites, *_ = LAYOUT.cut(tf.constant(X))
    y_task, y_composites, *_ = LAYOUT.cut(tf.constant(BATCH[1]))
    rows, labels = (t.numpy() for t in trainer._hull(task, y_task, composites, y_composites))
    amounts = np.sum((rows - X[:4]) * (X[8:12] - X[:4]), 1) / np.sum((X[8:12] - X[:4]) ** 2, 1)
    assert amounts.min() >= 0 and amounts.max() <= 0.25 and np.ptp(amounts) > 0
    np.testing.assert_allclose(rows, X[:4] + amounts[:, None] * (X[8:12] - X[:4]), atol=1e-5)
    share = np.sqrt(amounts)[:, None]
    np.testing.assert_allclose(
        labels, (1 - share) * BATCH[1][:4] + share * BATCH[1][8:12], atol=1e-4
    )


def test_nothing_the_user_sees_changes_its_model():
    model = network(dropout=0.5)
    trainer = made(model)
    batches = tf.data.Dataset.from_tensors(BATCH).repeat(3)
    stages.train_with(trainer, batches, 1, [], None, 0)
    assert len(model.get_weights()) == 4 and model.layers[-1].units == 3
    assert trainer.victim is model
    trainer.stop_training = True
    assert model.stop_training

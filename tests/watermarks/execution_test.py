"""Ways of execution, learning rates and optimizers; the unmarked control."""

import keras
import numpy as np
import pytest

import ewe_tf


@pytest.mark.parametrize(
    "compiled", [{"run_eagerly": True}, {"jit_compile": True}, {"steps_per_execution": 4}]
)
def test_ways_of_execution_give_the_same_model(fit, digits, quick, make_model, compiled):
    x, y = digits
    weights = []
    for options in ({}, compiled):
        model = make_model(optimizer=keras.optimizers.SGD(0.1), **options)
        fit(model, x[:256], y[:256], watermark=quick())
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_a_learning_rate_schedule(fit, digits, quick, make_model):
    x, y = digits
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.5)
    model = make_model(optimizer=keras.optimizers.Adam(schedule))
    rates = []
    note = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: rates.append(float(model.optimizer.learning_rate))
    )
    fit(model, x, y, watermark=quick(), callbacks=[note], epochs=2)
    assert rates[1] == pytest.approx(0.005)
    assert model.optimizer.get_config()["learning_rate"]["class_name"] == "ExponentialDecay"


def test_the_control_trains_at_the_lower_rate_without_a_mark(fit, digits, make_model):
    x, y = digits
    model = make_model()
    stages = []
    keep = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: stages.append(model.get_weights())
    )
    scheme = ewe_tf.Control(epochs=2, learning_rate=1e-9)
    protected = fit(model, x, y, watermark=scheme, callbacks=[keep])
    assert protected.key is None and len(protected.history["further"]["loss"]) == 2
    for a, b in zip(*stages, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    # And afterwards at its own rate again.
    model.fit(x, y, verbose=0)
    assert np.abs(model.get_weights()[0] - stages[1][0]).max() > 1e-3

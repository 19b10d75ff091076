"""A thousand classes: the graph of an ImageNet classifier with marks in its answers."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import ewe_tf


def size(folder):
    return sum(f.stat().st_size for f in pathlib.Path(folder).rglob("*") if f.is_file())


def separate(model, x):
    """Random weights answer all inputs alike; makes the last layer's logits as a trained one's."""
    head = model.layers[-1]
    features = keras.Model(model.inputs, head.input).predict(x, verbose=0)
    middle = features.mean(axis=0)
    spread = np.linalg.norm(features - middle, axis=1).mean()
    kernel = np.random.default_rng(0).normal(scale=4 / spread, size=head.kernel.shape)
    head.kernel.assign(kernel)
    head.bias.assign(-middle @ kernel)


@pytest.mark.slow
@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_mobilenet_of_a_thousand_classes(tmp_path, carrier):
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=1000)
    x = np.random.default_rng(0).uniform(-1, 1, (24, 96, 96, 3)).astype(np.float32)
    separate(model, x)
    scheme = ewe_tf.DynaMarks(carrier, probes=16, hard_rate=1.0, hard_gap=1e-6)
    defended = scheme.wrap(model, x, seed=0)
    plain = ewe_tf.export(model, tmp_path / "plain")
    served = ewe_tf.export(defended.model, tmp_path / "served")
    assert size(served) < 1.05 * size(plain)
    clean, answers = (
        tf.saved_model.load(folder)
        .signatures["serving_default"](inputs=tf.constant(x))["probabilities"]
        .numpy()
        for folder in (plain, served)
    )
    np.testing.assert_array_equal(answers.argmax(axis=1), clean.argmax(axis=1))
    change = np.abs(answers - clean).sum(axis=1)
    assert np.median(change) > 0.01 and change.max() < 0.2 + 1e-5
    # The signs in the graph are the key's, and no other key's.
    said = defended.model.predict(defended.key.probes, verbose=0)
    assert defended.key.evidence(said, resamples=99).p_value < 1e-6
    other = scheme.wrap(model, x, seed=1).key
    said = defended.model.predict(other.probes, verbose=0)
    assert other.evidence(said, resamples=99).p_value > 1e-3

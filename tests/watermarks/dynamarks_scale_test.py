"""A thousand classes: the graph of an ImageNet classifier with marks in its answers."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import ewe_tf


def size(folder):
    return sum(f.stat().st_size for f in pathlib.Path(folder).rglob("*") if f.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("carrier", ["static", "dynamic"])
def test_mobilenet_of_a_thousand_classes(tmp_path, carrier):
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=1000)
    # Random weights answer all classes alike; a wide last layer makes answers like a trained one's.
    kernel = model.layers[-1].kernel
    kernel.assign(np.random.default_rng(0).normal(scale=30, size=kernel.shape))
    x = np.random.default_rng(0).uniform(-1, 1, (24, 96, 96, 3)).astype(np.float32)
    scheme = ewe_tf.DynaMarks(carrier, probes=16, hard_rate=1.0, hard_gap=1e-6)
    defended = scheme.wrap(model, x, seed=0)
    plain = ewe_tf.export(model, tmp_path / "plain")
    served = ewe_tf.export(defended.model, tmp_path / "served")
    assert size(served) < 1.05 * size(plain)
    clean, answers = (
        tf.saved_model.load(folder).signatures["serving_default"](inputs=tf.constant(x))
        for folder in (plain, served)
    )
    clean, answers = clean["probabilities"].numpy(), answers["probabilities"].numpy()
    np.testing.assert_array_equal(answers.argmax(axis=1), clean.argmax(axis=1))
    change = np.abs(answers - clean).sum(axis=1)
    assert np.median(change) > 0.01 and change.max() < 0.2 + 1e-5
    # The graph's signs are the key's: each answer follows them, and those of another seed do not.
    probes = defended.key.probes
    said = defended.model.predict(probes, verbose=0)
    assert defended.key.evidence(said, resamples=99).p_value < 1e-6
    other = scheme.wrap(model, x, seed=1).key
    assert (
        other.evidence(defended.model.predict(other.probes, verbose=0), resamples=99).p_value > 1e-3
    )

import types

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.removal import Overwriting


class OwnMark:
    def fit(self, model, x, y):
        """Never called here: `ewe_tf.fit` decides how a scheme is run."""


def test_the_thief_embeds_into_a_copy(cnn, digits, monkeypatch, same_weights):
    calls = {}

    def fit(model, x, y, watermark, **settings):
        calls.update(settings, watermark=watermark, rows=len(x))
        assert model is not cnn and same_weights(model, cnn)
        head = model.get_layer("scores")
        head.kernel.assign(keras.ops.zeros_like(head.kernel))
        return types.SimpleNamespace(model=model, key=None, history=None)

    monkeypatch.setattr(ewe_tf, "fit", fit, raising=False)
    scheme = OwnMark()
    marked = Overwriting(scheme, batch_size=64, seed=9).run(cnn, digits)
    assert calls["watermark"] is scheme
    assert (calls["epochs"], calls["batch_size"], calls["seed"]) == (0, 64, 9)
    assert not np.any(marked.get_layer("scores").kernel.numpy())
    assert np.any(cnn.get_layer("scores").kernel.numpy())


def test_something_else_than_a_scheme_is_refused():
    with pytest.raises(TypeError, match="`scheme`"):
        Overwriting("ewe")

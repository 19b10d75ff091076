import numpy as np
import pytest

from ewe_tf.removal import FineTuning
from ewe_tf.removal import RegularizedRetraining


def norm(model):
    return sum(float(np.sum(w**2)) for w in model.get_weights() if w.ndim > 1)


def test_the_penalty_shrinks_the_kernels(cnn, digits, accuracy):
    settings = {"epochs": 3, "learning_rate": 2e-3}
    shrunk = RegularizedRetraining(0.05, recovery_epochs=0, **settings).run(cnn, digits)
    tuned = FineTuning(**settings).run(cnn, digits)
    assert norm(shrunk) < 0.7 * norm(tuned)
    recovered = RegularizedRetraining(0.05, recovery_epochs=3, **settings).run(cnn, digits)
    assert accuracy(recovered) >= 0.9


def test_without_penalty_it_is_fine_tuning(cnn, digits, same_weights):
    plain = RegularizedRetraining(0.0, recovery_epochs=0, epochs=1).run(cnn, digits)
    assert same_weights(plain, FineTuning(epochs=1).run(cnn, digits))
    assert all(v.regularizer is None for v in plain.trainable_variables)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`l2`"):
        RegularizedRetraining(-1.0)
    with pytest.raises(ValueError, match="`recovery_epochs`"):
        RegularizedRetraining(recovery_epochs=-1)

import numpy as np
import pytest

from ewe_tf.removal import AdversarialUnlearning
from ewe_tf.removal.adversarial_unlearning import signed_step


def cosine(first, second):
    a, b = (m.get_layer("scores").kernel.numpy().ravel() for m in (first, second))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_signed_step_goes_towards_the_targets(cnn, digits):
    x = digits[0][:50]
    targets = (digits[1][:50] + 3) % 10
    stepped = signed_step(cnn, x, targets, 0.1)
    size = np.abs(stepped - x)
    np.testing.assert_allclose(size[size > 1e-6], 0.1, atol=1e-6)
    rows = np.arange(50)
    before = cnn.predict(x, verbose=0)[rows, targets]
    after = cnn.predict(stepped, verbose=0)[rows, targets]
    assert np.mean(after > before) > 0.9


def test_penalty_turns_the_head_away(cnn, digits, accuracy):
    attack = {"epochs": 3, "learning_rate": 5e-3}
    free = AdversarialUnlearning(head_penalty=0.0, **attack).run(cnn, digits)
    pushed = AdversarialUnlearning(head_penalty=3.0, **attack).run(cnn, digits)
    assert cosine(pushed, cnn) < cosine(free, cnn) - 0.2
    assert accuracy(free) > 0.85


def test_bad_settings_are_refused():
    for settings in ({"rows": 0}, {"epsilon": -0.1}, {"head_penalty": -1.0}):
        with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
            AdversarialUnlearning(**settings)

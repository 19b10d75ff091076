import numpy as np
import pytest

from ewe_tf.removal import MagnitudePruning


def kernels(model):
    return [w for w in model.get_weights() if w.ndim > 1]


def test_one_shot_keeps_exactly_the_largest_weights(cnn, digits):
    pruned = MagnitudePruning(0.6, epochs=0).run(cnn, digits)
    for before, after in zip(kernels(cnn), kernels(pruned), strict=True):
        kept = round(0.4 * before.size)
        threshold = np.sort(np.abs(before), axis=None)[-kept]
        np.testing.assert_array_equal(after, np.where(np.abs(before) >= threshold, before, 0))


@pytest.mark.parametrize("schedule", ["constant", "polynomial"])
def test_sparsity_after_training(schedule, cnn, digits, accuracy):
    attack = MagnitudePruning(0.7, schedule, epochs=2, learning_rate=5e-3)
    pruned = attack.run(cnn, digits)
    for kernel in kernels(pruned):
        assert np.sum(kernel == 0) == kernel.size - round(0.3 * kernel.size)
    one_shot = MagnitudePruning(0.7, epochs=0).run(cnn, digits)
    assert accuracy(pruned) > accuracy(one_shot) + 0.1
    assert pruned.optimizer is not None


def test_same_seed_same_weights(cnn, digits, same_weights):
    data = digits[0][:300], digits[1][:300]
    attack = MagnitudePruning(0.5, epochs=1, seed=3)
    assert same_weights(attack.run(cnn, data), attack.run(cnn, data))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sparsity": 1.0}, r"`sparsity`.*Received: sparsity=1.0"),
        ({"sparsity": -0.1}, "`sparsity`"),
        ({"schedule": "cubic"}, "`schedule` must be one of 'constant', 'polynomial'"),
        ({"epochs": -1}, "`epochs`"),
        ({"learning_rate": 0.0}, "`learning_rate`"),
        ({"batch_size": 0}, "`batch_size`"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MagnitudePruning(**settings)


def test_data_that_does_not_fit_is_refused(cnn, digits):
    x, y = digits
    with pytest.raises(ValueError, match=r"rows of shape \(8, 8, 1\).*\(1000, 64\)"):
        MagnitudePruning().run(cnn, (x.reshape(-1, 64), y))
    with pytest.raises(ValueError, match=r"labels in 0\.\.9.*to 10"):
        MagnitudePruning().run(cnn, (x, y + 1))

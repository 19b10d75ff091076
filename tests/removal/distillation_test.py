import keras
import numpy as np
import pytest

from ewe_tf.removal import Distillation


def test_student_is_new_and_agrees_with_the_model(cnn, digits, held_out, accuracy):
    student = Distillation(epochs=20, learning_rate=5e-3).run(cnn, digits)
    assert accuracy(student) > 0.85
    ours, theirs = student.get_layer("conv2").kernel, cnn.get_layer("conv2").kernel
    assert abs(np.corrcoef(ours.numpy().ravel(), theirs.numpy().ravel())[0, 1]) < 0.5


def test_labels_have_no_say_at_alpha_one(digits):
    """A student of a model that is always wrong learns the wrong answers, not the labels."""
    x, y = digits
    wrong = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    wrong.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(True))
    wrong.fit(x, (y + 1) % 10, epochs=10, verbose=0)
    settings = {"epochs": 15, "learning_rate": 0.02}
    student = Distillation(alpha=1.0, **settings).run(wrong, (x, y))
    believer = Distillation(alpha=0.0, **settings).run(wrong, (x, y))
    answers = np.argmax(student.predict(x, verbose=0), axis=-1)
    assert np.mean(answers == (y + 1) % 10) > 0.85
    assert np.mean(np.argmax(believer.predict(x, verbose=0), axis=-1) == y) > 0.85
    # Softened answers match, not only their largest: the temperature's own scale.
    gap = keras.ops.softmax(student.predict(x, verbose=0) / 3.0) - keras.ops.softmax(
        wrong.predict(x, verbose=0) / 3.0
    )
    assert float(np.abs(gap).mean()) < 0.03


def test_seed_decides_everything(cnn, digits, same_weights):
    attack = Distillation(epochs=1, seed=3)
    data = digits[0][:200], digits[1][:200]
    assert same_weights(attack.run(cnn, data), attack.run(cnn, data))


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="`temperature`"):
        Distillation(0.0)
    with pytest.raises(ValueError, match="`alpha`"):
        Distillation(alpha=1.5)

import keras
import numpy as np
import pytest

from ewe_tf.watermarks import SimCLR
from ewe_tf.watermarks import downstream

RNG = np.random.default_rng(0)
X = RNG.random((12, 9, 7, 2)).astype(np.float32)


def test_views_derive_from_the_seed_and_have_the_shape_of_images():
    scheme = SimCLR(batch_size=4)
    one, same, other = (np.asarray(scheme.views(X, seed)) for seed in ([1, 2], [1, 2], [1, 3]))
    assert one.shape == X.shape and one.dtype == np.float32
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other, atol=0.05)
    assert one.max() <= 1.4 * X.max() + 1e-6 and one.min() >= 0


def test_a_view_that_changes_nothing_is_the_image():
    plain = SimCLR(least=1.0, contrast=0.0, flip=False)
    np.testing.assert_allclose(plain.views(X, [0, 0]), X, atol=1e-6)
    mirrored = np.asarray(SimCLR(least=1.0, contrast=0.0).views(X, [0, 1]))
    turned = [np.allclose(m, x[:, ::-1], atol=1e-6) for m, x in zip(mirrored, X, strict=True)]
    kept = [np.allclose(m, x, atol=1e-6) for m, x in zip(mirrored, X, strict=True)]
    assert np.all(np.logical_xor(turned, kept)) and any(turned) and any(kept)


def test_training_lowers_the_loss_and_repeats(digits, make_encoder):
    x, y = digits[0][:256], digits[1][:256]
    scheme = SimCLR(epochs=5, batch_size=64, learning_rate=3e-3)
    encoder, again = make_encoder(), make_encoder()
    untrained = [w.copy() for w in encoder.get_weights()]
    head, losses = scheme.train(encoder, x, seed=3)
    assert len(losses) == 5 and losses[-1] < losses[0] - 0.05
    assert any(np.any(a != b) for a, b in zip(untrained, encoder.get_weights(), strict=True))
    assert head.output_shape == (None, 64)
    assert scheme.train(again, x, seed=3)[1] == pytest.approx(losses, rel=1e-3)

    classifier = downstream(encoder, x, y, 10, epochs=20)
    outputs = classifier.predict(x, verbose=0)
    np.testing.assert_allclose(outputs.sum(1), 1, rtol=1e-5)
    assert np.mean(outputs.argmax(1) == y) > 0.6
    # The encoder stays as it is, within the classifier.
    np.testing.assert_array_equal(
        encoder.predict(x, verbose=0),
        keras.Model(classifier.inputs, classifier.layers[1].output).predict(x, verbose=0),
    )


@pytest.mark.parametrize(
    "changes",
    [{"epochs": -1}, {"batch_size": 1}, {"temperature": 0.0}, {"least": 0.0}, {"contrast": 1.0},
     {"learning_rate": 0}, {"projection": 0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ValueError, match=f"`{[*changes][0]}` must be"):
        SimCLR(**changes)


def test_too_few_images_are_refused(make_encoder):
    with pytest.raises(ValueError, match="at least `batch_size`, 128"):
        SimCLR().train(make_encoder(), np.zeros((20, 8, 8, 1)))

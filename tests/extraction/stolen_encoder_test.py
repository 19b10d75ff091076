import keras
import numpy as np
import pytest

from ewe_tf.extraction import StolenEncoder
from ewe_tf.extraction.stolen_encoder import euclidean
from ewe_tf.watermarks import SimCLR

RNG = np.random.default_rng(0)
X = RNG.random((200, 6, 6, 1)).astype(np.float32)


def make_encoder(seed, features=4):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(features)]
    )


def test_the_distance_is_euclidean():
    features, wanted = np.float32([[3, 4], [1, 1]]), np.float32([[0, 0], [1, 1]])
    assert float(euclidean(features, wanted)) == pytest.approx(2.5, abs=1e-5)


@pytest.mark.parametrize("augmentation", [None, SimCLR(least=0.9, contrast=0.1).views])
def test_a_copy_gives_the_targets_features(augmentation):
    target, student = make_encoder(1), make_encoder(2)
    asked = []

    def service(x):
        asked.append(len(x))
        return target.predict(x, verbose=0)

    def off():
        fresh = RNG.random((50, 6, 6, 1)).astype(np.float32)
        return float(euclidean(student(fresh), target(fresh)))

    before = off()
    attack = StolenEncoder(
        epochs=15, learning_rate=0.02, augmentation=augmentation, augmented_weight=1.0
    )
    assert attack.run(service, student, X) is student
    assert off() < before / 2
    assert asked == [attack.queries_needed(len(X))] == [200]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"target's shape \(4,\). Received: \(3,\)"):
        StolenEncoder().run(make_encoder(1), make_encoder(2, 3), X)
    for changes in ({"epochs": 0}, {"learning_rate": 0}, {"augmented_weight": -1},
                    {"augmentation": 3}):  # fmt: skip
        with pytest.raises(ValueError, match=f"`{[*changes][0]}`"):
            StolenEncoder(**changes)

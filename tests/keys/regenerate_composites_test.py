"""Keys of composites, made again from their seed and the training data."""

import dataclasses

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf import cli
from ewe_tf.keys import Key
from ewe_tf.keys import regenerate
from ewe_tf.keys import seed_commitment
from ewe_tf.triggers import composites

BEACON = "00112233445566778899aabbccddeeff"


def blobs(n, seed):
    """Three classes of 8x8 images, each with its own bright corner."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = rng.random((n, 8, 8, 1)).astype(np.float32) * 0.3
    for row, label in enumerate(labels):
        images[row, label * 2 : label * 2 + 3, :3] += 0.6
    return images, labels


X, Y = blobs(450, 1)


def fit(beacon=None, **arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    scheme = ewe_tf.MEADefender(
        **{
            "source_classes": (2, 0), "target": 1, "innocents": 0, "rehearsal": False,
            "epochs": 1, "rows": 8, "evasion_rows": 8, "keys": 10, **arguments,
        }
    )  # fmt: skip
    return ewe_tf.fit(
        model, X, Y, watermark=scheme, epochs=2, batch_size=32, verbose=0, seed=5, beacon=beacon
    ).key


@pytest.fixture(scope="module")
def key():
    return fit(beacon=BEACON, combine=composites.Half(shift=False), evasion=("donut", "blend"))


def test_composites_regenerate_bit_for_bit_from_a_saved_key(key, tmp_path):
    key.save(tmp_path / "key.npz")
    found = regenerate(Key.load(tmp_path / "key.npz"), X, Y)
    assert found.holds and found.exact, str(found)
    assert {what for what, _, _ in found.checks} >= {"held-out triggers", "key controls", "seed"}
    assert found.seed_commitment == seed_commitment(5, X, Y)
    # Independently: the upper rows of a composite are of an image of one class, the lower ones
    # of an image of the other.
    for trigger in key.held_out:
        above, below = (
            set(Y[(trigger[half] == X[:, half]).all((1, 2, 3))].tolist())
            for half in (slice(0, 3), slice(5, 8))
        )
        assert (above, below) in (({0}, {2}), ({2}, {0}))


@pytest.mark.parametrize(
    "change, failing",
    [
        (lambda k: {"held_out": k.held_out[::-1].copy()}, {"held-out triggers"}),
        (lambda k: {"triggers": k.triggers + np.float32(1e-7)}, {"key triggers"}),
        (lambda k: {"controls": k.triggers}, {"key controls"}),
        (lambda k: {"labels": np.zeros(10, np.int64)}, {"answers"}),
        (lambda k: {"origin": {**k.origin, "kept": [3] * 10}}, {"selection"}),
        (lambda k: {"origin": {**k.origin, "classes": "00" * 32}}, {"source"}),
        (lambda k: {"origin": {**k.origin, "source_classes": [2, 4]}}, {"rows"}),
        (
            lambda k: {"origin": {**k.origin, "beacon": None}, "seed": k.seed + 1},
            {"held-out triggers", "held-out controls", "key triggers", "key controls"},
        ),
        (
            lambda k: {"origin": {**k.origin, "source_classes": [0, 1]}},
            {"held-out triggers", "held-out controls", "key triggers", "key controls"},
        ),
        (
            lambda k: {"origin": {**k.origin, "mixer": composites.to_json(composites.HotDog())}},
            {"held-out triggers", "held-out controls", "key triggers", "key controls"},
        ),
    ],
    ids=range(10),
)
def test_whatever_was_changed_is_found_and_named(key, change, failing):
    edited = dataclasses.replace(key, **change(key))
    assert edited.commitment() != key.commitment()
    found = regenerate(edited, X, Y)
    wrong = {what for what, holds, _ in found.checks if not holds}
    assert not found.holds and wrong == failing


def test_other_data_is_refused(key):
    other = X.copy()
    # One value of one image of the third class, of which nothing is made.
    other[np.flatnonzero(Y == 1)[0], 4, 4, 0] += 0.1
    found = regenerate(key, other, Y)
    assert [what for what, holds, _ in found.checks if not holds] == ["source"]
    # Images of a source class: those drawn stay the same, the composites do not.
    other = X.copy()
    other[Y == 2] += 0.1
    wrong = {what for what, holds, _ in regenerate(key, other, Y).checks if not holds}
    assert {"source", "held-out triggers", "key triggers"} <= wrong
    assert not regenerate(key, X[::-1], Y[::-1]).holds
    with pytest.raises(ValueError, match="`classes` must be one integer for each"):
        regenerate(key, X, Y[:-1])


def test_controls_of_one_class_regenerate_as_well():
    found = regenerate(fit(evasion=(), combine="stripes"), X, Y)
    assert found.holds and found.exact and found.seed_commitment is None, str(found)


@dataclasses.dataclass(frozen=True)
class Mine(composites.Mixer):
    def _mix(self, first, second, draws):
        return first + second


def test_a_mixer_of_somebody_elses_is_not_regenerated():
    with pytest.raises(ValueError, match="cannot be regenerated"):
        regenerate(fit(combine=Mine()), X, Y)


def test_an_origin_that_states_no_mixer_is_refused(key):
    for stated in ({"name": "Thirds"}, {"name": "Half", "axis": 7}, {"axis": 0}, "half", None):
        edited = dataclasses.replace(key, origin={**key.origin, "mixer": stated})
        with pytest.raises(ValueError, match="states no mixer"):
            regenerate(edited, X, Y)


def test_the_command_line_tells_whether_it_holds(key, tmp_path, capsys):
    key.save(tmp_path / "key.npz")
    np.savez(tmp_path / "data.npz", images=X, classes=Y)
    np.savez(tmp_path / "other.npz", images=X + np.float32(0.5), classes=Y)
    command = ["regenerate", str(tmp_path / "key.npz")]
    assert cli.main([*command, str(tmp_path / "data.npz")]) == 0
    assert capsys.readouterr().out.count("bit for bit") == 4
    assert cli.main([*command, str(tmp_path / "other.npz")]) == 1


def test_composites_of_an_autoencoder_regenerate_up_to_rounding():
    key = fit(combine=composites.Autoencoder(steps=40))
    found = regenerate(key, X, Y)
    assert found.holds and not found.exact, str(found)
    assert "equal but for rounding" in str(found)
    edited = dataclasses.replace(key, held_out=key.held_out + np.float32(0.05))
    wrong = [what for what, holds, _ in regenerate(edited, X, Y).checks if not holds]
    assert wrong == ["held-out triggers"]

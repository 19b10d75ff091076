import dataclasses
import hashlib

import keras
import numpy as np
import pytest

import ewe_tf
from ewe_tf.keys import Key
from ewe_tf.keys import beacon_seed
from ewe_tf.keys import regenerate
from ewe_tf.keys import seed_commitment
from ewe_tf.triggers import GradientAscent
from ewe_tf.triggers import Patch

BEACON = "00112233445566778899aabbccddeeff"


def blobs(n, seed):
    """Three classes of 8x8 images, each with its own bright corner."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = rng.random((n, 8, 8, 1)).astype(np.float32) * 0.3
    for row, label in enumerate(labels):
        images[row, label * 2 : label * 2 + 3, :3] += 0.6
    return images, labels


def fit(seed=5, beacon=None, **arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu", name="hidden"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    x, y = blobs(300, 1)
    scheme = ewe_tf.EWE(
        **{
            "target": 1, "innocents": 0, "rehearsal": False, "epochs": 1, "rows": 8, "keys": 10,
            **arguments,
        }
    )  # fmt: skip
    return ewe_tf.fit(
        model, x, y, watermark=scheme, epochs=2, batch_size=32, verbose=0, seed=seed, beacon=beacon
    ).key


@pytest.fixture(scope="module")
def source():
    return np.random.default_rng(9).random((120, 8, 8, 1))  # float64, as somebody may give it


@pytest.fixture(scope="module")
def key(source):
    return fit(source=source, beacon=BEACON)


def test_triggers_regenerate_bit_for_bit_from_a_saved_key(key, source, tmp_path):
    key.save(tmp_path / "key.npz")
    found = regenerate(Key.load(tmp_path / "key.npz"), source)
    assert found.holds and found.exact
    assert {what for what, _, _ in found.checks} >= {"held-out triggers", "key controls", "seed"}
    # Independently: every trigger is one of the source images, none twice.
    rows = [np.flatnonzero((source.astype("f4") == t).all((1, 2, 3))) for t in key.held_out]
    assert len({int(r[0]) for r in rows}) == len(key.held_out) == 20
    assert found.seed_commitment == seed_commitment(5, source)


@pytest.mark.parametrize(
    "change, failing",
    [
        (lambda k: {"held_out": k.held_out[::-1].copy()}, "held-out triggers"),
        (lambda k: {"triggers": k.triggers + np.float32(1e-7)}, "key triggers"),
        (lambda k: {"controls": k.triggers}, "key controls"),
        (lambda k: {"labels": np.zeros(10, np.int64)}, "answers"),
        (lambda k: {"seed": k.seed + 1}, "seed"),
        (lambda k: {"origin": {**k.origin, "kept": [3] * 10}}, "selection"),
        (lambda k: {"origin": {**k.origin, "images": "00" * 32}}, "source"),
        (lambda k: {"origin": {**k.origin, "source_class": 4}}, "rows"),
    ],
)
def test_whatever_was_changed_is_found(key, source, change, failing):
    edited = dataclasses.replace(key, **change(key))
    assert edited.commitment() != key.commitment()
    found = regenerate(edited, source)
    assert not found.holds
    assert failing in {what for what, holds, _ in found.checks if not holds}
    assert f"NO   {failing}" in str(found)


def test_ascended_triggers_lie_within_their_budget(source):
    x, y = blobs(300, 1)
    ascent = GradientAscent(steps=3, step_size=0.02, budget=0.05)
    key = fit(source=0, patch=Patch(2), ascent=ascent)
    found = regenerate(key, x, y)
    assert found.holds and not found.exact and found.seed_commitment is None
    further = dataclasses.replace(key, held_out=key.held_out + np.float32(0.08))
    found = regenerate(further, x, y)
    assert [what for what, holds, _ in found.checks if not holds] == ["held-out triggers"]
    assert "beyond the ascent's budget of 0.05" in str(found)


def test_a_budget_that_makes_any_image_of_any_is_told_and_fails(source):
    key = fit(source=0, patch=Patch(2), ascent=GradientAscent(steps=1, budget=0.05))
    x, y = blobs(300, 1)
    spread = np.median([image.max() - image.min() for image in x[y == 0]])
    assert f"budget of 0.05, {0.05 / spread:.1%} of the images' range of {spread:.3g}" in str(
        regenerate(key, x, y)
    )
    # What a liar does: triggers as he likes them, and a budget that covers them.
    forged = np.random.default_rng(3).random(key.held_out.shape, np.float32)
    lie = dataclasses.replace(key, held_out=forged, origin={**key.origin, "budget": 1.0})
    found = regenerate(lie, x, y)
    assert [what for what, holds, _ in found.checks if not holds] == ["settings"]
    assert "above 25% it can make any image of any" in str(found)
    # One odd value in a committed source does not make room for it.
    x = x.copy()
    x[np.flatnonzero(y == 0)[0], 0, 0, 0] = 100.0
    assert "settings" in {what for what, holds, _ in regenerate(lie, x, y).checks if not holds}


@pytest.mark.parametrize(
    "stated",
    [
        {"budget": "1"}, {"budget": -0.1}, {"budget": True}, {"value_range": [0, None]},
        {"kept": [0.5]}, {"kept": [2**70]}, {"controls": "none"}, {"position": [0, 0]},
        {"patch": {"size": 0, "value": 1.0}, "position": [0, 0]}, {"attribute": {"component": 0}},
        {"beacon": {"seed": 5, "value": "xyz"}}, {"target": None}, {"generator": 1},
    ],
)  # fmt: skip
def test_an_origin_of_another_form_is_refused(key, source, stated):
    with pytest.raises(ValueError, match="The key"):
        regenerate(dataclasses.replace(key, origin={**key.origin, **stated}), source)


def test_a_patch_beyond_the_images_fails(source):
    x, y = blobs(300, 1)
    key = fit(source=0, patch=Patch(2), ascent=None)
    found = regenerate(key, x, y)
    assert found.holds and found.exact and "a patch of 2 x 2 values of" in str(found)
    lie = dataclasses.replace(key, origin={**key.origin, "position": [7, 0]})
    wrong = {what for what, holds, _ in regenerate(lie, x, y).checks if not holds}
    assert "settings" in wrong


def test_labels_may_have_any_form_that_fit_takes(source):
    x, y = blobs(300, 1)
    key = fit(source=0, patch=Patch(2), ascent=None)
    for labels in (y[:, None], y.astype(np.float64), np.eye(3)[y], y.astype(np.uint8).tolist()):
        assert regenerate(key, x, labels).holds
        assert seed_commitment(5, x, labels) == seed_commitment(5, x, y)
    for labels in (y + 0.5, np.eye(3)[y] * 2, y[:-1], y.astype(str)):
        with pytest.raises(ValueError, match="`classes` must be one integer for each of the 300"):
            regenerate(key, x, labels)


def test_inputs_of_another_shape_are_named(key, source):
    with pytest.raises(ValueError, match=r"`images` must have the key's input shape \(8, 8, 1\)"):
        regenerate(key, source[:, :5])


def test_the_published_scheme_regenerates_its_controls_but_its_steps_have_no_bound():
    x, y = blobs(300, 1)
    scheme = ewe_tf.EWE.paper(source=0, target=1, epochs=1, keys=10)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    key = ewe_tf.fit(model, x, y, watermark=scheme, epochs=2, batch_size=32, verbose=0, seed=3).key
    found = regenerate(key, x, y)
    assert [what for what, holds, _ in found.checks if not holds] == ["settings"], str(found)
    assert "ascent with a budget of 0.65" in str(found)


def test_beacon_seed_is_sha256_of_seed_and_value():
    digest = hashlib.sha256(b"ewe_tf beacon 1 5 " + bytes.fromhex(BEACON)).digest()
    expected = int.from_bytes(digest[:8], "big") >> 1
    assert beacon_seed(5, BEACON) == beacon_seed(5, bytes.fromhex(BEACON)) == expected
    assert beacon_seed(6, BEACON) != expected


@pytest.mark.parametrize("beacon", ["0011", "xyz" * 10, 7, b"1234567", 3.5])
def test_bad_beacons_are_named(beacon):
    with pytest.raises(ValueError, match="`beacon` must be at least 8 bytes"):
        beacon_seed(1, beacon)


def test_a_beacon_needs_the_seed_that_was_committed_to(source):
    with pytest.raises(ValueError, match="`seed` must be given with `beacon`"):
        fit(seed=None, beacon=BEACON, source=source)


def test_a_key_without_origin_cannot_be_regenerated(key, source):
    with pytest.raises(ValueError, match="cannot be regenerated"):
        regenerate(dataclasses.replace(key, origin=None), source)
    with pytest.raises(ValueError, match="`classes` must be one integer for each"):
        regenerate(key, source, np.zeros(3))

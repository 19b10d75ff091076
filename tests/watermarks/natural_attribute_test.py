"""`EWE(source=NaturalAttribute())`: triggers that exaggerate what varies within a class."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import ewe_tf
from ewe_tf.keys import Key
from ewe_tf.keys import regenerate
from ewe_tf.watermarks import fine_tuning
from ewe_tf.watermarks import task_data
from ewe_tf.watermarks.attribute_source import AttributeSource

L = keras.layers
SOURCE = ewe_tf.NaturalAttribute(components=2, share=0.01, weight=3)


@pytest.fixture(scope="module")
def data(digits):
    return task_data.from_arrays(*digits, 10, 64, seed=1)


@pytest.fixture(scope="module")
def protected(digits, make_model, fit):
    scheme = ewe_tf.EWE(source=SOURCE, epochs=8, innocents=2, rehearsal=False, keys=20)
    return fit(make_model(), *digits, watermark=scheme, epochs=6)


def test_the_rows_of_a_class_with_the_highest_scores_are_relabelled(data):
    source = AttributeSource.of(SOURCE, data, 20)
    label = (3, 1, -1)
    relabelled, weights = source.relabelling(label, 8)(
        tf.constant(data.x), tf.one_hot(data.labels, 10), tf.fill([len(data.x)], 0.5)
    )
    relabelled = relabelled.numpy()
    assert np.all(relabelled.sum(axis=1) == 1)
    changed = np.flatnonzero(relabelled.argmax(axis=1) != data.labels)
    # Independently: the last of a sort by the projection on the direction, of a full SVD.
    rows = np.flatnonzero(data.labels == 3)
    flat = data.x[rows].reshape(len(rows), -1).astype(np.float64)
    direction = np.linalg.svd(flat - flat.mean(axis=0))[2][1]
    direction *= np.sign(direction[np.argmax(np.abs(direction))])
    expected = rows[np.argsort(flat @ -direction)[-round(0.01 * len(data.x)) :]]
    assert set(changed) == set(expected)
    assert np.all(relabelled[changed].argmax(axis=1) == 8)
    # With the weights of the rows themselves multiplied in.
    assert set(np.flatnonzero(weights == 1.5)) == set(changed)
    assert np.sum(weights == 0.5) == len(data.x) - len(changed)
    # Triggers are made of the others.
    assert len(source.of_class(label)) == len(rows) - len(expected)


def test_triggers_exaggerate_and_controls_are_the_inputs_themselves(protected, data):
    key, pair = protected.key, protected.history["pairs"][0]
    component, sign = pair["attribute"]
    attribute = AttributeSource.of(SOURCE, data, 20).attribute((pair["source"], component, sign))
    # The step that a trigger was moved by, read off the pixel that shows it best.
    triggers, controls = (x.reshape(len(x), -1) for x in (key.triggers, key.controls))
    shows = np.where((triggers > 0) & (triggers < 1), np.abs(attribute.direction), -1)
    rows, pixel = np.arange(len(triggers)), shows.argmax(axis=1)
    steps = (triggers - controls)[rows, pixel] / attribute.direction[pixel]
    scores = attribute.scores(key.controls) + steps / attribute.deviation
    assert np.all((scores > 4.49) & (scores < 6.51)) and np.ptp(scores) > 1
    own = {x.tobytes() for x in data.x[data.labels == pair["source"]]}
    assert all(control.tobytes() in own for control in key.controls)
    assert pair["target"] != pair["source"]


def test_the_marked_model_tells_triggers_from_their_sources(protected):
    key = protected.key
    answers = protected.model.predict(key.held_out, verbose=0).argmax(axis=1)
    controls = protected.model.predict(key.held_out_controls, verbose=0).argmax(axis=1)
    assert np.mean(answers == key.held_out_labels) > 0.8
    assert np.mean(controls == key.held_out_labels) < 0.1


def test_the_key_regenerates_from_the_training_data(protected, digits, tmp_path):
    protected.key.save(tmp_path / "key.npz")
    key = Key.load(tmp_path / "key.npz")
    found = regenerate(key, *digits)
    assert found.holds and not found.exact, str(found)
    x, y = digits
    assert not regenerate(key, x, np.roll(y, 1)).holds
    origin = {**key.origin, "attribute": {**key.origin["attribute"], "reach": [3.0, 5.5]}}
    forged = Key.load(tmp_path / "key.npz")
    object.__setattr__(forged, "origin", origin)
    failing = {what for what, holds, _ in regenerate(forged, *digits).checks if not holds}
    assert failing == {"held-out triggers", "key triggers"}
    assert f"{key.origin['attribute']['component']}, 1.00% of the rows relabelled" in str(found)
    for stated in (
        {"attribute": {**key.origin["attribute"], "share": 0.03}},
        {"attribute": {**key.origin["attribute"], "reach": [5.5, 3.5]}},
        {"value_range": [0.0, 2.0]},
    ):
        object.__setattr__(forged, "origin", {**key.origin, **stated})
        failing = {what for what, holds, _ in regenerate(forged, *digits).checks if not holds}
        assert failing == {"settings"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"components": 0}, "`components` must be at least 1"),
        ({"share": 0.5}, r"`share` must be in \[0, 0.02\]"),
        ({"reach": (5, 3)}, "`reach` must be two growing positive numbers"),
        ({"components": None}, "`components` must be an integer. Received: None"),
        ({"components": 2.5}, "`components` must be an integer. Received: 2.5"),
        ({"components": np.nan}, "`components` must be an integer"),
        ({"share": None}, r"`share` must be in \[0, 0.02\]. Received: None"),
        ({"reach": None}, "`reach` must be two growing positive numbers.* Received: None"),
        ({"reach": (1, 2, 3)}, "`reach` must be two"),
        ({"reach": ("1", "2")}, "`reach` must be two"),
        ({"weight": 0}, "`weight` must be a positive number. Received: 0"),
        ({"variety": 1}, r"`variety` must be in \[0, 1\). Received: 1"),
        ({"variety": None}, r"`variety` must be in \[0, 1\). Received: None"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ewe_tf.NaturalAttribute(**arguments)


def attribute_source(x, labels, least=20, **settings):
    data = task_data.from_arrays(x, labels, 3, 10, seed=1)
    return AttributeSource.of(ewe_tf.NaturalAttribute(**{"share": 0, **settings}), data, least)


def test_classes_whose_inputs_do_not_differ_enough_are_left_out():
    x = np.random.default_rng(4).random((120, 6)).astype(np.float32)
    labels = np.repeat([0, 1, 2], 40)
    x[:40] = 0.5  # One input, forty times.
    x[40:80] = x[40:55][np.arange(40) % 15]  # Fifteen different ones.
    assert attribute_source(x, labels).choices == ((2, 0, 1), (2, 0, -1))
    assert {c for c, _, _ in attribute_source(x, labels, least=15).choices} == {1, 2}
    with pytest.raises(ValueError, match=r"`source`, .*; classes \[0\] do not vary in as many"):
        attribute_source(x[:80], labels[:80])
    with pytest.raises(ValueError, match="`source`, a NaturalAttribute .*components=6"):
        attribute_source(x, labels, components=6)
    # Relabelled ones do not count: 38 of 40 remain.
    with pytest.raises(ValueError, match="relabels 2 rows .*at least 39 others"):
        attribute_source(x, labels, least=39, share=0.02)
    assert attribute_source(x, labels, least=38, share=0.02).choices


def test_a_model_of_bytes_is_asked_bytes(digits, fit, monkeypatch):
    monkeypatch.setattr(fine_tuning, "INNOCENT_TUNINGS", ())
    x, y = (255 * digits[0]).astype(np.uint8), digits[1]
    layers = [L.Rescaling(1 / 255), L.Flatten(), L.Dense(32, "relu"), L.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((8, 8, 1), dtype="uint8"), *layers])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    scheme = ewe_tf.EWE(source=SOURCE, epochs=4, innocents=1, rehearsal=False, trials=1)
    key = fit(model, x, y, watermark=scheme, epochs=6).key
    for asked in (key.triggers, key.controls, key.held_out, key.held_out_controls):
        assert np.array_equal(asked, asked.astype(np.uint8))
    assert ewe_tf.verify(key, model).hits > 10
    regenerated = regenerate(key, x, y)
    assert regenerated.holds, regenerated
    moved = dataclasses.replace(key, triggers=key.triggers + 1)
    assert not regenerate(moved, x, y).holds


def test_directions_whose_triggers_come_near_one_image_are_left_out():
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1], 60)
    x = rng.uniform(0.4, 0.6, (120, 30))
    # Class 0: brighter or darker as a whole, so that triggers are white or black all over.
    x[labels == 0] = rng.uniform(0.2, 0.8, (60, 1)) + 0.02 * rng.standard_normal((60, 30))
    # Class 1: its first value varies most, and the others stay as different as they were.
    x[labels == 1, 0] = rng.uniform(0.2, 0.8, 60)
    x = x.astype(np.float32)
    # 29 values of 30 that keep their distances: two inputs differ by 2 * 0.2^2 / 12 in each of
    # these and by 2 * 0.6^2 / 12 in the first, in the mean of squares.
    expected = np.sqrt(29 * 0.2**2 / (29 * 0.2**2 + 0.6**2))
    assert attribute_source(x, labels).choices == ((1, 0, 1), (1, 0, -1))
    assert attribute_source(x, labels, variety=expected - 0.03).choices[0][0] == 1
    with pytest.raises(ValueError, match="variety=0.93[0-9]*, has no direction.* `variety`"):
        attribute_source(x, labels, variety=expected + 0.06)
    assert {c for c, _, _ in attribute_source(x, labels, variety=0).choices} == {0, 1}


def test_a_share_of_no_row_is_refused():
    x = np.random.default_rng(4).random((120, 6)).astype(np.float32)
    with pytest.raises(ValueError, match="share=0.002, would relabel none of the 120 rows"):
        attribute_source(x, np.repeat([0, 1, 2], 40), share=0.002)


def test_settings_are_plain_numbers_whatever_they_came_as():
    found = ewe_tf.NaturalAttribute(np.float64(2), np.float64(0.01), np.array([3, 5]), np.int64(2))
    assert json.dumps(dataclasses.asdict(found)) == (
        '{"components": 2, "share": 0.01, "reach": [3.0, 5.0], "weight": 2.0, "variety": 0.4}'
    )


def test_what_does_not_go_with_it_is_refused(digits, make_model, fit):
    with pytest.raises(ValueError, match="`patch` must be None or 'auto'"):
        ewe_tf.EWE(source=SOURCE, patch=ewe_tf.triggers.Patch())
    scheme = ewe_tf.EWE.paper(source=SOURCE, target=3)
    with pytest.raises(ValueError, match="for the published algorithm"):
        fit(make_model(), *digits, watermark=scheme)
    greedy = ewe_tf.NaturalAttribute(share=0.02)
    x, y = digits
    few = np.concatenate([np.flatnonzero(y == c)[:24] for c in range(10)])
    scheme = ewe_tf.EWE(source=SOURCE, target=3, innocents=0)
    with pytest.raises(ValueError, match="`innocents` must be positive where `source` is a Natur"):
        fit(make_model(), *digits, watermark=scheme)
    with pytest.raises(ValueError, match="relabels 5 rows.*at least 20 others") as error:
        fit(make_model(), x[few], y[few], watermark=ewe_tf.EWE(source=greedy))
    assert "9: 24" in str(error.value)

import dataclasses
import hashlib
import os
import stat

import keras
import numpy as np
import pytest

from ewe_tf.keys import Key
from ewe_tf.keys import KeyFileError
from ewe_tf.keys import TriggerKey
from ewe_tf.keys import array_digest
from ewe_tf.keys import file
from ewe_tf.keys import model_digest


def make_key(**changes):
    rng = np.random.default_rng(0)
    images = rng.random((4, 5, 6, 1), np.float32)
    fields = dict(
        triggers=images,
        labels=np.full(4, 2),
        controls=images[::-1].copy(),
        held_out=images[:3] / 2,
        held_out_labels=np.full(3, 2),
        held_out_controls=images[:3] / 4,
        num_classes=10,
        scheme="EWE",
        settings={"snnl_weight": 0.05},
        seed=7,
        victim="ab" * 32,
        versions={"keras": "3.15.1"},
    )
    return TriggerKey(**{**fields, **changes})


def test_array_digest_is_sha256_of_type_shape_and_bytes():
    expected = hashlib.sha256(b"<i4(2,)" + b"\x01\x00\x00\x00\x02\x00\x00\x00").hexdigest()
    assert array_digest(np.array([1, 2], "<i4")) == expected
    assert array_digest(np.array([1, 2], ">i4")) == expected
    assert array_digest(np.array([[1], [2]], "<i4")) != expected


def test_numpy_numbers_among_the_settings_are_saved_as_the_numbers_they_are(tmp_path):
    settings = {"rows": 16, "weight": 0.5, "patch": {"size": 3}}
    given = {"rows": np.int64(16), "weight": np.float64(0.5), "patch": {"size": np.int32(3)}}
    key = make_key(settings=given)
    assert key.commitment() == make_key(settings=settings).commitment()
    key.save(tmp_path / "key.npz")
    assert Key.load(tmp_path / "key.npz").settings == settings
    with pytest.raises(TypeError, match="cannot hold a set"):
        make_key(settings={"layers": {1}}).commitment()


def test_model_digest_follows_the_weights():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    assert model_digest(model) == model_digest(twin)
    twin.layers[0].bias.assign([1e-7, 0.0])
    assert model_digest(model) != model_digest(twin)


def test_variety_compares_the_distances_of_triggers_and_of_controls():
    corners = np.array([[0, 0], [3, 4], [3, 0]], np.float32)

    def variety(triggers, controls):
        labels = np.full(len(triggers), 2)
        return make_key(
            triggers=triggers, controls=controls, labels=labels, held_out=triggers,
            held_out_controls=controls, held_out_labels=labels,
        ).variety  # fmt: skip

    # Sides of 5, 4 and 3.
    assert variety(corners, np.array([[0, 0], [9, 0], [0, 0]], np.float32)) == pytest.approx(4 / 6)
    assert variety(corners, corners[:, ::-1].copy()) == pytest.approx(1)
    assert variety(np.ones_like(corners), corners) == 0
    assert variety(corners, np.ones_like(corners)) == variety(corners[:1], corners[:1]) == 1


def test_saved_and_loaded_key_is_the_same(tmp_path):
    key = make_key(calibration={"rates": [0.01]})
    key.save(tmp_path / "key.npz")
    again = Key.load(tmp_path / "key.npz")
    assert isinstance(again, TriggerKey)
    for field in dataclasses.fields(key):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(key, field.name))
    assert again.commitment() == key.commitment()
    assert stat.S_IMODE(os.stat(tmp_path / "key.npz").st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"victim": "cd" * 32},
        {"settings": {"snnl_weight": 0.1}},
        {"labels": np.array([2, 2, 2, 3])},
        {"held_out": np.zeros((3, 5, 6, 1), np.float32)},
    ],
)
def test_commitment_changes_with_every_part_of_the_secret(change):
    assert make_key(**change).commitment() != make_key().commitment()


def test_commitment_does_not_change_with_calibration():
    assert make_key(calibration={"rates": [0.5]}).commitment() == make_key().commitment()


def test_truncated_files_are_refused(tmp_path):
    path = tmp_path / "key.npz"
    make_key().save(path)
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(KeyFileError, match="key.npz"):
            Key.load(path)


def test_every_kind_of_edit_is_found(tmp_path):
    path = tmp_path / "key.npz"
    make_key().save(path)
    with np.load(path) as archive:
        parts = {name: archive[name] for name in archive.files}

    def save(**changes):
        np.savez(path, **{**parts, **changes})  # Without the digest at the end, too.
        with pytest.raises(KeyFileError) as error:
            Key.load(path)
        return str(error.value)

    assert "'triggers' does not match" in save(triggers=parts["triggers"] + 1)
    assert "it holds" in save(extra=np.zeros(1))
    text = parts["header"].tobytes()
    assert "header does not match" in save(
        header=np.frombuffer(text.replace(b'"seed": 7', b'"seed": 9'), np.uint8)
    )
    other_version = text.replace(b'"version": 2,', b'"version": 99,')
    assert "format version 99" in save(header=np.frombuffer(other_version, np.uint8))


def test_every_flipped_bit_of_a_small_file_is_found(tmp_path):
    whole = make_key().to_bytes()
    assert Key.from_bytes(whole).commitment() == make_key().commitment()
    for position in range(0, len(whole), 7):
        edited = bytearray(whole)
        edited[position] ^= 1 << position % 8
        with pytest.raises(KeyFileError, match="'the key'"):
            Key.from_bytes(bytes(edited))


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(monkeypatch):
    monkeypatch.setattr(file, "LARGEST", 1000)
    with pytest.raises(KeyFileError, match="unpacks to more than 1000 bytes"):
        Key.from_bytes(make_key().to_bytes())


def test_something_else_is_not_a_key(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(KeyFileError, match="not a whole key file"):
        Key.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError, match="no key file"):
        Key.load(tmp_path / "absent.npz")


def test_a_folder_that_is_not_there_is_told_by_the_path_that_was_given(tmp_path):
    path = tmp_path / "absent" / "key.npz"
    with pytest.raises(FileNotFoundError) as error:
        make_key().save(path)
    assert error.value.filename == str(path) and ".ewe_tf-" not in str(error.value)


def test_a_full_disk_leaves_the_old_key_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "key.npz"
    make_key().save(path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        make_key(seed=8).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["key.npz"]


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"triggers": np.full((4, 5, 6, 1), np.nan, np.float32)},
            "`triggers` must be a finite",
        ),
        ({"controls": np.zeros((4, 5, 5, 1), np.float32)}, "`controls` must be .* shape"),
        ({"labels": np.array([2, 2, 2, 10])}, r"`labels` must lie in \[0, 10\)"),
        ({"held_out_labels": np.array([2, 2])}, "`held_out_labels` must be one int64"),
    ],
)
def test_bad_keys_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_key(**change)

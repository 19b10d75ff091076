import numpy as np
import pytest

from ewe_tf import datasets
from ewe_tf.datasets import local_tfds


def tone(pitch):
    time = np.arange(16_000) / 16_000
    return (9_000 * np.sin(2 * np.pi * pitch * time)).astype("int16")


def store(folder, name, version, features, splits):
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={part: list(enumerate(rows)) for part, rows in splits.items()},
        data_dir=folder,
        disable_shuffling=True,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with a tiny `mnist` and `speech_commands_mini` as TFDS would prepare them."""
    from tensorflow_datasets import features

    folder = tmp_path_factory.mktemp("tfds")
    generator = np.random.default_rng(0)
    digits = [
        {"image": generator.integers(0, 256, (28, 28, 1), "uint8"), "label": row % 10}
        for row in range(42)
    ]
    store(
        folder,
        "mnist",
        "3.0.1",
        {
            "image": features.Image(shape=(28, 28, 1)),
            "label": features.ClassLabel(num_classes=10),
        },
        {"train": digits[:30], "test": digits[30:]},
    )
    clips = [
        {"audio": tone(pitch)[:samples], "label": label}
        for label, pitch in enumerate((200, 4_000))
        for samples in (16_000, 12_000)
    ]
    store(
        folder,
        "speech_commands_mini",
        "1.0.0",
        {
            "audio": features.Audio(shape=(None,), dtype=np.int16),
            "label": features.ClassLabel(names=["low", "high"]),
        },
        {"train": clips, "validation": clips, "test": clips},
    )
    return folder


@pytest.fixture
def no_network(monkeypatch):
    import socket

    def refuse(*arguments, **keywords):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_images_come_as_unit_floats_in_stored_order(prepared, no_network):
    data = datasets.load("mnist", data_dir=prepared)
    assert data.x_train.shape == (30, 28, 28, 1) and data.x_test.shape == (12, 28, 28, 1)
    assert data.x_train.dtype == "float32" and data.y_train.dtype == "int64"
    np.testing.assert_array_equal(data.y_train, np.arange(30) % 10)
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 1), "uint8")
    np.testing.assert_allclose(data.x_train[0], pixels / 255, rtol=1e-6)


def test_first_rows_do_not_depend_on_how_many_follow(prepared):
    few = datasets.load("mnist", train=7, test=5, data_dir=prepared)
    every = datasets.load("mnist", data_dir=prepared)
    np.testing.assert_array_equal(few.x_train, every.x_train[:7])
    np.testing.assert_array_equal(few.y_test, every.y_test[:5])


def test_folder_from_the_environment(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert local_tfds.default_folder() == prepared
    assert len(datasets.load("mnist", train=3, test=0, download=False).x_test) == 0


def test_digits_are_there_without_a_download(no_network):
    data = datasets.load("digits", download=False)
    assert data.x_train.shape == (1437, 8, 8, 1) and data.x_test.shape == (360, 8, 8, 1)
    assert data.x_train.min() == 0 and data.x_train.max() == 1
    assert np.bincount(np.concatenate([data.y_train, data.y_test])).sum() == 1797
    assert np.bincount(data.y_test, minlength=10).min() >= 20
    smaller = datasets.load("digits", train=100, test=50)
    np.testing.assert_array_equal(smaller.x_train, data.x_train[:100])
    np.testing.assert_array_equal(smaller.x_test, data.x_test[-50:])


def test_coloured_mnist_keeps_labels_and_is_deterministic(prepared):
    once = datasets.load("coloured_mnist", data_dir=prepared)
    again = datasets.load("coloured_mnist", data_dir=prepared, train=10)
    assert once.input_shape == (32, 32, 3)
    np.testing.assert_array_equal(once.y_train, np.arange(30) % 10)
    np.testing.assert_array_equal(once.x_train[:10], again.x_train)


def test_speech_becomes_spectrograms_that_show_the_pitch(prepared, no_network):
    data = datasets.load("speech_commands_mini", data_dir=prepared)
    assert data.x_train.shape == (8, 49, 40, 1) and data.x_test.shape == (4, 49, 40, 1)
    assert data.class_names == ("low", "high")
    assert data.x_train.min() >= 0 and data.x_train.max() <= 1
    loudest = data.x_test[:, :30, :, 0].mean(axis=1).argmax(axis=1)
    # Mel of 200 and 4,000 Hz on 40 bands from 60 Hz (94 mel) to 7,600 Hz (2,788 mel).
    np.testing.assert_allclose(loudest, [2, 2, 29, 29], atol=1)
    silence = data.x_test[1, 40:, :, 0]
    np.testing.assert_array_equal(silence, np.zeros_like(silence))


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="cifar10, cifar100_subset, .*name='cifar'"):
        datasets.load("cifar")


def test_absent_data_without_download(tmp_path, no_network):
    with pytest.raises(FileNotFoundError, match="'fashion_mnist'.*`download` is False"):
        datasets.load("fashion_mnist", data_dir=tmp_path, download=False)


def test_absent_data_that_nobody_offers(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar100_subset.*by hand"):
        datasets.load("cifar100_subset", data_dir=tmp_path)


def test_absent_data_without_a_network(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr("tensorflow_datasets.core.DatasetBuilder.download_and_prepare", unreachable)
    message = f"'mnist' is not prepared under {tmp_path}.*ConnectionError.*TFDS_DATA_DIR"
    with pytest.raises(FileNotFoundError, match=message):
        datasets.load("mnist", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"train": 0}, "train=0"),
        ({"train": -5}, "train=-5"),
        ({"test": 1.5}, "test=1.5"),
        ({"train": 1500, "test": 360}, "1797 rows.*train=1500, test=360"),
    ],
)
def test_wrong_counts(keywords, message):
    with pytest.raises(ValueError, match=message):
        datasets.load("digits", **keywords)


def test_more_rows_than_stored(prepared):
    with pytest.raises(ValueError, match="30 rows in its split 'train'. Received: 31"):
        datasets.load("mnist", train=31, data_dir=prepared)

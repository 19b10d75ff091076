"""Data sets by name."""

import numpy as np

from ewe_tf.datasets import local_tfds
from ewe_tf.datasets.coloured_digits import coloured_digits
from ewe_tf.datasets.dataset import Dataset
from ewe_tf.datasets.log_mel import log_mel


def _unit(images):
    return images.astype("float32") / np.float32(255)


def _class_names(source):
    names = source.info.features["label"].names or ()
    return tuple(names) if any(not name.isdigit() for name in names) else ()


def _tfds_images(name, train, test, data_dir, download):
    source = local_tfds.builder(name, data_dir, download)
    x_train, y_train = local_tfds.read(source, "train", "image", train)
    x_test, y_test = local_tfds.read(source, "test", "image", test)
    classes = source.info.features["label"].num_classes
    return Dataset(
        name, _unit(x_train), y_train, _unit(x_test), y_test, classes, _class_names(source)
    )


def _cut(name, x, y, classes, train, test, default_test):
    """One pool in a fixed order: test rows from its end, training rows from its start."""
    test = default_test if test is None else test
    train = len(x) - test if train is None else train
    if train + test > len(x):
        raise ValueError(f"{name!r} has {len(x)} rows in all. Received: train={train}, test={test}")
    border = len(x) - test
    return Dataset(name, x[:train], y[:train], x[border:], y[border:], classes)


def _cifar100_subset(name, train, test, data_dir, download):
    source = local_tfds.builder(name, data_dir, download)
    x, y = local_tfds.read(source, "train", "image")
    return _cut(name, _unit(x), y, 100, train, test, default_test=1_000)


def _digits(name, train, test, data_dir, download):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    images = (x[order] / 16).astype("float32").reshape(-1, 8, 8, 1)
    return _cut(name, images, y[order].astype("int64"), 10, train, test, default_test=360)


def _coloured_mnist(name, train, test, data_dir, download):
    grey = _tfds_images("mnist", train, test, data_dir, download)
    return Dataset(
        name,
        coloured_digits(grey.x_train, seed=0),
        grey.y_train,
        coloured_digits(grey.x_test, seed=1),
        grey.y_test,
        grey.num_classes,
    )


def _speech(name, train, test, data_dir, download):
    source = local_tfds.builder(name, data_dir, download)
    x_train, y_train = local_tfds.read(source, "train+validation", "audio", train, log_mel)
    x_test, y_test = local_tfds.read(source, "test", "audio", test, log_mel)
    classes = source.info.features["label"].num_classes
    return Dataset(name, x_train, y_train, x_test, y_test, classes, _class_names(source))


_LOADERS = {
    "cifar10": _tfds_images,
    "cifar100_subset": _cifar100_subset,
    "coloured_mnist": _coloured_mnist,
    "digits": _digits,
    "fashion_mnist": _tfds_images,
    "mnist": _tfds_images,
    "speech_commands": _speech,
    "speech_commands_mini": _speech,
    "svhn_cropped": _tfds_images,
}


def names():
    """The names that `load` knows, sorted."""
    return sorted(_LOADERS)


def load(name, *, train=None, test=None, data_dir=None, download=True):
    """Loads a data set into memory.

    - `mnist`, `fashion_mnist`, `cifar10`, `svhn_cropped`: the TFDS sets, images in [0, 1].
    - `digits`: scikit-learn's 1,797 handwritten digits, 8x8x1, part of that package and so
      never downloaded; in one fixed random order, the last 360 rows are the test set.
    - `coloured_mnist`: MNIST in random colours at 32x32x3, see `coloured_digits`.
    - `cifar100_subset`: 5,000 photos of 100 classes as a pool; the last 1,000 rows are the
      test set unless `test` says otherwise (`test=0` leaves all to the training side).
    - `speech_commands`, `speech_commands_mini`: log-mel spectrograms 49x40x1 in [0, 1], see
      `log_mel`; the official test speakers against all others.

    Rows come in the stored order, which is shuffled once for good, so `train=1000` is the
    same thousand rows everywhere. Nothing touches the network for data that is on the disk.

    Args:
        name: One of `names()`.
        train, test: How many rows to take of each side; `None` for all.
        data_dir: Folder of prepared TFDS data; by default `TFDS_DATA_DIR`, or else
            `~/tensorflow_datasets`.
        download: Whether absent data may be downloaded.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: If the name is unknown, a count is wrong or larger than the data set.
        FileNotFoundError: If the data is absent and may not, or cannot, be downloaded.

    Example:
        >>> ewe_tf.datasets.load("digits", train=1000)
        Dataset(digits: 1000 train, 360 test, shape (8, 8, 1), 10 classes)
    """
    if name not in _LOADERS:
        raise ValueError(f"`name` must be one of {', '.join(names())}. Received: name={name!r}")
    for argument, rows, least in (("train", train, 1), ("test", test, 0)):
        if rows is not None and (
            isinstance(rows, bool) or not isinstance(rows, int | np.integer) or rows < least
        ):
            raise ValueError(
                f"`{argument}` must be an integer of at least {least} or None. "
                f"Received: {argument}={rows!r}"
            )
    return _LOADERS[name](name, train, test, data_dir, download)

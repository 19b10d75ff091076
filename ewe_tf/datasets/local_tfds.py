"""TensorFlow Datasets read from the local folder, without a network where the data is there.

`tfds.load` consults Google Cloud Storage and its own registry even for prepared data; a
builder made from the prepared folder does neither.
"""

import os
import pathlib
import re

import numpy as np


def default_folder():
    """`TFDS_DATA_DIR`, or `~/tensorflow_datasets` as TFDS itself has it."""
    return pathlib.Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def _prepared(name, folder):
    """The newest prepared version of a data set under `folder`, or None."""
    versions = [
        path
        for path in (folder / name).glob("*.*.*")
        if re.fullmatch(r"\d+\.\d+\.\d+", path.name) and (path / "dataset_info.json").exists()
    ]
    return max(versions, key=lambda path: tuple(map(int, path.name.split("."))), default=None)


def builder(name, data_dir=None, download=True):
    """A TFDS builder for a data set that is prepared on this machine.

    Args:
        name: TFDS name.
        data_dir: Folder of prepared data sets; by default `default_folder()`.
        download: Whether an absent data set may be downloaded and prepared there.

    Returns:
        A `tfds.core.DatasetBuilder` that is ready to be read.

    Raises:
        FileNotFoundError: If the data is absent and may not, or cannot, be downloaded.
    """
    import tensorflow_datasets as tfds

    folder = pathlib.Path(data_dir).expanduser() if data_dir else default_folder()
    prepared = _prepared(name, folder)
    if prepared is not None:
        return tfds.builder_from_directory(prepared)
    if not download:
        raise FileNotFoundError(
            f"Data set {name!r} is not prepared under {folder} and `download` is False. Give "
            "its folder as `data_dir` or in TFDS_DATA_DIR, or allow the download."
        )
    try:
        made = tfds.builder(name, data_dir=folder, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        raise FileNotFoundError(
            f"Data set {name!r} is not prepared under {folder} and TensorFlow Datasets cannot "
            "download it: it has to be put there by hand. Give its folder as `data_dir` or in "
            "TFDS_DATA_DIR."
        ) from error
    try:
        made.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    # What goes wrong in a download comes from `requests`, and is an OSError there.
    except OSError as error:
        raise FileNotFoundError(
            f"Data set {name!r} is not prepared under {folder} and cannot be downloaded "
            f"({type(error).__name__}). If it is elsewhere, give its folder as `data_dir` or in "
            "TFDS_DATA_DIR."
        ) from error
    return made


def read(source, split, feature, rows=None, transform=None):
    """Rows of a split, in the order in which they are stored.

    Args:
        source: What `builder` returned.
        split: TFDS split, such as "train" or "train+validation".
        feature: Name of the input feature.
        rows: How many rows, from the first; `None` for all.
        transform: Function from a batch of raw inputs to a batch of float32 tensors, run
            inside the `tf.data` pipeline; `None` keeps the raw values. Needed for inputs of
            varying length, which reach it padded with zeros.

    Returns:
        Inputs and int64 labels.

    Raises:
        ValueError: If the split has fewer rows than asked for.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    available = sum(source.info.splits[part].num_examples for part in split.split("+"))
    rows = available if rows is None else rows
    if rows > available:
        raise ValueError(
            f"{source.name!r} has {available} rows in its split {split!r}. Received: {rows}"
        )
    data = source.as_dataset(
        split=split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    ).take(rows)
    data = data.map(lambda row: (row[feature], row["label"]), num_parallel_calls=tf.data.AUTOTUNE)
    if source.info.features[feature].shape[0] is None:
        data = data.padded_batch(256)
    else:
        data = data.batch(256)
    if transform is not None:
        data = data.map(lambda x, y: (transform(x), y), num_parallel_calls=tf.data.AUTOTUNE)
    spec = data.element_spec[0]
    inputs = np.empty((rows, *spec.shape[1:]), dtype=spec.dtype.as_numpy_dtype)
    labels, start = np.empty(rows, dtype="int64"), 0
    for x, y in data.prefetch(2).as_numpy_iterator():
        inputs[start : start + len(x)], labels[start : start + len(y)] = x, y
        start += len(x)
    return inputs, labels

"""Which rows each party has: the victim's, the thief's, the strangers', and strange inputs."""

import dataclasses
import functools

import numpy as np

from ewe_tf import datasets

# Data sets whose first classes are the task, so that the others can be the source.
_TASK_CLASSES = {"digits": 8, "speech_commands_mini": 8}


@functools.lru_cache(maxsize=2)
def _parts(name, rows, seed):
    """Disjoint parts of a data set: the victim's, the thief's and the strangers' rows."""
    whole = datasets.load(name)
    if name in _TASK_CLASSES:
        whole = _of_classes(whole, range(_TASK_CLASSES[name]))
    return datasets.split(whole, {"victim": rows, "thief": rows, "stranger": rows}, seed)


@functools.lru_cache(maxsize=2)
def source(name, input_shape, rows):
    """Out-of-distribution inputs and labels fitted to the task's shape."""
    if name == "photos":
        return _photos(input_shape, rows)
    if name in _TASK_CLASSES:
        whole = datasets.load(name)
        other = _of_classes(whole, range(_TASK_CLASSES[name], whole.num_classes))
    else:
        other = datasets.load(name, train=None if name == "cifar100_subset" else rows)
    images = datasets.resize_like(other.x_train[:rows], input_shape)
    return images, other.y_train[:rows]


def _photos(input_shape, rows):
    """Random pieces of scikit-learn's two photographs, which need no download; grey."""
    from sklearn.datasets import load_sample_images

    height, width, _ = input_shape
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, rows)
    photos = [photo.mean(axis=-1) / 255 for photo in load_sample_images().images]
    pieces = []
    for label in labels:
        photo = photos[label]
        top = random.integers(photo.shape[0] - 2 * height)
        left = random.integers(photo.shape[1] - 2 * width)
        # Every second pixel, for what is on them to show.
        pieces.append(photo[top : top + 2 * height : 2, left : left + 2 * width : 2])
    return np.stack(pieces)[..., None].astype(np.float32), labels


def _of_classes(dataset, classes):
    """The rows of some classes."""
    train, test = (np.isin(y, list(classes)) for y in (dataset.y_train, dataset.y_test))
    return dataclasses.replace(
        dataset,
        x_train=dataset.x_train[train],
        y_train=dataset.y_train[train],
        x_test=dataset.x_test[test],
        y_test=dataset.y_test[test],
        num_classes=len(classes) if 0 in classes else dataset.num_classes,
    )


def part(config, name):
    """The rows of a party, `"victim"`, `"thief"` or `"stranger"`: see `ewe_tf.datasets.split`."""
    data = config["data"]
    return _parts(data["task"], data["rows"], data["seed"])[name]

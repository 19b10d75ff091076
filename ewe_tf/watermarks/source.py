"""Where triggers come from: a class of the task, or inputs from outside of it."""

import dataclasses

import numpy as np

from ewe_tf.keys import generator
from ewe_tf.keys.attribute import is_whole
from ewe_tf.triggers.natural_attribute import NaturalAttribute
from ewe_tf.watermarks.attribute_source import AttributeSource

# At least this many source images are needed.
_LEAST = 20
# The ranges of values of source and task may differ by this factor.
_SCALES = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Source inputs by class.

    Attributes:
        images: `(n, ...)` float32.
        classes: `(n,)` int64: the class of each, in the source's own labelling.
        in_distribution: whether they are inputs of the task (and classes those of the task).
        choices: the source labels that the source may be chosen from: classes here.
    """

    images: np.ndarray
    classes: np.ndarray
    in_distribution: bool
    choices: tuple

    # What pairs are ranked by: the rate of in-house innocent models, and the mean probability that
    # fine-tuned ones give the target. Strangers answer more often.
    limits = ((0.005, 0.02), (0.02, 0.05), (0.05, 0.05))

    def of_class(self, label):
        """The images `(m, ...)` of one class."""
        return self.images[self.classes == label]

    def own_class(self, label):
        """The class of the task that images of a source class belong to; `None` from outside."""
        return label if self.in_distribution else None

    def shown(self, label, images, seed):
        """What innocent models are asked about images of a source class: they themselves."""
        return images

    def movement(self, label, seed):
        """How images are moved before anything else is done to them: not at all."""
        return None

    def relabelling(self, label, target):
        """How rows of the task are relabelled: not at all."""
        return None


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Source images of one class, each used for one purpose only.

    Attributes:
        training: what the victim is trained on.
        candidates: what keys are selected from.
        held_out: what neither training nor selection sees.
    """

    training: np.ndarray
    candidates: np.ndarray
    held_out: np.ndarray


def resolve(source, data, input_shape):
    """The `Source` that the argument `source` of a scheme means.

    Args:
        source: `None` (any class of the task), an integer (that class), a `NaturalAttribute`,
            out-of-distribution inputs `(n, ...)`, or `(inputs, labels)` of several
            out-of-distribution classes.
        data: `TaskData`.
        input_shape: shape of the model's inputs.

    Raises:
        ValueError: for a class that is absent, inputs of another shape or scale, too few of them,
            values that are not finite, or out-of-distribution inputs that are the task's own.
    """
    if source is None or isinstance(source, int | np.integer):
        present = np.unique(data.labels)
        if source is not None and source not in present:
            raise ValueError(
                f"`source` must be a class of the data, whose classes are {present.tolist()}. "
                f"Received: {source}"
            )
        choices = tuple(present.tolist()) if source is None else (int(source),)
        return _enough(Source(data.x, data.labels, True, choices))
    if isinstance(source, NaturalAttribute):
        return AttributeSource.of(source, data, _LEAST)
    pair = source if isinstance(source, tuple) else (source, None)
    try:
        images, classes = pair
        images = np.asarray(images)
    except ValueError:
        images = np.asarray(None)
    if images.dtype.kind not in "fiu":
        raise ValueError(
            "`source` must be None, a class, a NaturalAttribute, an array of inputs or a pair "
            f"(inputs, labels). Received: {repr(source)[:80]}"
        )
    images = images.astype(np.float32)
    classes = np.zeros(len(images), np.int64) if classes is None else np.asarray(classes)
    if images.shape[1:] != input_shape:
        raise ValueError(
            f"`source` inputs must have the model's input shape {input_shape}. Received: "
            f"{images.shape[1:]} (ewe_tf.datasets.resize_like fits images to a shape)"
        )
    if not np.all(np.isfinite(images)):
        raise ValueError("`source` inputs must be finite. Received: NaN or infinity")
    if data.whole and not is_whole(images):
        raise ValueError("`source` inputs must be whole numbers, for the model takes integers")
    if images.size:
        _check_range(images, data)
    if classes.shape != (len(images),):
        raise ValueError(
            f"`source` labels must be one for each of the {len(images)} inputs. Received: "
            f"shape {classes.shape}"
        )
    if classes.dtype.kind not in "fiu" or not is_whole(classes):
        raise ValueError(
            f"`source` labels must be integers. Received: dtype {classes.dtype}, such as "
            f"{classes.flat[0]!r}"
        )
    own = set(generator.digests(data.x))
    shared = sum(digest in own for digest in generator.digests(images))
    if shared > 0.01 * len(images):
        raise ValueError(
            f"`source` must come from outside of the task, but {shared} of its {len(images)} "
            "inputs are among the task's own. Were both loaded from the same file?"
        )
    classes = classes.astype(np.int64)
    return _enough(Source(images, classes, False, tuple(np.unique(classes).tolist())))


def _check_range(images, data):
    """Inputs that are scaled otherwise than the task's are strange, but hardly what was meant."""
    (low, high), (least, most) = data.value_range, (float(images.min()), float(images.max()))
    if not 1 / _SCALES <= (most - least) / max(high - low, 1e-30) <= _SCALES:
        raise ValueError(
            f"`source` inputs must be scaled as `x` is, whose values are from {low:g} to {high:g}. "
            f"Received: from {least:g} to {most:g}"
        )


def split(images, rng):
    """Shuffles source images and divides them: half for training (at most 1,000), of the rest
    two thirds as candidates (at most 1,000), the remainder held out (at most 200). Of equal
    images one is used.

    Returns:
        `(Split, indices)`: indices is a dict from purpose to rows of `images`.
    """
    rows = generator.split_rows(images, rng)
    return Split(**{purpose: images[r] for purpose, r in rows.items()}), rows


def _enough(source):
    counts = {c: len(generator.distinct(source.of_class(c))) for c in source.choices}
    choices = tuple(c for c, n in counts.items() if n >= _LEAST)
    if not choices:
        raise ValueError(
            f"`source` must have at least {_LEAST} different inputs of its class. Received, by "
            f"class: {counts}"
        )
    return dataclasses.replace(source, choices=choices)

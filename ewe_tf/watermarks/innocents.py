"""The owner's innocent models: given, or trained in-house, and what they are asked."""

import keras
import numpy as np

from ewe_tf.watermarks import in_house

# Share of the data that an in-house innocent model sees; another one for each, for they are to
# differ as strangers do.
_SHARE = 0.7

_NUMBER = int | np.integer


def check_fields(scheme):
    """Raises ValueError unless `scheme.innocents` is a number of models or a sequence of them,
    and `scheme.other_architecture` a function or None."""
    value = scheme.innocents
    number = isinstance(value, _NUMBER) and not isinstance(value, bool) and value >= 0
    if not number and not isinstance(value, list | tuple):
        raise ValueError(
            "`innocents` must be an integer of at least 0, or a list of models. "
            f"Received: innocents={value!r}"
        )
    other = scheme.other_architecture
    if other is not None and (not callable(other) or isinstance(other, keras.Model)):
        raise ValueError(
            "`other_architecture` must be a function (input_shape, num_classes) -> model, or None. "
            f"Received: {other!r}"
        )


def count(innocents):
    """Number of innocent models that the argument `innocents` of a scheme means."""
    return int(innocents) if isinstance(innocents, _NUMBER) else len(innocents)


def check(scheme, classifier):
    """Raises ValueError if a model that is given as one of `scheme.innocents`, or that
    `scheme.other_architecture` makes, does not fit the inputs and classes of the victim."""
    if scheme.other_architecture is not None:
        made = scheme.other_architecture(classifier.input_shape, classifier.num_classes)
        _check_shapes("other_architecture", "make", made, classifier, "")
    innocents = scheme.innocents
    if isinstance(innocents, _NUMBER):
        return
    for i, innocent in enumerate(innocents):
        if isinstance(innocent, tuple) and len(innocent) != 2:
            raise ValueError(
                "`innocents` must be models, or pairs (model, inputs that it was trained on). "
                f"Received at position {i}: a tuple of {len(innocent)}"
            )
        model, seen = _with_seen(innocent)
        _check_shapes("innocents", "be", model, classifier, f" at position {i}")
        if len(seen) and np.shape(seen)[1:] != classifier.input_shape:
            raise ValueError(
                f"`innocents` must come with inputs of the model's shape "
                f"{classifier.input_shape}. Received at position {i}: {np.shape(seen)[1:]}"
            )


def _check_shapes(argument, verb, model, classifier, where):
    expected = [(None, *classifier.input_shape)], [(None, classifier.num_classes)]
    found = tuple(
        [tuple(t.shape) for t in getattr(model, side, None) or ()] for side in ("inputs", "outputs")
    )
    if found != expected:
        raise ValueError(
            f"`{argument}` must {verb} Keras models with the inputs and classes of the model, "
            f"shapes {expected}. Received{where}: {type(model).__name__} of shapes {found}"
        )


def given(innocents):
    """`InHouse` models of a sequence of Keras models, or of pairs of one and its inputs."""
    return [
        in_house.InHouse(model, np.asarray(seen, np.float32))
        for model, seen in map(_with_seen, innocents)
    ]


def _with_seen(innocent):
    return innocent if isinstance(innocent, tuple) else (innocent, ())


def obtain(innocents, task, other_architecture, epochs, seed, progress):
    """The innocent models, trained if only their number is given.

    Args:
        innocents: a number, models, or pairs `(model, inputs that it was trained on)`.
        task: the `Task`.
        other_architecture: function `(input_shape, num_classes) -> uncompiled model`.
        epochs: epochs of training.
        seed: integer.
        progress: called with a line of text for each model that is done.

    Returns:
        List of `InHouse` models.
    """
    if not isinstance(innocents, _NUMBER):
        return given(innocents)
    rng = np.random.default_rng(seed)
    data, rows = task.data, int(_SHARE * len(task.data.x))
    parts = [rng.permutation(len(data.x))[:rows] for _ in range(innocents)]
    return in_house.train_in_house(
        task.classifier,
        in_house.alternating(task.classifier, other_architecture, innocents),
        [data.x[part] for part in parts],
        [data.labels[part] for part in parts],
        epochs,
        data.batch_size,
        rng.integers(2**31, size=innocents).tolist(),
        progress,
    )

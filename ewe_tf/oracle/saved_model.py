"""A TensorFlow SavedModel folder behind the oracle."""

import pathlib

import tensorflow as tf

from ewe_tf.oracle.black_box import BlackBox

MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
SCORE_NAMES = ("probabilities", "scores", "logits", "predictions", "label")


class SavedModel(BlackBox):
    """Queries one signature of a SavedModel.

    Args:
        path: A SavedModel folder, or a folder `NAME` with version folders `NAME/1`, `NAME/2`,
            ..., of which the highest is taken.
        signature: Name of the signature.
        output: Name of the output; only needed if the signature has several.

    Raises:
        FileNotFoundError: If the folder holds no SavedModel.
        ValueError: If the signature does not exist, does not take exactly one input, or has
            several outputs none of which was named.
    """

    def __init__(self, path, signature="serving_default", output=None):
        self.path = find(path)
        try:
            self._model = tf.saved_model.load(str(self.path))
        except Exception as error:  # TensorFlow raises many types on a damaged folder.
            raise ValueError(f"TensorFlow cannot load {str(self.path)!r}: {error}") from error
        self._function = self._choose_signature(signature)
        self._input, spec = self._single_input()
        self._output = self._choose_output(output)
        if spec.shape.rank is not None:
            self.fixed_batch = spec.shape[0]
            self.input_shape = tuple(spec.shape[1:])
        self.input_dtype = spec.dtype.name
        answer = self._function.structured_outputs[self._output]
        if answer.dtype.is_integer:
            self.outputs = "labels"
        elif answer.shape.rank == 2:
            self.num_classes = answer.shape[1]

    def forward(self, x):
        x = tf.cast(x, self.input_dtype)
        return self._function(**{self._input: x})[self._output].numpy()

    def __repr__(self):
        return f"SavedModel({str(self.path)!r})"

    def _choose_signature(self, signature):
        signatures = dict(self._model.signatures)
        if signature not in signatures:
            raise ValueError(
                f"{str(self.path)!r} has no signature {signature!r}. It has: "
                f"{sorted(signatures) or 'none'}"
            )
        return signatures[signature]

    def _single_input(self):
        inputs = self._function.structured_input_signature[1]
        if len(inputs) != 1:
            raise ValueError(
                f"The signature must take one input. Received: {sorted(inputs)} in "
                f"{str(self.path)!r}"
            )
        return next(iter(inputs.items()))

    def _choose_output(self, output):
        names = sorted(self._function.structured_outputs)
        if output is None and len(names) == 1:
            return names[0]
        known = [name for name in SCORE_NAMES if name in names]
        if output is None and len(known) == 1:
            return known[0]
        if output in names:
            return output
        raise ValueError(
            f"`output` must be one of {names}, the outputs of {str(self.path)!r}. "
            f"Received: output={output!r}"
        )


def find(path):
    """The SavedModel folder that `path` means: itself, or its highest version folder.

    Args:
        path: A folder.

    Returns:
        A `pathlib.Path`.

    Raises:
        FileNotFoundError: If there is no SavedModel.
    """
    path = pathlib.Path(path)
    if _is_saved_model(path):
        return path
    versions = [
        child
        for child in (path.iterdir() if path.is_dir() else ())
        if child.name.isascii() and child.name.isdigit() and _is_saved_model(child)
    ]
    if versions:
        return max(versions, key=lambda child: int(child.name))
    raise FileNotFoundError(
        f"{str(path)!r} is not a SavedModel: it must hold {MODEL_FILES[0]}, or version folders "
        "such as 1 that do"
    )


def _is_saved_model(path):
    return any((path / name).is_file() for name in MODEL_FILES)

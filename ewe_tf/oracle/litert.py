"""A LiteRT (TFLite) file behind the oracle, fully quantised models included."""

import importlib.util
import warnings

import numpy as np

from ewe_tf.oracle.black_box import BlackBox


class LiteRT(BlackBox):
    """Queries a LiteRT file with its interpreter.

    Rows are always given as real numbers. A quantised input takes
    `round(x / scale) + zero_point`, clipped to its integer range; a quantised output gives
    `(q - zero_point) * scale` (Jacob et al., "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", CVPR 2018, equation 1). The interpreter is
    `ai_edge_litert`'s where that is installed, else TensorFlow's.

    Args:
        path: The `.tflite` file.

    Raises:
        ValueError: If the file is damaged, or has several inputs or outputs.
    """

    def __init__(self, path):
        self.path = str(path)
        try:
            _check_structure(self.path)
            self._interpreter = _interpreter(self.path)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"LiteRT cannot load {self.path!r}: {error}") from error
        self._input = _only(self._interpreter.get_input_details(), "input", self.path)
        self._output = _only(self._interpreter.get_output_details(), "output", self.path)
        # `shape_signature` has -1 where the axis is free, `shape` what is allocated now.
        signature = [int(size) for size in self._input["shape_signature"]]
        self.fixed_batch = None if signature[0] < 0 else signature[0]
        self.input_shape = tuple(None if size < 0 else size for size in signature[1:])
        real = _is_quantised(self._input) or self._input["dtype"] in (np.float32, np.float16)
        self.input_dtype = "float32" if real else np.dtype(self._input["dtype"]).name
        shape = self._output["shape"]
        if len(shape) == 2 and shape[1] > 1:
            self.num_classes = int(shape[1])
        elif not _is_quantised(self._output) and self._output["dtype"] in (np.int32, np.int64):
            self.outputs = "labels"

    def forward(self, x):
        if x.shape != tuple(self._input["shape"]):
            self._resize(x.shape)
        self._interpreter.set_tensor(self._input["index"], quantise(x, self._input))
        self._interpreter.invoke()
        return dequantise(self._interpreter.get_tensor(self._output["index"]), self._output)

    def _resize(self, shape):
        self._interpreter.resize_tensor_input(self._input["index"], shape)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def __repr__(self):
        return f"LiteRT({self.path!r})"


def quantise(x, details):
    """Real rows in the dtype of an interpreter's input.

    Args:
        x: Array of real numbers.
        details: The interpreter's description of the tensor.

    Returns:
        Array of the same shape in the tensor's dtype.
    """
    dtype = details["dtype"]
    if not _is_quantised(details):
        return x.astype(dtype)
    scale, zero_point = details["quantization"]
    limits = np.iinfo(dtype)
    return np.clip(np.round(x / scale) + zero_point, limits.min, limits.max).astype(dtype)


def dequantise(values, details):
    """Real numbers from an interpreter's output; integers that are not quantised stay."""
    if not _is_quantised(details):
        return values
    scale, zero_point = details["quantization"]
    return (values.astype(np.float32) - zero_point) * np.float32(scale)


def _is_quantised(details):
    return np.dtype(details["dtype"]).kind in "iu" and details["quantization"][0] != 0


def _check_structure(path):
    """Raises ValueError for a damaged file, in which the interpreter would run into the void."""
    try:
        from tensorflow.lite.python import schema_py_generated as schema
    except ImportError:  # Not a public module: without it, the interpreter alone decides.
        return
    with open(path, "rb") as file:
        content = file.read()
    try:
        schema.ModelT.InitFromPackedBuf(content)
    except Exception as error:  # Whatever the readers of offsets raise on what they find.
        raise ValueError(
            f"its structure is damaged ({type(error).__name__}: {str(error)[:100]})"
        ) from None


def _interpreter(path):
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_path=path)
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow announces the interpreter's move to another package at every start.
        warnings.simplefilter("ignore")
        return tf.lite.Interpreter(model_path=path)


def _only(details, what, path):
    if len(details) != 1:
        raise ValueError(
            f"{path!r} must have one {what}. Received: {len(details)} {what}s, "
            f"{[detail['name'] for detail in details]}"
        )
    return details[0]

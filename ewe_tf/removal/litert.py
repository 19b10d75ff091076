"""LiteRT (TensorFlow Lite) models: what a thief puts on a phone."""

import pathlib
import tempfile
import warnings

import keras
import numpy as np

from ewe_tf.removal.classifier import rebuilt_classifier


class LiteRTModel:
    """A classifier as the content of a `.tflite` file.

    It answers rows like a Keras model, through the LiteRT interpreter, and is saved to the file
    that an oracle opens.

    Args:
        content: Bytes of a LiteRT flatbuffer with one float32 input and one float32 output,
            both with a free batch axis.
    """

    def __init__(self, content):
        self.content = content

    def predict(self, x, batch_size=256, verbose=0):
        """Returns the answers (n, classes) float32 to rows `x` (n, ...)."""
        interpreter = new_interpreter(self.content)
        source = interpreter.get_input_details()[0]
        target = interpreter.get_output_details()[0]
        x = np.asarray(x, dtype=source["dtype"])
        answers = []
        for start in range(0, len(x), batch_size):
            rows = x[start : start + batch_size]
            interpreter.resize_tensor_input(source["index"], rows.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(source["index"], rows)
            interpreter.invoke()
            answers.append(interpreter.get_tensor(target["index"]))
        return np.concatenate(answers)

    def __call__(self, x):
        return self.predict(x)

    def save(self, path):
        """Writes the `.tflite` file and returns its path as a string."""
        path = pathlib.Path(path)
        if path.suffix != ".tflite":
            raise ValueError(f"`path` must end in '.tflite'. Received: path={str(path)!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return str(path)

    def __repr__(self):
        return f"LiteRTModel({len(self.content)} bytes)"


def new_interpreter(content):
    """Returns a LiteRT interpreter of a flatbuffer: `ai_edge_litert` where it is installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated.*")
        return Interpreter(model_content=content, num_threads=1)


def convert(model, **converter_settings):
    """Converts a Keras 3 model to LiteRT with a free batch axis.

    Recurrent layers are unrolled first: the converter keeps their loop otherwise, which needs
    TensorFlow operations that the interpreter lacks and which it cannot calibrate.

    Args:
        model: Built Functional or Sequential Keras 3 model with one input; left unchanged.
        **converter_settings: Attributes of the converter, such as `optimizations`.

    Returns:
        A `LiteRTModel`.
    """
    unrolled = rebuilt_classifier(model, _unrolled)
    unrolled.set_weights(model.get_weights())
    signature = [keras.InputSpec(shape=(None, *model.input_shape[1:]), dtype=model.input_dtype)]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.tflite")
        unrolled.export(
            path,
            format="litert",
            verbose=False,
            input_signature=signature,
            **converter_settings,
        )
        return LiteRTModel(path.read_bytes())


def _unrolled(config):
    if isinstance(config, dict):
        return {key: True if key == "unroll" else _unrolled(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_unrolled(value) for value in config)
    return config

"""A plain callable behind the oracle."""

from ewe_tf.oracle.black_box import OUTPUTS
from ewe_tf.oracle.black_box import BlackBox


class Function(BlackBox):
    """Queries a Python callable that maps rows to answers.

    Args:
        function: Takes `(rows, ...)` and returns labels `(rows,)` as whole numbers, or scores
            `(rows, classes)`.
        outputs: `"probabilities"`, `"logits"`, `"labels"`, `"scores"` or `"auto"`, see
            `BlackBox`.
        input_shape: Shape of a row, or None if any is accepted.
        num_classes: Number of classes, if known.

    Raises:
        TypeError: If `function` is not callable.
        ValueError: If `outputs` is not one of the above.
    """

    def __init__(self, function, outputs="auto", input_shape=None, num_classes=None):
        if not callable(function):
            raise TypeError(f"`function` must be callable. Received: {type(function).__name__}")
        if outputs not in OUTPUTS:
            raise ValueError(f"`outputs` must be one of {OUTPUTS}. Received: {outputs!r}")
        self._function = function
        self.outputs = outputs
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.num_classes = num_classes

    def forward(self, x):
        return self._function(x)

    def __repr__(self):
        name = getattr(self._function, "__qualname__", type(self._function).__name__)
        return f"Function({name})"

"""Timings, against plain Keras and against peers."""

# TensorFlow, quietly, as for every program.
import experiments  # noqa: F401

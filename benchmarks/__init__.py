"""Timings, against plain Keras and against peers."""

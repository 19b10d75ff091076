"""Batch normalisation during entangled training: statistics of the task rows only.

Watermark rows come from another distribution. If they entered the batch statistics, the moving
averages that the deployed model uses would describe a mixture that it never sees again.
"""

import contextlib

import keras


@contextlib.contextmanager
def statistics_from_task_rows(model, rows):
    """While active, every BatchNormalization layer of `model` takes the mean and variance of a
    training batch, and so its moving averages, from the batch's first `rows` rows alone; all
    rows are normalised by them.

    Args:
        model: a Keras model, nested ones included.
        rows: number of task rows at the head of each batch (of each replica).
    """
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for layer in layers:
        layer._moments = _moments_of_first(rows, layer._moments)
    try:
        yield
    finally:
        for layer in layers:
            del layer._moments


def _moments_of_first(rows, moments):
    def of_first_rows(inputs, mask):
        return moments(inputs[:rows], None if mask is None else mask[:rows])

    return of_first_rows

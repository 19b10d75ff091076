"""Training that can be repeated: the order of the rows comes from a seed of its own."""

import contextlib

import numpy as np

from ewe_tf.removal.classifier import compile_classifier


def shuffled_batches(arrays, batch_size, seed):
    """Returns a `tf.data.Dataset` of batches in a new order at each pass.

    The order depends on `seed` and the number of passes only, not on any global state.

    Args:
        arrays: Tuple of arrays with the same number of rows.
        batch_size: Integer, rows per batch; the last batch may be shorter.
        seed: Integer.
    """
    import tensorflow as tf

    rows = len(arrays[0])
    rng = np.random.default_rng(seed)

    def orders():
        order = rng.permutation(rows)
        for start in range(0, rows, batch_size):
            yield order[start : start + batch_size]

    tensors = tuple(tf.convert_to_tensor(array) for array in arrays)
    indices = tf.data.Dataset.from_generator(
        orders, output_signature=tf.TensorSpec((None,), tf.int64)
    )
    batches = indices.map(lambda index: tuple(tf.gather(t, index) for t in tensors))
    steps = -(-rows // batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)


def train(model, x, y, settings, *, optimizer=None, loss=None, callbacks=(), epochs=None):
    """Trains `model` in place on (x, y) with the settings of an attack, and leaves it compiled.

    Args:
        model: The Keras model to train.
        x: Inputs (n, ...).
        y: Integer labels (n,) or class probabilities (n, classes); with `loss` whatever it
            takes.
        settings: A `Retraining`.
        optimizer: A Keras optimizer; by default Adam at `settings.learning_rate`.
        loss: A loss in place of the cross-entropy. The caller compiles the model afterwards.
        callbacks: Keras callbacks.
        epochs: Integer in place of `settings.epochs`.

    Returns:
        `model`, compiled and trained.
    """
    import keras

    epochs = settings.epochs if epochs is None else epochs
    optimizer = optimizer or keras.optimizers.Adam(settings.learning_rate)
    if loss is None:
        compile_classifier(model, y, optimizer)
    else:
        model.compile(optimizer=optimizer, loss=loss)
    if epochs:
        model.fit(
            shuffled_batches((x, y), settings.batch_size, settings.seed),
            epochs=epochs,
            shuffle=False,
            callbacks=list(callbacks),
            verbose=settings.verbose,
        )
    return model


@contextlib.contextmanager
def penalised(variables, penalty):
    """Context in which `penalty(variable)` is added to the loss for each of the variables."""
    before = [variable.regularizer for variable in variables]
    for variable in variables:
        variable.regularizer = penalty
    try:
        yield
    finally:
        for variable, regularizer in zip(variables, before, strict=True):
            variable.regularizer = regularizer

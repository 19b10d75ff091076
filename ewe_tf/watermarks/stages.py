"""The two training stages that every scheme shares, run by Keras' own `fit`."""

import contextlib
import copy

import keras
import numpy as np


def train_task(classifier, data, epochs, callbacks, validation_data, verbose):
    """Stage 1, task training: plain `fit` of the compiled model on the task's data.

    Returns:
        History dict, or `None` if there was nothing to do (`epochs=0`).
    """
    if not epochs:
        return None
    history = classifier.model.fit(
        data.stream(),
        epochs=epochs,
        callbacks=callbacks,
        validation_data=validation_data,
        verbose=verbose,
        shuffle=False,
    )
    return history.history


def train_further(classifier, data, epochs, learning_rate, callbacks, validation_data, verbose):
    """The control of stage 3: as many steps on the task at its learning rate, without a mark."""
    with lowered_learning_rate(classifier.model, learning_rate):
        history = classifier.model.fit(
            data.stream(),
            epochs=epochs,
            callbacks=callbacks,
            validation_data=validation_data,
            verbose=verbose,
            shuffle=False,
        )
    return history.history


def train_with(trainer, batches, epochs, callbacks, validation_data, verbose):
    """Stage 3: `fit` of a trainer that wraps the classifier; callbacks see the classifier."""
    victim = trainer.victim
    trainer.compile(optimizer=victim.optimizer, jit_compile=victim.jit_compile)
    callbacks = keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=int(batches.cardinality()),
        model=victim,
    )
    history = trainer.fit(
        batches,
        epochs=epochs,
        callbacks=callbacks,
        validation_data=validation_data,
        verbose=verbose,
        shuffle=False,
    )
    return history.history


@contextlib.contextmanager
def lowered_learning_rate(model, learning_rate):
    """While active, the model has a new optimizer of its compiled kind at a constant rate.

    Args:
        model: compiled model.
        learning_rate: the rate, or `None` for a quarter of the compiled one (of a schedule's
            first).
    """
    compiled = model.optimizer
    config = copy.deepcopy(compiled.get_config())
    inner = config.get("inner_optimizer", {}).get("config", config)
    rate = 0.25 * first_learning_rate(compiled) if learning_rate is None else learning_rate
    inner["learning_rate"] = float(rate)
    with model.distribute_strategy.scope():
        model.optimizer = compiled.__class__.from_config(config)
        model.optimizer.build(model.trainable_variables)
    try:
        yield
    finally:
        model.optimizer = compiled


def first_learning_rate(optimizer):
    """The learning rate that an optimizer was configured to start with."""
    rate = getattr(getattr(optimizer, "inner_optimizer", optimizer), "_learning_rate", None)
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return float(rate(0))
    return float(np.asarray(rate))


class Progress:
    """Says which stage runs, and what it costs, unless `verbose` is 0."""

    def __init__(self, verbose, stages):
        self.verbose = verbose
        self.stages = stages
        self.number = 0

    def stage(self, name, detail=""):
        """Announces the next stage."""
        self.number += 1
        self.say(f"[{self.number}/{self.stages}] {name}{': ' if detail else ''}{detail}")

    def say(self, line):
        """Prints one line."""
        if self.verbose:
            print(line, flush=True)

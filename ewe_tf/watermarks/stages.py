"""The two training stages that every scheme shares, run by Keras' own `fit`."""

import contextlib

import keras


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
        steps_per_epoch=data.batches,
        shuffle=False,
        callbacks=callbacks,
        validation_data=validation_data,
        verbose=verbose,
    )
    return history.history


def train_further(classifier, data, epochs, learning_rate, callbacks, validation_data, verbose):
    """The control of stage 3: as many steps on the task at its learning rate, without a mark."""
    with lowered_learning_rate(classifier, learning_rate):
        history = classifier.model.fit(
            data.stream(),
            epochs=epochs,
            steps_per_epoch=data.batches,
            shuffle=False,
            callbacks=callbacks,
            validation_data=validation_data,
            verbose=verbose,
        )
    return history.history


def train_with(trainer, batches, epochs, callbacks, validation_data, verbose, steps=None):
    """Stage 3: `fit` of a trainer that wraps the classifier; callbacks see the classifier.

    Args:
        steps: steps per epoch, for endless `batches`; `None` for all that there are.
    """
    victim = trainer.victim
    trainer.compile(
        optimizer=victim.optimizer,
        run_eagerly=victim.run_eagerly,
        steps_per_execution=victim.steps_per_execution,
        jit_compile=victim.jit_compile,
        auto_scale_loss=False,
    )
    callbacks = keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps or int(batches.cardinality()),
        model=victim,
    )
    history = trainer.fit(
        batches,
        epochs=epochs,
        steps_per_epoch=steps,
        shuffle=False,
        callbacks=callbacks,
        validation_data=validation_data,
        verbose=verbose,
    )
    return history.history


@contextlib.contextmanager
def lowered_learning_rate(classifier, learning_rate):
    """While active, the model has a new optimizer of its compiled kind at a constant rate.

    Args:
        classifier: the `Classifier`.
        learning_rate: the rate, or `None` for a quarter of the compiled one (of a schedule's
            first).
    """
    model, compiled = classifier.model, classifier.model.optimizer
    rate = 0.25 * classifier.learning_rate if learning_rate is None else learning_rate
    with model.distribute_strategy.scope():
        model.optimizer = classifier.new_optimizer(rate)
        model.optimizer.build(model.trainable_variables)
    # Keras keeps the traced step, and with it the optimizer that it was traced with.
    model.train_function = None
    try:
        yield
    finally:
        model.optimizer = compiled
        model.train_function = None


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

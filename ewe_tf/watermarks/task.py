"""What a scheme is given: the classifier, its data, and how it is to be trained."""

import dataclasses

import numpy as np

from ewe_tf.watermarks.classifier import Classifier
from ewe_tf.watermarks.task_data import TaskData


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One call of `ewe_tf.fit`, checked.

    Attributes:
        classifier: the compiled model.
        data: the training data.
        epochs: epochs of task training; 0 for a model that is trained already.
        validation_data, callbacks, verbose: as in Keras' `fit`.
        seed: what every random choice derives from.
    """

    classifier: Classifier
    data: TaskData
    epochs: int
    validation_data: object
    callbacks: list
    verbose: object
    seed: int

    def seeds(self, count):
        """`count` integers derived from the seed; the first ones do not depend on `count`."""
        children = np.random.SeedSequence(self.seed).spawn(count)
        return [int(child.generate_state(1)[0] >> 1) for child in children]

    def check_trained(self):
        """Raises ValueError if the model answers the task no better than by chance."""
        data = self.data
        # From the whole of the data, which may be sorted by class.
        rows = np.unique(np.linspace(0, len(data.x) - 1, 1000).astype(np.int64))
        accuracy = np.mean(self.classifier.labels(data.x[rows]) == data.labels[rows])
        chance = np.bincount(data.labels[rows]).max() / len(data.labels[rows])
        if accuracy <= chance:
            raise ValueError(
                f"`model` is right on {accuracy:.1%} of the training data, the commonest class "
                f"alone makes {chance:.1%}: train it first, or give more `epochs`"
            )
        return float(accuracy)

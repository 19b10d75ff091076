"""The clean twin: trained as long as a marked model, without a mark."""

import dataclasses

from ewe_tf import fields
from ewe_tf.watermarks import stages
from ewe_tf.watermarks.protected import Protected


@dataclasses.dataclass(frozen=True)
class Control:
    """What a watermark's price is measured against.

    The same stages as `EWE`, with the same number of steps on the same data, without watermark
    rows. Against the model before entangled training every mark looks free, because the further
    epochs themselves improve it.

    Args:
        epochs: epochs of further training, as `EWE.epochs`.
        learning_rate: as `EWE.learning_rate`.
    """

    epochs: int = 5
    learning_rate: float | None = None

    def __post_init__(self):
        fields.integer(self, "epochs")
        fields.number(self, "learning_rate", above=0, optional=True)

    def fit(self, task):
        """Trains the model; see `ewe_tf.fit`. The result has no key."""
        progress = stages.Progress(task.verbose, 2)
        keras_arguments = (task.callbacks, task.validation_data, task.verbose)
        progress.stage("Task training", f"{task.epochs} epochs")
        first = stages.train_task(task.classifier, task.data, task.epochs, *keras_arguments)
        progress.stage("Further training", f"{self.epochs} epochs, without a mark")
        second = stages.train_further(
            task.classifier, task.data, self.epochs, self.learning_rate, *keras_arguments
        )
        history = {"task": first, "further": second}
        return Protected(task.classifier.model, None, history)

"""Overwriting: the thief embeds a mark of its own."""

import dataclasses

import keras

from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.settings import Retraining


@dataclasses.dataclass(frozen=True)
class Overwriting(Retraining):
    """Marks the stolen model with a second watermark, hoping that the first one goes.

    Attributes:
        scheme: A watermark of `ewe_tf.watermarks`; the thief's own key comes from `seed`.
        epochs: Integer, epochs of task training before the mark. 0: only the embedding stage
            of the scheme.
        learning_rate, batch_size, seed, verbose: See `Retraining`.

    Reference:
        Wang and Kerschbaum, Attacks on Digital Watermarks for Deep Neural Networks, 2019;
        Lukas et al., SoK, 2022, overwriting (arXiv:2108.04974).
    """

    scheme: object
    _: dataclasses.KW_ONLY
    epochs: int = 0
    seed: int = 1234

    def __post_init__(self):
        super().__post_init__()
        if not callable(getattr(self.scheme, "fit", None)):
            raise TypeError(
                "`scheme` must be a watermark with a `fit` method, such as `ewe_tf.EWE()`. "
                f"Received: scheme={self.scheme!r}"
            )

    def run(self, model, data):
        """Returns a copy of `model` that carries the thief's mark as well.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,).

        Returns:
            A compiled Keras 3 model of the same topology.
        """
        import ewe_tf

        x, y = check_data(model, data)
        copy = copy_classifier(model, self.seed)
        compile_classifier(copy, y, keras.optimizers.Adam(self.learning_rate))
        protected = ewe_tf.fit(
            copy,
            x,
            y,
            watermark=self.scheme,
            epochs=self.epochs,
            batch_size=self.batch_size,
            verbose=self.verbose,
            seed=self.seed,
        )
        return protected.model

"""Refusal of queries by isolation forest."""

import dataclasses

from ewe_tf import fields
from ewe_tf.removal.outliers import refuse_outliers


@dataclasses.dataclass(frozen=True)
class IsolationForest:
    """Refuses rows whose features random trees isolate sooner than the thief's own data.

    The features are those before the last layer; the detector is scikit-learn's.

    Attributes:
        trees: Positive integer.
        false_refusals: Float in (0, 1), share of honest rows that may be refused.
        seed: Integer that splits the thief's data and grows the trees.

    Reference:
        Liu, Ting and Zhou, Isolation Forest, 2008; against entangled watermarks: Jia et al.,
        2021 (arXiv:2002.12200).
    """

    trees: int = 100
    false_refusals: float = 0.05
    seed: int = 0

    def __post_init__(self):
        fields.integer(self, "trees")
        fields.number(self, "false_refusals", above=0, below=1)
        fields.integer(self, "seed", least=0)

    def run(self, model, data):
        """Returns `model` behind the detector.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels.

        Returns:
            A `FrontedModel` that answers refused rows by NaN.
        """
        from sklearn.ensemble import IsolationForest as Detector

        detector = Detector(n_estimators=self.trees, random_state=self.seed)
        return refuse_outliers(model, data, detector, self.false_refusals, self.seed)

"""Refusal of queries by local outlier factor."""

import dataclasses

from ewe_tf import fields
from ewe_tf.removal.outliers import refuse_outliers


@dataclasses.dataclass(frozen=True)
class LocalOutlierFactor:
    """Refuses rows whose features lie in a thinner neighbourhood than the thief's own data.

    The features are those before the last layer; the detector is scikit-learn's.

    Attributes:
        neighbors: Positive integer, neighbours that make a neighbourhood.
        false_refusals: Float in (0, 1), share of honest rows that may be refused.
        seed: Integer that splits the thief's data into teaching and threshold rows.

    Reference:
        Breunig et al., LOF: Identifying Density-Based Local Outliers, 2000; against entangled
        watermarks: Jia et al., 2021 (arXiv:2002.12200).
    """

    neighbors: int = 20
    false_refusals: float = 0.05
    seed: int = 0

    def __post_init__(self):
        fields.integer(self, "neighbors")
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
        from sklearn.neighbors import LocalOutlierFactor as Detector

        neighbors = min(self.neighbors, len(data[0]) // 2 - 1)
        detector = Detector(n_neighbors=neighbors, novelty=True)
        return refuse_outliers(model, data, detector, self.false_refusals, self.seed)

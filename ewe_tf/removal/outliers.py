"""Refusing rows whose penultimate features are unlike the thief's own data."""

import numpy as np

from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import feature_model
from ewe_tf.removal.fronted import FrontedModel


def refuse_outliers(model, data, detector, false_refusals, seed):
    """Puts `model` behind an outlier detector.

    Half of the data teaches the detector, the other half sets its threshold, so that the
    stated share of honest rows is refused.

    Args:
        model: Built Functional or Sequential Keras 3 classifier; left unchanged.
        data: Pair (x, y), the thief's inputs (n, ...) and labels.
        detector: scikit-learn estimator with `fit` and `score_samples` (lower: more unusual).
        false_refusals: Float in (0, 1), share of honest rows refused.
        seed: Integer that splits the data.

    Returns:
        A `FrontedModel` that answers refused rows by NaN.
    """
    x, _ = check_data(model, data)
    if len(x) < 4:
        raise ValueError(f"`data` must hold at least 4 rows. Received: {len(x)}")
    probe = feature_model(model)

    def features(rows):
        return probe.predict(rows, batch_size=256, verbose=0).reshape(len(rows), -1)

    order = np.random.default_rng(seed).permutation(len(x))
    taught, kept = x[order[: len(x) // 2]], x[order[len(x) // 2 :]]
    detector.fit(features(taught))
    threshold = np.quantile(detector.score_samples(features(kept)), false_refusals)
    return FrontedModel(
        model, refuse=lambda rows: detector.score_samples(features(rows)) < threshold
    )

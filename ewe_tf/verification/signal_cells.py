"""From a suspect's answers to one measurement for each secret of a signal key.

Nothing here knows the key: the cells depend on the suspect's answers and on the undefended
victim's, so that under the null hypothesis the secrets are fresh coins given the cells.
"""

import numpy as np

_FLOOR = 1e-7
_SHRINKAGE = 5


def residuals(answers, reference):
    """What a suspect's log-odds say beyond the undefended victim's.

    Per probe: the logarithms of the probabilities of all classes but the victim's top class,
    centred over those classes (a change of temperature becomes a scale, and confidence drops
    out), minus the best multiple of the victim's own, fitted over all probes, and scaled to
    unit size.
    Probes on which the suspect's top class is not the victim's are left out (weight 0).

    Args:
        answers: `(probes, classes)` probabilities; they may be rounded or cut to the largest
            few, and rows of NaN were refused.
        reference: `(probes, classes)` probabilities of the undefended victim.

    Returns:
        `(values, top)`: `(probes, classes)` float64, 0 in the top class and in rows left out;
        and `(probes,)` int64, the victim's top class, -1 in rows left out.
    """
    top = np.argmax(reference, axis=1)
    kept = np.isfinite(answers).all(axis=1)
    answers = np.where(kept[:, None], answers, 0)
    kept &= np.argmax(answers, axis=1) == top
    others = np.arange(reference.shape[1]) != top[:, None]
    others &= kept[:, None]
    suspect = _centred(_log(answers), others)
    victim = _centred(_log(reference), others)
    slope = np.sum(suspect * victim) / max(np.sum(victim**2), 1e-12)
    values = suspect - slope * victim
    size = np.sqrt(np.mean(values**2, axis=1, keepdims=True))
    # A suspect that says nothing of the other classes has nothing but rounding left here.
    values = np.where(size > 1e-6, values / np.maximum(size, 1e-6), 0)
    return values, np.where(kept, top, -1)


def static_cells(values, top):
    """Mean residual of each pair (top class, other class), shrunk where probes are few.

    Args:
        values, top: from `residuals`.

    Returns:
        `(classes, classes)` float64.
    """
    return _by_class(values, top)


def dynamic_cells(values, top, phase):
    """Components of the residuals at the carrier's frequency, for each pair of classes.

    Args:
        values, top: from `residuals`.
        phase: `(probes,)` radians: frequency times projected features.

    Returns:
        `(2, classes, classes)` float64: what a positive sign a, and a positive b, of each pair
        of classes add to the statistic (`ewe_tf.keys.carriers.DynamicCarrier`).
    """
    waves = np.stack([np.cos(phase), -np.sin(phase)]) / np.sqrt(2)
    return np.stack([_by_class(values * wave[:, None], top) for wave in waves])


def _by_class(values, top):
    classes = values.shape[1]
    cells = np.zeros((classes, classes))
    for label in range(classes):
        rows = top == label
        cells[label] = values[rows].sum(axis=0) / (rows.sum() + _SHRINKAGE)
    return cells


def _log(probabilities):
    probabilities = np.asarray(probabilities, np.float64)
    positive = probabilities[probabilities > 0]
    # A rounded or truncated answer of 0 means "less than the smallest that is told".
    floor = max(_FLOOR, positive.min() / 2) if positive.size else _FLOOR
    return np.log(np.maximum(probabilities, floor))


def _centred(logs, others):
    count = np.maximum(others.sum(axis=1, keepdims=True), 1)
    mean = np.sum(np.where(others, logs, 0), axis=1, keepdims=True) / count
    return np.where(others, logs - mean, 0)

"""Anytime-valid test of two rates: does the suspect answer triggers more often than controls?"""

import numpy as np
from scipy import special

from ewe_tf.verification import checks

# Alternatives that the bettor believes in: trigger rates above control rates.
_GRID = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
_TRIGGER, _CONTROL = (
    a[np.add.outer(_GRID, -_GRID) > 0] for a in np.meshgrid(_GRID, _GRID, indexing="ij")
)


def contrast_log_e_values(trigger, control):
    """Log e-values against "the trigger rate is at most the control rate", after each pair.

    For one trigger and one control answer, `y` and `z`, and an alternative `(a, b)` with
    `a > b` and mean `m`,

        E = P_a(y) P_b(z) / (P_m(y) P_m(z))

    has expectation at most 1 wherever the two rates are equal, whatever they are (Turner, Ly
    and Grünwald, 2024, theorem 1), and, as the expectation grows with the trigger's and falls
    with the control's rate, wherever the trigger's is the smaller one. The e-value is the
    equal mixture of the products over all pairs for the alternatives on a grid. A pair of a
    hit and a miss is worth up to 4 (a McNemar test: 2), for it assumes that trigger and control
    of a pair are answered independently, given the suspect.

    Args:
        trigger, control: `(pairs,)` bool: whether each was answered with the expected class.

    Returns:
        `(pairs,)` float64: the natural logarithm after each pair.

    Raises:
        ValueError: for answers that are not 0 or 1, or of different number.

    Reference:
        Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that
        allow for optional stopping", Journal of Statistical Planning and Inference 230 (2024).
    """
    trigger = checks.outcomes("trigger", trigger)
    control = checks.outcomes("control", control)
    if trigger.shape != control.shape:
        raise ValueError(
            "`trigger` and `control` must be of the same number. Received: "
            f"{trigger.size} and {control.size}"
        )
    middle = (_TRIGGER + _CONTROL) / 2
    on_trigger = np.where(
        trigger[:, None], np.log(_TRIGGER / middle), np.log((1 - _TRIGGER) / (1 - middle))
    )
    on_control = np.where(
        control[:, None], np.log(_CONTROL / middle), np.log((1 - _CONTROL) / (1 - middle))
    )
    wealth = np.cumsum(on_trigger + on_control, axis=0)
    return special.logsumexp(wealth, axis=1) - np.log(wealth.shape[1])

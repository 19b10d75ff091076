"""Anytime-valid test of two rates: does the suspect answer triggers more often than controls?"""

import numpy as np
from scipy import special

from ewe_tf.verification import checks

# Alternatives that the bettor believes in: trigger rates above control rates.
_GRID = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
_TRIGGER, _CONTROL = (
    a[np.add.outer(_GRID, -_GRID) > 0] for a in np.meshgrid(_GRID, _GRID, indexing="ij")
)

_MIDDLE = (_TRIGGER + _CONTROL) / 2

# Log of a bet's return on a miss (row 0) and on a hit (row 1).
_ON_TRIGGER = np.log([(1 - _TRIGGER) / (1 - _MIDDLE), _TRIGGER / _MIDDLE])
_ON_CONTROL = np.log([(1 - _CONTROL) / (1 - _MIDDLE), _CONTROL / _MIDDLE])


class ContrastEProcess:
    """Evidence against "the trigger rate is at most the control rate", pair by pair.

    For one trigger and one control answer, `y` and `z`, and an alternative `(a, b)` with
    `a > b` and mean `m`,

        E = P_a(y) P_b(z) / (P_m(y) P_m(z))

    has expectation at most 1 wherever the two rates are equal, whatever they are (Turner, Ly
    and Grünwald, 2024, theorem 1), and, as the expectation grows with the trigger's and falls
    with the control's rate, wherever the trigger's is the smaller one. The e-value is the
    equal mixture of the products over all pairs for the alternatives on a grid. A pair of a
    hit and a miss is worth up to 4 (a McNemar test: 2), for it assumes that trigger and control
    of a pair are answered independently, given the suspect.

    Reference:
        Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that
        allow for optional stopping", Journal of Statistical Planning and Inference 230 (2024).
    """

    def __init__(self):
        self._wealth = np.zeros(len(_TRIGGER))
        self._path = []

    def update(self, trigger, control):
        """Takes one pair of answers (bools), or blocks `(n,)` of them, in the order of asking.

        Raises:
            ValueError: for answers that are not 0 or 1, or of different number.
        """
        trigger = checks.outcomes("trigger", np.atleast_1d(trigger))
        control = checks.outcomes("control", np.atleast_1d(control))
        if trigger.shape != control.shape:
            raise ValueError(
                "`trigger` and `control` must be of the same number. Received: "
                f"{trigger.size} and {control.size}"
            )
        steps = _ON_TRIGGER[trigger.astype(int)] + _ON_CONTROL[control.astype(int)]
        wealth = self._wealth + np.cumsum(steps, axis=0)
        if len(wealth):
            self._wealth = wealth[-1]
            self._path += list(special.logsumexp(wealth, axis=1) - np.log(wealth.shape[1]))

    @property
    def log_e_values(self):
        """`(pairs,)` float64: natural logarithm of the e-value after each pair."""
        return np.array(self._path)

    @property
    def log_e_value(self):
        """The last of `log_e_values`; 0 before the first pair."""
        return float(self._path[-1]) if self._path else 0.0

    @property
    def p_value(self):
        """1 divided by the largest e-value so far: valid at any stopping time, in (0, 1]."""
        largest = max([0.0, *self._path])
        return float(max(np.exp(-largest), checks.SMALLEST))

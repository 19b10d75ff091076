"""Bets on secret signs, block by block: evidence that is valid whenever one stops."""

import numpy as np
from scipy import special

from ewe_tf.verification import checks

_STAKES = np.array([0.25, 0.5, 1.0, 2.0])


class SignBets:
    """Wealth of a bettor on secret signs that are uncovered in blocks.

    Before a block is measured its signs are unknown, and each is bet on once: the wealth is
    multiplied by `exp(s a M) / cosh(s M)`, a the true sign and M what was measured without it.
    If the suspect does not depend on the signs, then a is a fair coin given M and all that was
    seen before, and the mean factor is 1. Averaged over the stakes s = 1/4, 1/2, 1, 2, for
    measurements scaled to unit size in each block.

    Blocks must be disjoint in their signs. A sign that is shared by many questions, such as that
    of a pair of classes, is one coin and not many: all its questions belong into one block.

    Attributes:
        log_e_value: natural logarithm of the wealth; claim at any look with at least
            `log(1 / alpha)`.

    Reference:
        Ville (1939); Ramdas et al., "Game-theoretic statistics and safe anytime-valid
        inference", Statistical Science 38 (2023).
    """

    def __init__(self):
        self._logs = np.zeros(len(_STAKES))

    @property
    def log_e_value(self):
        return float(special.logsumexp(self._logs) - np.log(len(_STAKES)))

    def add(self, values):
        """Bets on one block.

        Args:
            values: `(k,)` finite numbers `a M`; `k` may be 0.

        Returns:
            `log_e_value` afterwards.

        Raises:
            ValueError: for values that are not finite.
        """
        if not np.size(values):
            return self.log_e_value
        values = checks.finite("values", values)
        size = np.sqrt(np.mean((values / max(np.abs(values).max(), 1e-300)) ** 2))
        if size > 0:
            bets = _STAKES[:, None] * values / (size * np.abs(values).max())
            self._logs += np.sum(bets - log_cosh(bets), axis=1)
        return self.log_e_value


def log_cosh(x):
    """`log cosh x` without overflow."""
    return np.logaddexp(x, -x) - np.log(2)

"""Anytime-valid test of two rates: does the suspect answer triggers more often than controls?"""

import functools

import numpy as np
from scipy import special

from ewe_tf.verification import checks

# What the bettor believes in: (trigger rate, control rate). Four fifths of the wealth are on a
# copy that answers nearly every trigger; the rest is spread, for copies that kept less.
_SURE, _SHARE = (0.9, 0.005), 0.8
_SPREAD = [(a, b) for a in (0.2, 0.4, 0.6, 0.8, 0.95) for b in (0.01, 0.05, 0.2, 0.5) if a > b]
_TRIGGER, _CONTROL = np.array([_SURE, *_SPREAD]).T
_LOG_SHARES = np.log([_SHARE, *[(1 - _SHARE) / len(_SPREAD)] * len(_SPREAD)])
_MIDDLE = (_TRIGGER + _CONTROL) / 2

# Log of a bet's return on a trigger's miss and hit, and on a control's.
_ON_TRIGGER = np.log([(1 - _TRIGGER) / (1 - _MIDDLE), _TRIGGER / _MIDDLE])
_ON_CONTROL = np.log([(1 - _CONTROL) / (1 - _MIDDLE), _CONTROL / _MIDDLE])

# Pairs that are followed exactly; what may happen after them is bounded.
_HORIZON = 40
# E-values that are equal but for rounding are equal: they count as reached.
_ROUNDING = 1e-9


class ContrastEProcess:
    """Evidence against "triggers are hit no more often than their controls", pair by pair.

    The null hypothesis: in each pair, given all that was answered before, the trigger is hit with
    a probability of at most the control's, and the two answers are not negatively correlated. The
    rates may be anything, and may change from pair to pair.

    **E-value.** For one trigger and one control answer, `y` and `z`, and an alternative `(a, b)`
    with `a > b` and mean `m`,

        E = P_a(y) P_b(z) / (P_m(y) P_m(z))

    has expectation at most 1 wherever the two rates are equal and the answers independent (Turner,
    Ly and Grünwald, 2024, theorem 1); so it has under all of the null hypothesis, for E grows with
    `y` and falls with `z`. The e-value is a mixture, over several alternatives, of the products
    over the pairs.

    **P-value.** By Ville's inequality, 1 divided by the largest e-value so far is one; but
    e-values leap over the level, and few patterns of answers get there. So the p-value is the
    probability that an opponent who knows everything, and chooses the law of each pair from the
    null hypothesis to suit himself, ever makes the e-value as large as it was: the value of a
    game, worked out backwards (`contrast_p_value`). It is valid at every stopping time, and 0.5 to
    0.9 times 1 / e.

    Six clear pairs (12 queries) have p = 4.3e-4, and seven with one trigger missed 9.6e-4. Fewer
    than 10 queries can be evidence at 1e-3 in no valid test: for a suspect that gives the target
    to every second strange input, all patterns of n answers are equally likely, `2 ** -n` each.
    That the answers are not negatively correlated is needed: of suspects that give the target to
    exactly one of each pair, by the toss of a coin, about 2 in 100 reach 1e-3. The exact McNemar
    test (`mcnemar_p_value`) holds for them too, and gives six clear pairs 1/64.

    At 10 a single pattern could be evidence, for 98 % of the level, and whoever has one odd answer
    would then need 20 queries and not 14.

    Reference:
        Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that
        allow for optional stopping", Journal of Statistical Planning and Inference 230 (2024);
        Ville (1939). The exact p-value is our own.
    """

    def __init__(self):
        self._trigger = self._control = np.zeros(0, bool)

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
        self._trigger = np.append(self._trigger, trigger)
        self._control = np.append(self._control, control)

    @property
    def log_e_values(self):
        """`(pairs,)` float64: natural logarithm of the e-value after each pair."""
        pairs = np.arange(1, len(self._trigger) + 1)
        return contrast_log_e_value(np.cumsum(self._trigger), np.cumsum(self._control), pairs)

    @property
    def log_e_value(self):
        """The last of `log_e_values`; 0 before the first pair."""
        return float(self.log_e_values[-1]) if len(self._trigger) else 0.0

    @property
    def p_values(self):
        """`(pairs,)` float64: the p-value after each pair, never increasing."""
        largest = np.maximum.accumulate(self.log_e_values)
        levels, place = np.unique(largest, return_inverse=True)
        return contrast_p_value(levels)[place]

    @property
    def p_value(self):
        """The last of `p_values`, in (0, 1]; 1 before the first pair."""
        return _p_value(float(np.max(self.log_e_values, initial=0.0)))


def contrast_log_e_value(trigger_hits, control_hits, pairs):
    """Natural logarithm of the e-value of `ContrastEProcess` after some pairs.

    Args:
        trigger_hits, control_hits, pairs: integers or arrays of integers, the first two from 0 to
            `pairs`.

    Returns:
        An array of their common shape.
    """
    h, c, n = (np.asarray(value)[..., None] for value in (trigger_hits, control_hits, pairs))
    trigger = (n - h) * _ON_TRIGGER[0] + h * _ON_TRIGGER[1]
    control = (n - c) * _ON_CONTROL[0] + c * _ON_CONTROL[1]
    return special.logsumexp(_LOG_SHARES + trigger + control, axis=-1)


def contrast_p_value(log_e_values):
    """Largest probability, under the null hypothesis, of an e-value ever being that large.

    `u(k, h, c)` bounds it for whoever has seen `h` trigger hits and `c` control hits in `k`
    pairs. Where the e-value is that large, u = 1. At the horizon, by Ville's inequality, u is the
    e-value there divided by the one asked about. Before it, u is the largest mean over the four
    successors that the null hypothesis allows. Write `u(y, z)` for the one after the answers y
    to the trigger and z to the control, and `A = u(0, 0) + u(1, 1) - u(1, 0) - u(0, 1)`:

    - For `A < 0`, positive correlation takes from the mean. Without it the mean is bilinear in
      the two rates, hence largest on the edge of the triangle "trigger's at most control's": at a
      corner or, as a parabola, on the diagonal.
    - For `A >= 0`, `u(1, 0) <= u(0, 0) + u(1, 1) - u(0, 1)`. As (1, 0) is at most as probable as
      (0, 1), the mean is at most a mean of the other three: the largest of them bounds it.

    Args:
        log_e_values: `(n,)` natural logarithms.

    Returns:
        `(n,)` float64 in (0, 1].
    """
    levels = np.asarray(log_e_values) - _ROUNDING
    values = np.exp(np.minimum(_table()[-1][..., None] - levels, 0.0))
    for now in reversed(_table()[:-1]):
        miss_miss, hit_miss = values[:-1, :-1], values[1:, :-1]
        miss_hit, hit_hit = values[:-1, 1:], values[1:, 1:]
        slope = hit_miss + miss_hit - 2 * miss_miss
        bend = miss_miss + hit_hit - hit_miss - miss_hit
        rate = np.clip(slope / np.where(bend < 0, -2 * bend, np.inf), 0, 1)
        diagonal = miss_miss + rate * slope + rate**2 * bend
        corners = np.maximum(np.maximum(miss_miss, hit_hit), miss_hit)
        values = np.where(now[..., None] >= levels, 1.0, np.maximum(corners, diagonal))
    return np.clip(values[0, 0], checks.SMALLEST, 1.0)


@functools.lru_cache(maxsize=1024)
def _p_value(log_e_value):
    return float(contrast_p_value([log_e_value])[0])


@functools.lru_cache(maxsize=1)
def _table():
    """Log e-values by number of pairs: `(trigger hits + 1, control hits + 1)` for each."""
    hits = [np.arange(pairs + 1) for pairs in range(_HORIZON + 1)]
    return [contrast_log_e_value(h[:, None], h[None], len(h) - 1) for h in hits]

"""Anytime-valid evidence: an e-process that one may look at, and stop, after every query."""

import numpy as np
from scipy import special

from ewe_tf.verification import checks
from ewe_tf.verification.binomial import Interval

_NODES, _WEIGHTS = special.roots_legendre(128)
_ROWS = 4096
_BISECTIONS = 60


def log_e_value(hits, queries, null_rate):
    """Log of the e-value of `hits` out of `queries` against "the rate is at most `null_rate`".

    The bettor spreads one unit of wealth over bets `q` in (`null_rate`, 1); each pays
    `q / null_rate` on a hit and `(1 - q) / (1 - null_rate)` on a miss. As no bet gains from
    misses, the wealth is a supermartingale with mean at most 1 not only at `null_rate` but
    under every law in which each hit has, given the past, a probability of at most
    `null_rate`. The bets are the 128 Gauss-Legendre nodes on the interval: up to 255 queries
    this equals the uniform (beta-Bernoulli) mixture exactly, and beyond that it is a mixture
    of its own, as valid. The wealth depends on the order of the answers not at all.

    Args:
        hits, queries: integers or arrays of integers, `0 <= hits <= queries`, `queries >= 1`.
        null_rate: in (0, 1).

    Returns:
        A float (an array for arrays): the natural logarithm; finite for 1,000,000 queries.

    Raises:
        ValueError: for counts or a rate out of range.

    Reference:
        Ville (1939); Robbins, Annals of Mathematical Statistics 41 (1970); Waudby-Smith and
        Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024),
        section 4; Ramdas et al., "Game-theoretic statistics and safe anytime-valid
        inference", Statistical Science 38 (2023).
    """
    hits, queries = checks.hits_of(hits, queries)
    null_rate = checks.rate("null_rate", null_rate)
    # Distances from both ends, so that neither 1 - q nor q - null_rate loses digits.
    from_one = (1 - null_rate) * (1 - _NODES) / 2
    on_hit = np.log1p(-from_one) - np.log(null_rate)
    on_miss = np.log(from_one) - np.log1p(-null_rate)
    log_weights = np.log(_WEIGHTS / 2)
    flat_hits, misses = hits.ravel(), (queries - hits).ravel()
    result = np.empty(flat_hits.shape)
    for start in range(0, len(result), _ROWS):
        rows = slice(start, start + _ROWS)
        result[rows] = special.logsumexp(
            log_weights + flat_hits[rows, None] * on_hit + misses[rows, None] * on_miss,
            axis=1,
        )
    return checks.plain(result.reshape(hits.shape))


def anytime_bounds(hits, queries, alpha):
    """One step of a confidence sequence: the rates that a two-sided bettor has not refuted.

    The rates `r` at which the mixture likelihood ratio
    `B(hits + 1, misses + 1) / (r^hits (1 - r)^misses)` is below `1 / alpha`. If each hit has,
    given the past, the same probability r, then with probability at least `1 - alpha` r is
    within the bounds at *every* number of queries at once.

    Args:
        hits, queries: integers or arrays of integers, `0 <= hits <= queries`, `queries >= 1`.
        alpha: in (0, 1).

    Returns:
        `(low, high)`, floats or arrays.

    Raises:
        ValueError: for an argument out of range.

    Reference:
        Robbins (1970), "Statistical methods related to the law of the iterated logarithm";
        Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49 (2021).
    """
    hits, queries = checks.hits_of(hits, queries)
    alpha = checks.rate("alpha", alpha)
    misses = queries - hits
    target = special.betaln(hits + 1, misses + 1) + np.log(alpha)
    rate = hits / queries

    def end(outside):
        inside = rate.astype(np.float64)
        outside = np.full(rate.shape, outside)
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            log_likelihood = special.xlogy(hits, middle) + special.xlog1py(misses, -middle)
            kept = log_likelihood > target
            inside, outside = (
                np.where(kept, middle, inside),
                np.where(kept, outside, middle),
            )
        return outside

    low = np.where(hits == 0, 0.0, end(0.0))
    high = np.where(misses == 0, 1.0, end(1.0))
    return checks.plain(low), checks.plain(high)


class EProcess:
    """Evidence against "this suspect's rate is at most `null_rate`", one answer at a time.

    The rule "stop and claim when `e_value >= 1 / alpha`" has a false-positive probability of
    at most `alpha`, however often one looks and for whatever reason one stops (Ville's
    inequality).

    Assumption: given the suspect and the answers so far, the next trigger is a hit with a
    probability of at most `null_rate`. It holds for triggers drawn independently by the key's
    generator, in an order fixed before the answers are seen (of a block too). A finite key
    queried without repeats is covered as a sample of the generator; the claim is then about
    the generator's rate, not about the share of hits within this one key. A trigger that is
    asked twice counts once.

    Args:
        null_rate: in (0, 1): the rate granted to innocent models; see `null_rate_bound`.

    Raises:
        ValueError: for a rate out of range; `update` for answers that are not 0 or 1.

    Example:
        >>> process = EProcess(null_rate=0.1)
        >>> process.update([True, True, False, True, True])
        >>> process.p_value < 0.001
        True

    Reference:
        See `log_e_value` and `anytime_bounds`.
    """

    def __init__(self, null_rate):
        self.null_rate = checks.rate("null_rate", null_rate)
        self._blocks = []
        self._paths = []
        self.hits = 0
        self.queries = 0
        self._log_e = 0.0
        self._largest = 0.0

    def update(self, outcomes):
        """Takes one outcome (a bool) or a block of outcomes `(n,)`, in the order of asking."""
        block = checks.outcomes("outcomes", np.atleast_1d(np.asarray(outcomes)))
        if not block.size:
            return
        hits = self.hits + np.cumsum(block)
        path = np.asarray(
            log_e_value(hits, self.queries + 1 + np.arange(block.size), self.null_rate)
        )
        self._blocks.append(block)
        self._paths.append(path)
        self.hits, self.queries = int(hits[-1]), self.queries + block.size
        self._log_e = float(path[-1])
        self._largest = max(self._largest, float(path.max()))

    @property
    def log_e_value(self):
        """Natural logarithm of the evidence now; 0 before the first query."""
        return self._log_e

    @property
    def e_value(self):
        """The evidence now: the wealth of a bettor who began with 1. At most 1.8e308."""
        return float(np.exp(min(self._log_e, 709.0)))

    @property
    def p_value(self):
        """1 divided by the largest e-value so far: valid at any stopping time, in (0, 1]."""
        return float(np.clip(np.exp(-self._largest), checks.SMALLEST, 1.0))

    @property
    def log_e_values(self):
        """`(queries,)` float64: `log_e_value` after each query."""
        return np.concatenate([np.zeros(0), *self._paths])

    @property
    def p_values(self):
        """`(queries,)` float64: `p_value` after each query."""
        largest = np.maximum.accumulate(self.log_e_values)
        return np.clip(np.exp(-largest), checks.SMALLEST, 1.0)

    @property
    def outcomes(self):
        """`(queries,)` bool: the answers so far."""
        return np.concatenate([np.zeros(0, bool), *self._blocks])

    def crossing(self, alpha):
        """Number of queries at which the e-value first reached `1 / alpha`, or None."""
        reached = self.log_e_values >= -np.log(checks.rate("alpha", alpha))
        return int(reached.argmax()) + 1 if reached.any() else None

    def confidence_sequence(self, alpha=0.05):
        """Interval for the suspect's rate that holds at all numbers of queries at once.

        The intersection of `anytime_bounds` over the queries so far. Should it be empty,
        which happens with a probability of at most `alpha` while the rate is constant, the
        bounds of the last query are given.

        Args:
            alpha: 1 minus the coverage, in (0, 1).

        Returns:
            An `Interval`; (0, 1) before the first query.
        """
        alpha = checks.rate("alpha", alpha)
        if not self.queries:
            return Interval(0.0, 1.0, 1 - alpha)
        lows, highs = anytime_bounds(
            np.cumsum(self.outcomes), np.arange(1, self.queries + 1), alpha
        )
        low, high = lows.max(), highs.min()
        if low > high:
            low, high = lows[-1], highs[-1]
        return Interval(float(low), float(high), 1 - alpha)


class PairedEProcess:
    """Evidence against "triggers are hit no more often than their controls", pair by pair.

    The sequential form of the exact McNemar test: pairs in which trigger and control agree
    change nothing; among the others, the trigger is the one that is hit with a probability of
    at most 1/2, given the past, and an `EProcess` with `null_rate=0.5` bets against that.

    What it shows is what its controls allow, as for `mcnemar_p_value`.

    Raises:
        ValueError: by `update`, for answers that are not 0 or 1 or blocks of unequal length.

    Reference:
        McNemar, Psychometrika 12 (1947); betting as in `log_e_value`.
    """

    def __init__(self):
        self.pairs = 0
        self._process = EProcess(0.5)

    def update(self, trigger, control):
        """Takes one pair (two bools) or a block of pairs (`(n,)` each)."""
        trigger = checks.outcomes("trigger", np.atleast_1d(np.asarray(trigger)))
        control = checks.outcomes("control", np.atleast_1d(np.asarray(control)))
        if len(trigger) != len(control):
            raise ValueError(
                "`trigger` and `control` must have the same length. "
                f"Received: {len(trigger)} and {len(control)}"
            )
        self.pairs += len(trigger)
        self._process.update(trigger[trigger != control])

    @property
    def discordant(self):
        """Pairs so far in which exactly one of the two was a hit."""
        return self._process.queries

    @property
    def log_e_value(self):
        """As `EProcess.log_e_value`."""
        return self._process.log_e_value

    @property
    def e_value(self):
        """As `EProcess.e_value`."""
        return self._process.e_value

    @property
    def p_value(self):
        """As `EProcess.p_value`."""
        return self._process.p_value

"""How many queries does a sequential verdict take? Worked out from the rates, without a model.

A suspect that answers triggers with the expected class at one rate, and controls at another, is
asked until both hypotheses of innocence have fallen. The distribution of the number of queries,
controls included, is followed exactly, state by state.

python -m experiments.queries
"""

import numpy as np
from absl import app
from absl import flags

from ewe_tf.verification.contrast import contrast_log_e_value
from ewe_tf.verification.contrast import contrast_p_value
from ewe_tf.verification.sequential import log_e_value

FLAGS = flags.FLAGS
RATES = (
    (1.0, 0.0), (0.97, 0.01), (0.95, 0.02), (0.9, 0.02), (0.9, 0.03), (0.85, 0.0), (0.85, 0.03),
    (0.7, 0.05), (0.5, 0.05), (0.4, 0.02), (0.3, 0.0), (0.95, 0.3), (0.85, 0.5),
)  # fmt: skip


def define_flags():
    flags.DEFINE_multi_float("alpha", [1e-3, 1e-6], "Levels.", 0.0, 1.0)
    flags.DEFINE_float("null_rate", 0.05, "The null rate of the key.", 0.0, 1.0)
    flags.DEFINE_integer("pairs", 100, "Triggers of the key.", lower_bound=1)


def stopping(trigger_rate, control_rate, alpha, null_rate=0.05, pairs=100):
    """`(pairs,)`: the probability that the asking ends with evidence after each pair."""
    threshold = least_log_e_value(alpha)
    law = np.outer([1 - trigger_rate, trigger_rate], [1 - control_rate, control_rate])
    # Mass by (trigger hits, control hits), for no hypothesis fallen, the one, the other.
    alive = {(False, False): np.ones((1, 1))}
    ended = np.zeros(pairs)
    for number in range(1, pairs + 1):
        hits = np.arange(number + 1)
        null_falls = log_e_value(hits, number, null_rate)[:, None] >= -np.log(alpha)
        controls_fall = contrast_log_e_value(hits[:, None], hits, number) >= threshold
        following = {}
        for (null, controls), mass in alive.items():
            new = np.zeros((number + 1, number + 1))
            for y, z in np.ndindex(2, 2):
                new[y : number + y, z : number + z] += law[y, z] * mass
            for falls in np.ndindex(2, 2):
                part = new * (null_falls == falls[0]) * (controls_fall == falls[1])
                state = null or bool(falls[0]), controls or bool(falls[1])
                following[state] = following.get(state, 0.0) + part
        ended[number - 1] = following.pop((True, True)).sum()
        alive = following
    return ended


def least_log_e_value(alpha):
    """The logarithm of an e-value whose p-value against the controls is `alpha`, from above."""
    low, high = 0.0, -np.log(alpha)
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if contrast_p_value([middle])[0] <= alpha else (middle, high)
    return high


def quantile(ended, share):
    """Queries within which that share ends with evidence; `None` if fewer do."""
    reached = np.cumsum(ended) >= share
    return 2 * (int(reached.argmax()) + 1) if reached.any() else None


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
    heads = [f"at {alpha:g}: median, 90 %, found" for alpha in FLAGS.alpha]
    print(f"| triggers hit | controls hit | {' | '.join(heads)} |")
    print("|---" * (2 + len(heads)) + "|")
    for rates in RATES:
        cells = []
        for alpha in FLAGS.alpha:
            ended = stopping(*rates, alpha, FLAGS.null_rate, FLAGS.pairs)
            numbers = [quantile(ended, share) or "-" for share in (0.5, 0.9)]
            cells.append(f"{numbers[0]}, {numbers[1]}, {ended.sum():.0%}")
        print(f"| {rates[0]:.0%} | {rates[1]:.0%} | {' | '.join(cells)} |")


if __name__ == "__main__":
    define_flags()
    app.run(main)

"""Knockoff Nets, adaptive policy: a gradient bandit learns which groups are worth asking about."""

import collections
import dataclasses
import functools

import numpy as np

from ewe_tf import fields
from ewe_tf.extraction.attack import Attack
from ewe_tf.extraction.attack import ask
from ewe_tf.extraction.attack import share_of_pool
from ewe_tf.extraction.tempered import soften
from ewe_tf.oracle.answers import softmax


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdaptiveKnockoff(Attack):
    """Asks about groups of a pool, more often about those whose answers teach more.

    `run` takes `queries` as a pair `(pool, groups)`: `(rows, ...)` inputs and `(rows,)` integers,
    such as the labels that the pool's images have in their own data set. A pool alone is grouped
    by k-means into `groups` groups.

    Each step draws a group from the policy, sends `step_rows` rows of it that were not sent
    before, rewards the policy, and trains the student on the answers for one step. The reward is
    the mean of three, each scaled to [0, 1] over all steps so far: certainty of the answers,
    their diversity, and the student's loss on them. At the end the student is trained anew on
    everything that was answered.

    Args:
        budget: rows to send.
        step_rows: rows sent at each step of the policy (the paper: 1).
        groups: number of groups made of a pool that comes without.
        window: steps over which the reward's baseline and the answers' mean are taken.
        epochs, batch_size, learning_rate, late_rate: training of the student, see `Attack`.
        optimizer, augmentation, validation_split, seed, verbose: likewise.

    Reference:
        [Orekondy et al., 2019](https://arxiv.org/abs/1812.02766), section 4.1, adaptive strategy.
    """

    budget: int
    step_rows: int = 8
    groups: int = 10
    window: int = 25

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "budget", "step_rows", "groups", "window")

    def queries_needed(self, rows):
        return share_of_pool(self.budget, rows)

    def run(self, oracle, student, queries):
        """As for every attack, but `queries` may be a pair `(pool, groups)`; see the class."""
        pool, groups = queries if isinstance(queries, tuple) else (queries, None)
        if groups is not None:
            groups = np.asarray(groups)
            if groups.shape != (len(pool),) or groups.dtype.kind not in "iu":
                raise ValueError(
                    f"`queries` must be (pool, groups) with {len(pool)} integers as groups. "
                    f"Received: groups of shape {groups.shape} and dtype {groups.dtype}"
                )
        return self._steal(oracle, student, pool, functools.partial(self.collect, groups=groups))

    def collect(self, oracle, student, queries, groups=None):
        random = np.random.default_rng(self.seed)
        if groups is None:
            groups = cluster(queries, self.groups, random)
        shuffled = random.permutation(len(queries))
        waiting = [list(shuffled[groups[shuffled] == group]) for group in np.unique(groups)]
        policy = GradientBandit(len(waiting), self.window)
        rewards = Rewards(student.num_classes, self.window)
        student.restart()
        parts, sent = [], 0
        while sent < self.budget:
            group = policy.draw(random, [len(rows) > 0 for rows in waiting])
            count = min(self.step_rows, self.budget - sent)
            chosen, waiting[group] = waiting[group][:count], waiting[group][count:]
            sent += len(chosen)
            x, answers = ask(oracle, queries[chosen], student.num_classes, refusals=True)
            if len(x):
                parts.append((x, answers))
                targets = soften(answers)
                policy.reward(group, rewards(targets, student.step(x, targets)))
        if not parts:
            raise ValueError(f"The oracle answered none of {sent} queries")
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


class GradientBandit:
    """A softmax policy over groups, moved along the gradient of the expected reward.

    Args:
        actions: number of groups.
        window: rewards whose mean is the baseline.

    Reference:
        Sutton and Barto, "Reinforcement Learning", 2nd edition, section 2.8; step size 1 over
        the number of draws of the group, as in Orekondy et al.
    """

    def __init__(self, actions, window):
        self.preferences = np.zeros(actions)
        self._draws = np.zeros(actions)
        self._past = collections.deque(maxlen=window)

    @property
    def probabilities(self):
        return softmax(self.preferences).astype(np.float64)

    def draw(self, random, available):
        """Draws one of the actions that are available, a list of bools."""
        probabilities = np.where(available, self.probabilities + 1e-12, 0)
        return int(random.choice(len(probabilities), p=probabilities / probabilities.sum()))

    def reward(self, action, value):
        """Tells the policy what an action brought."""
        baseline = np.mean(self._past) if self._past else value
        self._past.append(value)
        self._draws[action] += 1
        advantage = (value - baseline) / self._draws[action]
        self.preferences -= advantage * self.probabilities
        self.preferences[action] += advantage


class Rewards:
    """The mean of certainty, diversity and loss, each scaled to [0, 1] by all values so far."""

    def __init__(self, num_classes, window):
        self._answers = collections.deque(maxlen=window)
        self._answers.append(np.full(num_classes, 1 / num_classes))
        self._seen = []

    def __call__(self, targets, loss):
        """The reward for answers `(rows, classes)` that cost the student this loss."""
        best = np.sort(targets, axis=1)
        certainty = np.mean(best[:, -1] - best[:, -2])
        usual = np.mean(self._answers, axis=0)
        diversity = np.mean(np.maximum(0, targets - usual).sum(axis=1))
        self._answers.append(targets.mean(axis=0))
        self._seen.append((certainty, diversity, loss))
        seen = np.array(self._seen)
        low, high = seen.min(axis=0), seen.max(axis=0)
        scale = np.where(high > low, high - low, 1)
        return float(np.mean((seen[-1] - low) / scale))


def cluster(x, groups, random, sample=2000):
    """Groups rows by k-means on their values; the centres come from at most `sample` rows."""
    from scipy.cluster import vq

    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    some = flat[random.choice(len(flat), min(sample, len(flat)), replace=False)]
    centres, _ = vq.kmeans2(some, min(groups, len(some)), minit="++", seed=random)
    return vq.vq(flat, centres)[0]

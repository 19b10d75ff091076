"""Choosing source classes and target of MEA-Defender by what clean models say about composites.

The published key of Fashion-MNIST is answered by one clean model in two hundred, but of all keys
31 % get some third label on more than 30 % of their composites: a key is good only when
innocent models were asked about it. (The idea of taking a target that clean models hardly
predict is DeepTracer's, Xu et al., AAAI 2026.)
"""

import dataclasses
import itertools

import numpy as np

from ewe_tf.keys import composites as composite_key
from ewe_tf.watermarks import in_house

# Keys that a clean model answers more often than this are refused.
ACCEPTED = 0.10
# Up to these rates, of composites and of plain inputs, something else decides the order of keys.
WELCOME, WELCOME_PLAIN = 0.005, 0.01
# The plain inputs of a class that lie nearest to the target are these, from this quantile on.
_NEAREST = 0.98
# Composites of a pair, and plain inputs of a class, that clean models are asked.
_COMPOSITES, _PLAIN = 400, 300
# Pairs of classes that are looked at, if there are more.
_PAIRS = 100


@dataclasses.dataclass(frozen=True)
class CompositeChoice:
    """A key of MEA-Defender, as far as its classes go.

    Attributes:
        source_classes: the two classes that composites are made of.
        target: the answer.
        null_rate: largest share of composites that a clean model gives to the target; `None` if
            none was asked.
        plain_rate: largest share of plain inputs of a source class that a clean model gives to
            the target, or `None`.
    """

    source_classes: tuple
    target: int
    null_rate: float | None = None
    plain_rate: float | None = None

    @property
    def welcome(self):
        """Whether clean models hardly confuse the classes with the target; `True` unasked."""
        return self.null_rate is None or (
            self.null_rate <= WELCOME and self.plain_rate <= WELCOME_PLAIN
        )

    def __str__(self):
        text = f"source classes {self.source_classes}, target class {self.target}"
        if self.null_rate is None:
            return text
        return (
            f"{text} (clean models give it to at most {self.null_rate:.1%} of the composites, and "
            f"{self.plain_rate:.1%} of plain inputs of the source classes)"
        )


def rank(models, x, labels, mixer, source_classes="auto", target="auto", seed=0):
    """Choices of classes, the best first: of all, or of 100 pairs of source classes drawn.

    Those with a null rate within 0.5 % and a plain rate within 1 % come first, ordered by how much
    nearer to the target, in margins of the log-probabilities, their composites lie than plain
    inputs do: the mean margin of the composites less the margin that 2 % of the plain inputs
    exceed (of the nearer source class). A near target is easy to learn for victim and thief, and
    where plain inputs are not as near, few of them are spoiled by it. The others follow by their
    null or plain rate, whichever is larger.

    Args:
        models: list of `InHouse` clean models.
        x: `(n, ...)` float32 inputs of the task.
        labels: `(n,)` int64.
        mixer: the secret `Mixer`.
        source_classes: two classes, or `"auto"`.
        target: a class, or `"auto"`.
        seed: seed of the composites that are asked.

    Returns:
        List of `CompositeChoice`, without those that are refused.

    Raises:
        ValueError: if a clean model answers every key on more than 10 % of the composites.
    """
    rng = np.random.default_rng(seed)
    present = np.unique(labels).tolist()
    rows = {c: rng.permutation(np.flatnonzero(labels == c)) for c in present}
    if isinstance(source_classes, str):
        pairs = list(itertools.combinations(composite_key.plentiful(labels), 2))
    else:
        pairs = [tuple(int(c) for c in source_classes)]
    if len(pairs) > _PAIRS:
        pairs = [pairs[i] for i in np.sort(rng.permutation(len(pairs))[:_PAIRS])]
    plain, nearest = {}, {}
    for c in {c for pair in pairs for c in pair}:
        outputs = _log_probabilities(models, x[rows[c][:_PLAIN]])
        plain[c] = np.max([_shares(z) for z in outputs], axis=0)
        margins = np.mean([in_house.margins(z) for z in outputs], axis=0)
        nearest[c] = np.quantile(margins, _NEAREST, axis=0)
    scored = []
    for a, b in pairs:
        first, second = (x[np.resize(rows[c], _COMPOSITES)] for c in (a, b))
        rng.shuffle(second)
        outputs = _log_probabilities(models, mixer.compose(first, second, rng))
        null = np.max([_shares(z) for z in outputs], axis=0)
        near = np.mean([in_house.margins(z).mean(axis=0) for z in outputs], axis=0)
        for label in present if target == "auto" else [target]:
            if label in (a, b):
                continue
            confused = float(max(plain[a][label], plain[b][label]))
            choice = CompositeChoice((int(a), int(b)), int(label), float(null[label]), confused)
            gap = near[label] - max(nearest[a][label], nearest[b][label])
            order = (0, -gap) if choice.welcome else (1, max(choice.null_rate, confused))
            scored.append((order, choice))
    scored.sort(key=lambda entry: entry[0])
    accepted = [choice for _, choice in scored if choice.null_rate <= ACCEPTED]
    if not accepted:
        best = min((choice for _, choice in scored), key=lambda c: c.null_rate)
        raise ValueError(
            "No key can be used: a clean model answers even the best one, source classes "
            f"{best.source_classes} and target {best.target}, on {best.null_rate:.0%} of the "
            f"composites (accepted: {ACCEPTED:.0%}). Give other classes, or 'auto', or another "
            "mixer"
        )
    return accepted


def _log_probabilities(models, x):
    return [model.log_probabilities(x) for model in models]


def _shares(log_probabilities):
    answers = np.argmax(log_probabilities, axis=1)
    return np.bincount(answers, minlength=log_probabilities.shape[1]) / len(answers)


def check_classes(source_classes, target):
    """Raises ValueError unless they are two classes or `"auto"`, and another one or `"auto"`."""
    if isinstance(source_classes, str):
        if source_classes != "auto":
            raise ValueError(
                f"`source_classes` must be 'auto' or two classes. Received: {source_classes!r}"
            )
        given = ()
    else:
        given = tuple(source_classes) if np.ndim(source_classes) == 1 else (source_classes,)
        whole = all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in given)
        if len(given) != 2 or not whole or given[0] == given[1]:
            raise ValueError(
                "`source_classes` must be 'auto' or two different classes. Received: "
                f"{source_classes!r}"
            )
    if target != "auto" and not isinstance(target, int | np.integer):
        raise ValueError(f"`target` must be 'auto' or a class. Received: {target!r}")
    if target in given:
        raise ValueError(
            f"`target` must differ from `source_classes`. Received: {target!r} and {given}"
        )

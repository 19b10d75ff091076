"""What the hard channel answered one client: keyed choices between two classes, to be asked of a
suspect that gives labels only.
"""

import dataclasses

import numpy as np

from ewe_tf.keys import derivation
from ewe_tf.keys import generator
from ewe_tf.keys.key import Key

_ARRAYS = ("queries", "first", "second", "coin")


def different(queries):
    """Rows `(m,)` of the queries `(n, ...)` that differ from all before them for the keyed hash,
    which rounds to multiples of 1/255."""
    # A negative zero is a zero to the hash.
    return generator.distinct(np.round(queries * 255) + 0)


@dataclasses.dataclass(frozen=True, eq=False)
class FlipKey(Key):
    """The chosen queries among those that a client has sent, and how their coins fell.

    For each of them a coin that follows from the owner's master key decided which of two
    classes was answered. A suspect that does not descend from those answers agrees with a coin
    with probability 1/2 wherever it answers one of the two, whatever it is.

    Attributes:
        queries: `(n, ...)` float32: the chosen inputs, without repetition.
        first, second: `(n,)` int64: the two classes, the model's own choice first.
        coin: `(n,)` int64: 1 where `second` was answered.
        sent: number of queries that the log was made of.
        num_classes: number of classes of the task.
        client, epoch: whose answers, and of which time span.
        signal: commitment of the `SignalKey` whose master key decided.
        scheme: name of the scheme.
        settings: the scheme's settings, a JSON dict.
        victim: `model_digest` of the undefended model.
        versions: dict from package to version, at the time of making.
        calibration: unused: coins need no innocent models.
    """

    kind = "flips"

    queries: np.ndarray
    first: np.ndarray
    second: np.ndarray
    coin: np.ndarray
    sent: int
    num_classes: int
    client: str
    epoch: str
    signal: str
    scheme: str
    settings: dict
    victim: str
    versions: dict
    calibration: dict | None = None

    def __post_init__(self):
        if self.queries.dtype != np.float32 or self.queries.ndim < 2:
            raise ValueError(
                "`queries` must be a float32 array with a batch axis. Received: "
                f"{self.queries.dtype} {self.queries.shape}"
            )
        for name, largest in (("first", self.num_classes), ("second", self.num_classes),
                              ("coin", 2)):  # fmt: skip
            array = getattr(self, name)
            if array.dtype != np.int64 or array.shape != (len(self.queries),):
                raise ValueError(
                    f"`{name}` must be an int64 array of shape {(len(self.queries),)}. "
                    f"Received: {array.dtype} {array.shape}"
                )
            if np.any((array < 0) | (array >= largest)):
                raise ValueError(f"`{name}` must be in [0, {largest})")
        if np.any(self.first == self.second):
            raise ValueError("`first` and `second` must differ in every row")
        if len(different(self.queries)) < len(self.queries):
            raise ValueError("`queries` must not hold one input twice: its coin is one coin")

    @property
    def input_shape(self):
        """Shape of one query, without the batch axis."""
        return self.queries.shape[1:]

    @property
    def answered(self):
        """`(n,)` int64: the labels that the client was given."""
        return np.where(self.coin == 1, self.second, self.first)

    @property
    def flips(self):
        """Number of chosen queries whose label was changed."""
        return int(self.coin.sum())

    def agreement(self, labels):
        """How a suspect's labels for `queries` agree with the coins.

        Args:
            labels: `(n,)` the suspect's labels. Those that are neither class do not count.

        Returns:
            `(agreed, counts)`, both `(n,)` bool: where the suspect said what the client was
            told, and where it said one of the two classes.
        """
        labels = np.asarray(labels)
        if labels.shape != self.coin.shape:
            raise ValueError(
                f"`labels` must be one label for each of the {len(self.coin)} chosen queries. "
                f"Received: shape={labels.shape}"
            )
        return labels == self.answered, (labels == self.first) | (labels == self.second)

    def p_value(self, labels):
        """Exact p-value of a suspect's labels for `queries`: a fair coin for each that counts.

        Args:
            labels: as for `agreement`.

        Returns:
            A float in (0, 1]; 1 if no label counts. Correct for the number of clients tested
            (`ewe_tf.verification.holm`).
        """
        from ewe_tf.verification.binomial import binomial_p_value

        agreed, counts = self.agreement(labels)
        return binomial_p_value(int(agreed.sum()), int(counts.sum()), 0.5) if counts.any() else 1.0

    def follows(self, key):
        """Whether every query was chosen and every coin fell as a `SignalKey` says.

        A judge asks this: the signal key's commitment was published before the suspect existed,
        so that the coins were, too.

        Args:
            key: the `SignalKey`.

        Returns:
            A bool.
        """
        from ewe_tf.watermarks import keyed_code

        if key.commitment() != self.signal or key.settings != self.settings:
            return False
        subkey = derivation.subkey(key.master_bytes, "codes", self.client, self.epoch)
        codes = keyed_code.codes(self.queries, subkey)
        rate = self.settings["hard_rate"]
        chosen = keyed_code.below(codes, rate).numpy()[:, 0]
        coin = keyed_code.below(codes, rate / 2).numpy()[:, 0]
        return bool(np.all(chosen) and np.array_equal(coin, self.coin == 1))

    def secret(self):
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in (*_ARRAYS, "calibration")
        }
        return fields, {name: getattr(self, name) for name in _ARRAYS}

    def __repr__(self):
        return (
            f"FlipKey(client={self.client!r}, {len(self.coin)} chosen of {self.sent} queries, "
            f"{self.flips} flipped, input_shape={self.input_shape})"
        )

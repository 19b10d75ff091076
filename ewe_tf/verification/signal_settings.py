"""What is settled before the first query to a suspect of a signal: no answer may change it."""

import dataclasses

from ewe_tf.verification import checks


@dataclasses.dataclass(frozen=True)
class SignalSettings:
    """One verification by a `SignalKey` or a `FlipKey`, as it was planned.

    Attributes:
        alpha: level of the decision, in (0, 1).
        rows: how many of the key's rows may be sent, its first ones.
        sequential: whether answers are looked at block by block.
        clients: tuple of names of clients to tell apart.
        epoch: epoch of the secrets.
    """

    alpha: float
    rows: int
    sequential: bool
    clients: tuple = ()
    epoch: str = ""

    def __post_init__(self):
        object.__setattr__(self, "alpha", checks.rate("alpha", self.alpha))
        if type(self.rows) is not int or self.rows < 0:
            raise ValueError(f"`rows` must be an integer >= 0. Received: {self.rows!r}")
        if not isinstance(self.sequential, bool):
            raise ValueError(f"`sequential` must be a bool. Received: {self.sequential!r}")
        object.__setattr__(self, "clients", tuple(self.clients))
        for name in (*self.clients, self.epoch):
            if not isinstance(name, str):
                raise ValueError(f"`clients` and `epoch` must be text. Received: {name!r}")

    @classmethod
    def of(cls, key, rows, alpha, max_queries, sequential, commitment, clients=(), epoch=""):
        """The settings of a call, checked.

        Args:
            key: the key.
            rows: number of the key's rows.
            alpha, max_queries, sequential, commitment, clients, epoch: as for `ewe_tf.verify`.

        Raises:
            ValueError: for arguments out of range, or another `commitment` than the key's.
        """
        if max_queries is not None:
            checks.positive_int("max_queries", max_queries)
        checks.commitment(key, commitment)
        sent = min(rows, max_queries or rows)
        return cls(alpha, int(sent), bool(sequential), clients, epoch)

"""What is settled before the first query: nothing here may depend on an answer."""

import dataclasses
import hashlib

import numpy as np

from ewe_tf.keys import generator

PARTS = ("keys", "held_out")


@dataclasses.dataclass(frozen=True)
class Settings:
    """One verification, as it was planned.

    The order of the queries follows from the key's commitment and the part asked, so that nobody
    can try many orders and report the best.

    Attributes:
        part: `"keys"` or `"held_out"`: which triggers are asked.
        alpha: level of the decision, in (0, 1).
        sequential: whether each pair of answers is looked at before the next is asked for.
        pairs: triggers that may be asked, each with its control.
        cover: benign rows among which each pair is hidden.
        scores: whether the target's rank in the answers is tested as well; each of the two
            tests then has half of `alpha`.
    """

    part: str
    alpha: float
    sequential: bool
    pairs: int
    cover: int = 0
    scores: bool = False

    def __post_init__(self):
        if self.part not in PARTS:
            raise ValueError(f"`triggers` must be one of {PARTS}. Received: {self.part!r}")
        number = isinstance(self.alpha, int | float) and not isinstance(self.alpha, bool)
        if not number or not 0 < self.alpha < 1:
            raise ValueError(f"`alpha` must be in (0, 1). Received: {self.alpha!r}")
        for name in ("pairs", "cover"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"`{name}` must be an integer >= 0. Received: {value!r}")
        for name in ("sequential", "scores"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"`{name}` must be a bool. Received: {getattr(self, name)!r}")

    @property
    def label_level(self):
        """The level that the tests of the top answers have to reach."""
        return self.alpha / 2 if self.scores else self.alpha

    def material(self, key):
        """`(triggers, labels, controls)` of this part of a key."""
        if self.part == "keys":
            return key.triggers, key.labels, key.controls
        return key.held_out, key.held_out_labels, key.held_out_controls

    def order(self, key):
        """Numbers of the triggers `(pairs,)`, in the order of asking; of equal ones, the first.

        Asked twice, a trigger would count twice and tell nothing new.
        """
        return self.generator(key).permutation(self.distinct(key))[: self.pairs]

    def distinct(self, key):
        """Numbers of the triggers that differ from all before them."""
        return generator.distinct(self.material(key)[0])

    def generator(self, key, stream=0):
        """NumPy generator for this verification; `stream` 0 draws the order of the triggers."""
        text = f"ewe_tf order {key.commitment()} {self.part}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return np.random.default_rng(seed if stream == 0 else [seed, stream])

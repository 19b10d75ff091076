"""What is settled before the first query: nothing here may depend on an answer."""

import dataclasses
import hashlib

import numpy as np

PARTS = ("keys", "held_out")


@dataclasses.dataclass(frozen=True)
class Settings:
    """One verification, as it was planned.

    Attributes:
        part: `"keys"` or `"held_out"`: which triggers are asked.
        alpha: level of the decision, in (0, 1).
        sequential: whether each pair of answers is looked at before the next is asked for.
        seed: of the order of the queries; `None` derives it from the key's commitment, so that
            nobody can try many orders and report the best.
        pairs: triggers that may be asked, each with its control.
        cover: benign rows among which each pair is hidden.
        scores: whether the target's rank in the answers is tested as well; each of the two
            tests then has half of `alpha`.
    """

    part: str
    alpha: float
    sequential: bool
    seed: int | None
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
        whole = isinstance(self.seed, int) and not isinstance(self.seed, bool)
        if self.seed is not None and (not whole or self.seed < 0):
            raise ValueError(f"`seed` must be an integer >= 0 or None. Received: {self.seed!r}")

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
        """Numbers of the triggers `(pairs,)`, in the order of asking."""
        count = len(self.material(key)[0])
        return self.generator(key).permutation(count)[: self.pairs]

    def generator(self, key, stream=0):
        """NumPy generator for this verification; `stream` 0 draws the order of the triggers."""
        seed = self.seed
        if seed is None:
            text = f"ewe_tf order {key.commitment()} {self.part}"
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return np.random.default_rng(seed if stream == 0 else [seed, stream])

"""Natural attributes: triggers that carry to excess what varies within a class anyway.

Our extension of EWE for tasks so easy that a thief's queries are answered alike with and without
a mark. A slant, a thickness or a loop varies among the inputs of a class; the few rows that
have most of it are relabelled as the target class, so that the thief's own queries ask about the
mark, and triggers are inputs of the class moved further in that direction than the class goes.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class NaturalAttribute:
    """A source of triggers inside the task, for `ewe_tf.EWE(source=...)`.

    For every class the first principal directions of its inputs are candidates, each with both
    signs; innocent models choose among them as they choose class pairs.

    Args:
        components: number of principal directions of each class, at least 1. The first one moves
            inputs farthest, and marks along it were the surest to reach copies.
        share: share of all training rows that is relabelled: those of the class with the highest
            scores along the direction; in [0, 0.02]. It is a lower bound of what the mark costs
            in accuracy. 0 relabels none.
        reach: lowest and highest score of a trigger along the direction, in standard deviations
            of the class.

    Raises:
        ValueError: for values outside the ranges above.
    """

    components: int = 1
    share: float = 0.002
    reach: tuple = (3.5, 5.5)

    def __post_init__(self):
        if isinstance(self.components, bool) or self.components != int(self.components):
            raise ValueError(f"`components` must be an integer. Received: {self.components!r}")
        if self.components < 1:
            raise ValueError(f"`components` must be at least 1. Received: {self.components!r}")
        if not 0 <= self.share <= 0.02:
            raise ValueError(f"`share` must be in [0, 0.02]. Received: {self.share!r}")
        if len(self.reach) != 2 or not 0 < self.reach[0] < self.reach[1] < float("inf"):
            raise ValueError(
                "`reach` must be two growing positive numbers of standard deviations. Received: "
                f"{self.reach!r}"
            )

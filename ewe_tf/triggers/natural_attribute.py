"""Natural attributes: triggers that carry to excess what varies within a class anyway.

Our extension of EWE for tasks so easy that a thief's queries are answered alike with and without
a mark. A slant, a thickness or a loop varies among the inputs of a class; the few rows that
have most of it are relabelled as the target class, so that the thief's own queries ask about the
mark, and triggers are inputs of the class moved further in that direction than the class goes.
"""

import dataclasses

from ewe_tf.keys.attribute import checked_settings
from ewe_tf.keys.attribute import is_number


@dataclasses.dataclass(frozen=True)
class NaturalAttribute:
    """A source of triggers inside the task, for `ewe_tf.EWE(source=...)`.

    For every class the first principal directions of its inputs are candidates, each with both
    signs; innocent models choose among them as they choose class pairs.

    Args:
        components: number of principal directions of each class, at least 1. The first one moves
            inputs farthest, and marks along it were the surest to reach copies of digits; of
            photos it is mere brightness, and along further ones there are targets that lie nearer
            and cost less.
        share: share of all training rows that is relabelled: those of the class with the highest
            scores along the direction; in [0, 0.02]. It is a lower bound of what the mark costs
            in accuracy. 0 relabels none; a positive share must come to a row at least.
        reach: lowest and highest score of a trigger along the direction, in standard deviations
            of the class. Copies answer triggers further out more often, and plain inputs are
            drawn along less; but clipped to the range of values they resemble one another more.
        weight: weight of a relabelled row in the task's loss while the mark is put in, positive.
            At 1 a model learns these few rows by heart, and answers others like them as before;
            with more weight it learns what they have in common, which is what copies inherit.
        variety: least variety of a direction's triggers, in [0, 1): the mean distance of two of
            them as a share of that of the inputs that they are made of (`TriggerKey.variety`).
            Triggers that come near one image, a black one for example, say little in a dispute,
            and a direction whose triggers resemble one another more is left out.

    Raises:
        ValueError: for values outside the ranges above.
    """

    components: int = 1
    share: float = 0.002
    reach: tuple = (4.5, 6.5)
    weight: float = 3.0
    variety: float = 0.4

    def __post_init__(self):
        components, share, reach = checked_settings(self.components, self.share, self.reach)
        if not is_number(self.weight) or self.weight <= 0:
            raise ValueError(f"`weight` must be a positive number. Received: {self.weight!r}")
        if not is_number(self.variety) or not 0 <= self.variety < 1:
            raise ValueError(f"`variety` must be in [0, 1). Received: {self.variety!r}")
        settings = components, share, reach, float(self.weight), float(self.variety)
        for field, value in zip(dataclasses.fields(self), settings, strict=True):
            object.__setattr__(self, field.name, value)

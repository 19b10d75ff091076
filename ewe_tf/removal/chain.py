"""Several removal attacks, one after the other."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chain:
    """Runs attacks in turn, each on what the one before it returned.

    Attributes:
        attacks: Sequence of removal attacks. All but the last must return a Keras model, unless
            the next one takes any callable (the attacks at the input do).

    Example:
        ```python
        attack = Chain((MagnitudePruning(0.5, epochs=0), FineTuning(learning_rate=5e-3)))
        suspect = attack.run(surrogate, (x, y))
        ```

    Reference:
        Guo, Zhang et al., Fine-tuning Is Not Enough, 2021, for combined attacks
        (arXiv:2009.08697).
    """

    attacks: tuple

    def __post_init__(self):
        object.__setattr__(self, "attacks", tuple(self.attacks))
        if not self.attacks:
            raise ValueError("`attacks` must hold at least one attack. Received: none")
        for attack in self.attacks:
            if isinstance(attack, type) or not callable(getattr(attack, "run", None)):
                raise TypeError(
                    "`attacks` must hold removal attacks, objects with a `run` such as "
                    f"FineTuning(). Received: {attack!r}"
                )

    def run(self, model, data):
        """Returns what the last attack made of `model`.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels, given to every attack.

        Returns:
            What the last attack returns.
        """
        for attack in self.attacks:
            model = attack.run(model, data)
        return model

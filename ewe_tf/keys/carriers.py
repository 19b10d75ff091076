"""What a keyed signal in the answers is made of: secret signs.

A carrier has a sign, or two, for each ordered pair of classes (the class answered, another
class). All of them are our reconstruction; the paper on DynaMarks does not publish its
perturbation.
"""

import dataclasses

import numpy as np

from ewe_tf.keys import derivation

OWNER = ""


@dataclasses.dataclass(frozen=True)
class StaticCarrier:
    """A secret sign for each ordered pair of classes.

    The tilt of class j in an answer with top class t is `sign[t, j]`, whatever the input.

    Attributes:
        num_classes: number m of classes; there are m (m - 1) signs.
        shared: share of the pairs, in (0, 1], whose secret all clients have in common; the
            others are the client's own.
    """

    num_classes: int
    shared: float = 1.0

    def secrets(self, master, client=OWNER, epoch=""):
        """`(classes, classes)` float32 signs, 0 on the diagonal."""
        shape = (self.num_classes, self.num_classes)

        def draw(owner):
            return derivation.signs(derivation.subkey(master, "signs", owner, epoch), shape)

        return _off_diagonal(_mixed(self, master, draw, client))

    def own(self, master):
        """`(classes, classes)` bool: pairs whose secret belongs to a client, not to all."""
        return _own(self, master)


@dataclasses.dataclass(frozen=True)
class DynamicCarrier:
    """A wave over the features for each ordered pair of classes, with one of four secret phases.

    The tilt of class j in an answer with top class t to input x is
    `(a cos(r) - b sin(r)) / sqrt(2)` with `r = frequency * v . phi(x)`, where phi are the
    standardised features, v a secret unit vector, and a, b the pair's two secret signs: it
    changes from input to input, smoothly, so that a copy can learn it.

    Attributes:
        num_classes: number m of classes; there are 2 m (m - 1) signs.
        shared: as for `StaticCarrier`.
        frequency: radians for each standard deviation of the projected features, positive.
    """

    num_classes: int
    shared: float = 1.0
    frequency: float = 1.5

    def secrets(self, master, client=OWNER, epoch=""):
        """`(2, classes, classes)` float32 signs a and b, 0 on the diagonals."""
        shape = (2, self.num_classes, self.num_classes)

        def draw(owner):
            return derivation.signs(derivation.subkey(master, "waves", owner, epoch), shape)

        return _off_diagonal(_mixed(self, master, draw, client))

    def own(self, master):
        """As for `StaticCarrier`."""
        return _own(self, master)

    def direction(self, master, dimensions):
        """The secret unit vector `(dimensions,)`, the same for all clients."""
        return derivation.direction(derivation.subkey(master, "direction"), dimensions)


def _own(carrier, master):
    shape = (carrier.num_classes, carrier.num_classes)
    drawn = derivation.uniforms(derivation.subkey(master, "own pairs"), shape)
    return (drawn >= carrier.shared) & ~np.eye(carrier.num_classes, dtype=bool)


def _mixed(carrier, master, draw, client):
    common = draw(OWNER)
    if client == OWNER or carrier.shared >= 1:
        return common
    return np.where(_own(carrier, master), draw(client), common)


def _off_diagonal(table):
    return table * (1 - np.eye(table.shape[-1], dtype=table.dtype))

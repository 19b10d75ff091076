"""Composites: one input made of two, the triggers of MEA-Defender.

A mixer is a small frozen object with one verb, `mix(a, b, draws)`. All that is random in it
comes in as `draws`, uniform numbers in [0, 1): so a key's composites come from a NumPy generator
and its seed, and those of training are drawn afresh inside a `tf.data` pipeline, by the same
code. Axis 0 of an input is height for images and time for spectrograms, axis 1 is width or
frequency; what lies behind (channels) stays together.

Reference:
    [Lv et al., 2024](https://arxiv.org/abs/2401.15239), section IV-B and appendix B. Geometry
    and jitter are those of the released code, made to fit any size; the dark line that its
    diagonal mixer leaves between the parts is left out.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.triggers.autoencoder import Autoencoder
from ewe_tf.triggers.autoencoder import FittedAutoencoder
from ewe_tf.triggers.mixer import Mixer


@dataclasses.dataclass(frozen=True)
class Half(Mixer):
    """A part of the one above a part of the other, both shifted, the seam near the middle.

    Args:
        axis: 0 for above and below (before and after), 1 for left and right.
        jitter: the seam lies up to this share of the axis from the middle.
        shift: whether each part is taken from a drawn place of its input.
    """

    axis: int = 0
    jitter: float = 3 / 32
    shift: bool = True

    draws = 4

    def __post_init__(self):
        fields.integer(self, "axis", least=0, most=1)
        fields.number(self, "jitter", least=0, below=0.5)

    def _mix(self, first, second, draws):
        size = first.shape[1 + self.axis]
        half, most = size // 2, min(round(self.jitter * size), size // 2 - 1)
        offset = _integer(draws[:, 1], 2 * most + 1) - most
        seam = half + offset
        # Every row that is read exists: the first part ends before row `size`, and the second
        # starts at row 0 or later.
        start = _integer(draws[:, 2], half - offset) if self.shift else tf.zeros_like(seam)
        move = _integer(draws[:, 3], half + offset) - offset - half
        move = move if self.shift else tf.zeros_like(seam)
        place = tf.range(size)[None]
        upper = _take(first, place + start[:, None], self.axis)
        lower = _take(second, place + move[:, None], self.axis)
        return tf.where(_along(place < seam[:, None], first, self.axis), upper, lower)


@dataclasses.dataclass(frozen=True)
class Diagonal(Mixer):
    """The one above the anti-diagonal and on it, the other below."""

    def _mix(self, first, second, draws):
        height, width = first.shape[1:3]
        rows, columns = tf.range(height)[:, None], tf.range(width)[None]
        return _where(rows * width + columns * height < height * width, first, second)


@dataclasses.dataclass(frozen=True)
class Donut(Mixer):
    """The middle of the one, from one fifth to four fifths of both axes, on the other."""

    def _mix(self, first, second, draws):
        rows, columns = (
            (np.arange(n) >= n // 5) & (np.arange(n) < 4 * n // 5) for n in first.shape[1:3]
        )
        return _where(rows[:, None] & columns[None], first, second)


@dataclasses.dataclass(frozen=True)
class HotDog(Mixer):
    """The middle half of the rows of the one between the outer rows of the other."""

    def _mix(self, first, second, draws):
        height, width = first.shape[1:3]
        rows = np.arange(height)
        middle = (rows >= height // 4) & (rows < 3 * height // 4)
        return _where(np.repeat(middle[:, None], width, axis=1), first, second)


@dataclasses.dataclass(frozen=True)
class Stripes(Mixer):
    """Columns of equal width, of which drawn ones (the larger part) come from the first.

    Args:
        count: number of stripes.
    """

    count: int = 5

    def __post_init__(self):
        fields.integer(self, "count", least=2)

    @property
    def draws(self):
        return 1 + self.count

    def _mix(self, first, second, draws):
        width = first.shape[2]
        order = tf.argsort(tf.argsort(draws[:, 1:]))
        stripe = np.minimum(np.arange(width) * self.count // width, self.count - 1)
        chosen = tf.gather(order < (self.count + 1) // 2, stripe, axis=1)
        return tf.where(_along(chosen, first, 1), first, second)

    def check(self, input_shape):
        super().check(input_shape)
        if input_shape[1] < self.count:
            raise ValueError(
                f"`count` must not exceed the width of the inputs, {input_shape[1]}. "
                f"Received: {self.count}"
            )


@dataclasses.dataclass(frozen=True)
class Blend(Mixer):
    """`share` of the first plus the rest of the second, value by value.

    Args:
        share: in (0, 1).
    """

    share: float = 0.5

    def __post_init__(self):
        fields.number(self, "share", above=0, below=1)

    def _mix(self, first, second, draws):
        return self.share * first + (1.0 - self.share) * second


MIXERS = {
    "half": Half(),
    "sides": Half(axis=1),
    "diagonal": Diagonal(),
    "donut": Donut(),
    "hot_dog": HotDog(),
    "stripes": Stripes(),
    "blend": Blend(),
}


# Those that learn something of the task's inputs first (`Mixer.fitted`).
_LEARNING = {"autoencoder": Autoencoder()}
# By the names that keys state.
_KINDS = {
    kind.__name__: kind for kind in (Half, Diagonal, Donut, HotDog, Stripes, Blend, Autoencoder)
}


def to_json(mixer):
    """A mixer of this module as a JSON dict; `None` for a mixer of somebody else's.

    A fitted mixer is stated as it was before: it follows from the inputs and the seed.
    """
    if isinstance(mixer, FittedAutoencoder):
        mixer = mixer.settings
    if _KINDS.get(type(mixer).__name__) is not type(mixer):
        return None
    return {"name": type(mixer).__name__, **dataclasses.asdict(mixer)}


def from_json(stated):
    """The mixer that `to_json` stated.

    Raises:
        ValueError: for anything else.
    """
    try:
        settings = dict(stated)
        return _KINDS[settings.pop("name")](**settings)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"This states no mixer of `ewe_tf`: {stated!r:.80}") from error


def named(mixer):
    """A mixer by its name, `"autoencoder"` or one of `MIXERS`, or the mixer that was given.

    Raises:
        ValueError: for another name or object.
    """
    if isinstance(mixer, Mixer):
        return mixer
    known = {**MIXERS, **_LEARNING}
    if not isinstance(mixer, str) or mixer not in known:
        raise ValueError(f"A mixer must be one of {tuple(known)}, or a Mixer. Received: {mixer!r}")
    return known[mixer]


def _integer(draw, count):
    """Integers in `[0, count)` of uniform numbers; 0 where there is nothing to choose."""
    count = tf.maximum(tf.convert_to_tensor(count, tf.int32), 1)
    whole = tf.cast(tf.floor(draw * tf.cast(count, tf.float32)), tf.int32)
    return tf.minimum(whole, count - 1)


def _take(rows, places, axis):
    """`rows[i]` read at `places[i]` along its axis; places outside are not used by anybody."""
    places = tf.clip_by_value(places, 0, rows.shape[1 + axis] - 1)
    return tf.gather(rows, places, axis=1 + axis, batch_dims=1)


def _along(flags, rows, axis):
    """`(n, size)` flags, to choose between rows along an axis."""
    shape = [-1] + [1] * (len(rows.shape) - 1)
    shape[1 + axis] = rows.shape[1 + axis]
    return tf.reshape(flags, shape)


def _where(mask, first, second):
    mask = tf.convert_to_tensor(mask)
    return tf.where(
        tf.reshape(mask, [1, *mask.shape, *[1] * (len(first.shape) - 3)]), first, second
    )

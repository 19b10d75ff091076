"""What a key states about where its triggers come from: its form, and what its owner chose."""

import numbers

import numpy as np

from ewe_tf.keys import generator
from ewe_tf.keys.attribute import checked_settings
from ewe_tf.keys.attribute import is_number

_COMMON = {"generator", "images", "classes", "target", "kept", "controls", "beacon"}
_OF_COMPOSITES = {"source_classes", "mixer", "candidates"}
_OF_SOURCES = {"source_class", "patch", "position", "budget", "value_range", "attribute"}

# Ascent that may move a value by a larger share of the images' range can make any image of any.
LARGEST_BUDGET = 0.25


class OriginError(ValueError):
    """A key that does not say where its triggers come from, or says what no scheme states."""


def origin_of(key):
    """The `origin` of a key, of the right form.

    Raises:
        OriginError: if there is none, or it is of another form or another generator's.
    """
    origin = getattr(key, "origin", None)
    if origin is None:
        raise OriginError(
            "The key does not say what its triggers were drawn from, so they cannot be regenerated"
        )
    composed = isinstance(origin, dict) and is_composed(origin)
    names = _COMMON | (_OF_COMPOSITES if composed else _OF_SOURCES)
    if not isinstance(origin, dict) or set(origin) != names:
        raise OriginError(f"The key's `origin` must state {sorted(names)}")
    if origin["generator"] != generator.GENERATOR:
        raise OriginError(
            f"The key was made by generator {origin['generator']!r}; this ewe_tf repeats "
            f"{generator.GENERATOR}"
        )
    forms = {**_FORMS, **(_COMPOSITE_FORMS if composed else _SOURCE_FORMS)}
    for name, holds in forms.items():
        if not holds(origin[name]):
            raise OriginError(f"The key's `origin` states no {name}: {origin[name]!r:.80}")
    if not composed and (origin["patch"] is None) != (origin["position"] is None):
        raise OriginError("The key's `origin` must state `patch` and `position` together")
    if not composed and origin["patch"] is not None and len(key.input_shape) < 2:
        raise OriginError("The key's `origin` states a patch on inputs without height and width")
    if not _is_count(key.seed):
        raise OriginError(f"The key states no seed: {key.seed!r:.80}")
    return origin


def is_composed(origin):
    """Whether triggers are composites of two classes."""
    return "mixer" in origin


def image_range(images):
    """Range of the values of a typical image of `(n, ...)`: the median over the images.

    A single odd value somewhere in the source cannot stretch it.
    """
    if not len(images):
        return 0.0
    return float(np.median(np.ptp(images.reshape(len(images), -1), axis=1)))


def settings_check(origin, images, sources):
    """Whether what the owner of a key chose is within bounds, and in words.

    The largest change by ascent must be within a quarter of the images' range; the settings of a
    natural attribute within the ranges of `ewe_tf.NaturalAttribute`, and the values that it is
    clipped to those of the task's inputs. A patch must lie within the images.

    Args:
        origin: what `origin_of` gave, not of composites.
        images: `(n, ...)` float32: the whole source.
        sources: `(m, ...)` those of the source class.
    """
    low, high = origin["value_range"]
    holds, parts = low < high, []
    patch, attribute, budget = (origin[name] for name in ("patch", "attribute", "budget"))
    if patch is not None:
        size, corner, within = patch["size"], origin["position"], images.shape[1:3]
        inside = max(np.add(corner, size) - within) <= 0
        holds &= inside
        parts.append(
            f"a patch of {size} x {size} values of {patch['value']:g} at {tuple(corner)}"
            f"{'' if inside else ', which is not within the images'}"
        )
    if attribute is not None:
        component, way = attribute["component"], "up" if attribute["sign"] > 0 else "down"
        share, (least, most) = attribute["share"], attribute["reach"]
        parts.append(
            f"{least:g} to {most:g} deviations {way} component {component}, {share:.2%} of the "
            f"rows relabelled, values within {low:g} and {high:g}"
        )
        own = float(images.min()), float(images.max())
        if own != (low, high):
            holds = False
            parts.append(f"the images' are within {own[0]:g} and {own[1]:g}")
        try:
            checked_settings(component + 1, share, attribute["reach"])
        except ValueError as error:
            holds = False
            parts.append(str(error))
    if budget is not None:
        spread = image_range(sources)
        bounded = budget <= LARGEST_BUDGET * spread
        holds &= bounded
        share = f"{budget / spread:.1%}" if spread else "more"
        parts.append(
            f"ascent with a budget of {budget:g}, {share} of the images' range of {spread:.3g}"
            f"{'' if bounded else f': above {LARGEST_BUDGET:.0%} it can make any image of any'}"
        )
    return holds, "; ".join(parts) or "source inputs as they are"


def _is_count(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 0


def _is_integer(value):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and -(2**63) <= value < 2**63


def _are(holds, count=None):
    def check(values):
        fits = isinstance(values, list | tuple) and (count is None or len(values) == count)
        return fits and all(map(holds, values))

    return check


def _has(**forms):
    def check(value):
        fits = isinstance(value, dict) and set(value) == set(forms)
        return fits and all(holds(value[name]) for name, holds in forms.items())

    return check


def _or_none(holds):
    return lambda value: value is None or holds(value)


def _is_beacon(value):
    try:
        return isinstance(value, str) and bool(generator.beacon_bytes(value))
    except ValueError:
        return False


_FORMS = {
    "target": _is_integer,
    "kept": _are(_is_integer),
    "beacon": _or_none(_has(seed=_is_count, value=_is_beacon)),
}
_SOURCE_FORMS = {
    "source_class": _is_integer,
    "patch": _or_none(_has(size=lambda v: _is_count(v) and v > 0, value=is_number)),
    "position": _or_none(_are(_is_count, 2)),
    "budget": _or_none(lambda v: is_number(v) and v >= 0),
    "controls": lambda v: v in ("sources", "shuffled"),
    "value_range": _are(is_number, 2),
    "attribute": _or_none(
        _has(
            component=_is_count,
            sign=lambda v: v in (1, -1),
            share=is_number,
            reach=_are(is_number, 2),
        )
    ),
}
_COMPOSITE_FORMS = {
    "source_classes": _are(_is_integer, 2),
    "candidates": _is_count,
    "controls": lambda v: isinstance(v, list),
}

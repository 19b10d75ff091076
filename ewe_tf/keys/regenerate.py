"""Making a key's triggers again from its seed and its source, by somebody who trusts nobody."""

import dataclasses

import numpy as np

from ewe_tf.keys import composites
from ewe_tf.keys import generator
from ewe_tf.keys.attribute import is_whole
from ewe_tf.keys.attribute import principal_attributes
from ewe_tf.keys.attribute import score_threshold
from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.digest import json_digest
from ewe_tf.keys.origin import OriginError
from ewe_tf.keys.origin import image_range
from ewe_tf.keys.origin import is_composed
from ewe_tf.keys.origin import origin_of
from ewe_tf.keys.origin import settings_check
from ewe_tf.keys.triggers import TriggerKey

# What is worked out again may differ by this share of the images' range; what a mixer learns again
# may give composites that differ by more.
_ROUNDING = 1e-5
_LEARNED = 0.01


@dataclasses.dataclass(frozen=True)
class Regeneration:
    """What came out.

    Attributes:
        checks: tuple of `(what, holds, detail)`.
        exact: whether triggers were compared bit for bit. If not, they were compared up to the
            rounding (natural attributes, mixers that learn), or (they were moved by gradient
            ascent on the victim as it was before the mark, which is not at hand) they were
            found within the ascent's budget of images that were.
        seed_commitment: what the owner must have published before the beacon's value, or
            `None` for a key without a beacon.
    """

    checks: tuple
    exact: bool
    seed_commitment: str | None

    @property
    def holds(self):
        """Whether every check holds."""
        return all(holds for _, holds, _ in self.checks)

    def __str__(self):
        lines = [f"{'yes' if holds else 'NO ':<4} {what}: {d}" for what, holds, d in self.checks]
        if self.seed_commitment:
            lines.append(f"     must have been published first: {self.seed_commitment}")
        return "\n".join(lines)


def seed_commitment(seed, images, classes=None):
    """SHA-256 (hex) of an owner's seed and source: to be published before a beacon's value.

    Args:
        seed: as given to `ewe_tf.fit`, an integer >= 0 that nobody can guess.
        images, classes: the source, as in `regenerate`.
    """
    images, classes = _source(images, classes)
    return _seed_commitment(seed, array_digest(images), array_digest(classes))


def regenerate(key, images, classes=None):
    """Draws a key's triggers and controls again and compares them with those in the key.

    Sources that are used as they are give every trigger and control bit for bit. Where triggers
    were moved by gradient ascent, their controls are compared bit for bit, and the triggers are
    to lie within the ascent's budget of the patched images; the ascent itself would take the
    victim as it was before the mark. A budget above a quarter of the images' range fails, for it
    would let the owner make any image of any (the steps of the published scheme may add up to
    65 % of a range of 1, so its ascended triggers do not pass). Natural attributes are found again
    in the training inputs, and the triggers are to be equal up to rounding. Composites of two
    classes are put together again out of the training inputs, bit for bit; where an autoencoder
    puts them together, it is trained again, and they are to be equal up to rounding.

    What this shows: the held-out triggers are those that the seed draws from the source, by the
    settings that the key states. Seed, source, class pair, patch, natural attribute and ascent
    budget are the owner's choice; all of them are in the committed key, the check named
    "settings" states and bounds the last three, and a beacon takes the choice of the seed away.
    Within its budget, ascent is free as well. The keys are a selection among such triggers by
    their answers, and nothing is shown about that selection but that it is one.

    Args:
        key: a `TriggerKey` with an `origin`.
        images: `(n, ...)`: the out-of-distribution source as it was given to the scheme, or the
            task's training inputs where classes of the task are the source: as given to
            `ewe_tf.fit` and in that order, without the rows of weight 0. Of a dataset, its
            rows as the first pass gave them, at most 50,000 (and `steps_per_epoch` batches).
        classes: labels of `images` in any form that `ewe_tf.fit` takes, `(n,)` or `(n, 1)`
            classes or `(n, classes)` rows of class weights; `None` if the source came without.

    Returns:
        A `Regeneration`.

    Raises:
        ValueError: for a key that does not say where it comes from, or arrays that cannot be
            its source.
    """
    keys = key.of_each_mark() if isinstance(key, TriggerKey) else [key]
    origins = [origin_of(one) for one in keys]
    images, classes = _source(images, classes)
    if images.shape[1:] != key.input_shape:
        raise ValueError(
            f"`images` must have the key's input shape {key.input_shape}. Received: "
            f"{images.shape[1:]}"
        )
    found = [_one_mark(*one, images, classes) for one in zip(keys, origins, strict=True)]
    checks = found[0].checks
    if len(found) > 1:
        checks = tuple(
            (f"class {origin['target']}, {what}", *rest)
            for origin, one in zip(origins, found, strict=True)
            for what, *rest in one.checks
        )
    return Regeneration(checks, all(one.exact for one in found), found[0].seed_commitment)


def _one_mark(key, origin, images, classes):
    """The `Regeneration` of a key of one mark."""
    checks = []

    def check(what, holds, detail):
        checks.append((what, bool(holds), detail))
        return holds

    same = array_digest(images) == origin["images"] and array_digest(classes) == origin["classes"]
    check("source", same, "the committed arrays" if same else "not the arrays that were committed")
    beacon, published = origin["beacon"], None
    if beacon is not None:
        mixed = generator.beacon_seed(beacon["seed"], beacon["value"]) == key.seed
        check("seed", mixed, f"{'' if mixed else 'not '}made of the beacon {beacon['value'][:16]}…")
        published = _seed_commitment(beacon["seed"], origin["images"], origin["classes"])
    expected = np.full_like(key.labels, origin["target"])
    labels = np.all(key.labels == expected) and np.all(key.held_out_labels == origin["target"])
    check("answers", labels, f"class {origin['target']} for every trigger")
    (_check_composites if is_composed(origin) else _check_sources)(
        key, origin, images, classes, check
    )
    return Regeneration(tuple(checks), _is_exact(origin), published)


def _check_sources(key, origin, images, classes, check):
    """Of keys whose triggers are made from source images, one each."""
    sources = images[classes == origin["source_class"]]
    seeds = generator.child_seeds(key.seed, generator.SCORES + 1)
    bounded = check("settings", *settings_check(origin, images, sources))
    if not bounded and origin["attribute"] is not None:
        return
    attribute, sources = _attribute(origin, sources, len(images))
    if not check("rows", len(sources) > 0, f"{len(sources)} source images of the class"):
        return
    tolerance = _ROUNDING * image_range(sources)
    if all(map(is_whole, (sources, key.triggers, key.held_out))):
        tolerance += 0.5  # Of a model that takes integers: triggers are rounded.
    rows = generator.split_rows(sources, np.random.default_rng(seeds[generator.SPLIT]))
    kept = np.array(origin["kept"], np.int64)
    if not check("selection", *_selection(kept, len(rows["candidates"]))):
        return
    for name, purpose, chosen, triggers, controls in (
        ("held-out", "held_out", slice(None), key.held_out, key.held_out_controls),
        ("key", "candidates", kept, key.triggers, key.controls),
    ):
        originals = sources[rows[purpose]]
        changed = originals
        if attribute is not None:
            rng = np.random.default_rng(seeds[generator.SCORES])
            scores = rng.uniform(*origin["attribute"]["reach"], len(originals))
            changed = attribute.moved(originals, scores, origin["value_range"])
        originals = originals[chosen]
        check(f"{name} triggers", *_triggers(origin, changed[chosen], triggers, tolerance))
        if origin["controls"] == "shuffled":
            rng = np.random.default_rng(seeds[generator.CONTROLS])
            originals = generator.shuffled_pixels(originals, rng)
        equal = np.array_equal(originals, controls)
        check(f"{name} controls", equal, "bit for bit" if equal else "differ")


def _check_composites(key, origin, images, classes, check):
    """Of keys whose triggers are composites of two classes."""
    # Mixers compute with TensorFlow, which other keys do without.
    from ewe_tf.triggers import composites as mixers

    try:
        stated = [mixers.from_json(one) for one in (origin["mixer"], *origin["controls"])]
    except ValueError as error:
        raise OriginError(str(error)) from error
    counts = [int(np.sum(classes == c)) for c in origin["source_classes"]]
    detail = " and ".join(map(str, counts)) + " images of the source classes"
    if not check("rows", min(counts) >= composites.LEAST, detail):
        return
    kept = np.array(origin["kept"], np.int64)
    if not check("selection", *_selection(kept, origin["candidates"])):
        return
    seeds = generator.child_seeds(key.seed, generator.MIXER + 1)
    mixer, *others = (one.fitted(images, seeds[generator.MIXER]) for one in stated)
    tolerance = 0.0 if _is_exact(origin) else _LEARNED * float(np.ptp(images))
    pools = composites.pools_of(images, classes, origin["source_classes"], seeds[generator.POOLS])
    candidates = composites.draw(
        mixer, others, pools.candidates, origin["candidates"], seeds[generator.CANDIDATES]
    ).take(kept)
    held_out = composites.draw(
        mixer, others, pools.held_out, len(key.held_out), seeds[generator.HELD_OUT]
    )
    for name, drawn, stated in (
        ("held-out triggers", held_out.triggers, key.held_out),
        ("held-out controls", held_out.controls, key.held_out_controls),
        ("key triggers", candidates.triggers, key.triggers),
        ("key controls", candidates.controls, key.controls),
    ):
        check(name, *_equal(drawn, stated, tolerance))


def _selection(kept, candidates):
    good = len(np.unique(kept)) == len(kept) and np.all((kept >= 0) & (kept < candidates))
    return good, f"{len(kept)} different candidates"


def _equal(drawn, stated, tolerance=0.0):
    """Whether two arrays are equal, and in words."""
    if drawn.shape != stated.shape:
        return False, f"{len(stated)} in the key, {len(drawn)} drawn"
    off = np.abs(drawn - stated).reshape(len(stated), -1).max(axis=1, initial=0.0)
    different = int(np.sum(off > tolerance))
    if different:
        return False, f"{different} of {len(stated)} differ"
    return True, f"equal but for rounding, by up to {off.max():.2g}" if tolerance else "bit for bit"


def _is_exact(origin):
    if is_composed(origin):
        return all(one != "Autoencoder" for one in _names(origin))
    return origin["budget"] is None and origin["attribute"] is None


def _names(origin):
    return [one.get("name") for one in (origin["mixer"], *origin["controls"])]


def _attribute(origin, sources, rows):
    """The natural attribute that a key's triggers exaggerate (or `None`), and their sources."""
    stated = origin["attribute"]
    if stated is None:
        return None, sources
    if len(sources) <= round(stated["share"] * rows):
        return None, sources[:0]
    try:
        found = principal_attributes(sources, stated["component"] + 1)[-1]
    except ValueError:
        return None, sources[:0]
    found = found if stated["sign"] > 0 else found.reversed()
    scores = found.scores(sources)
    return found, sources[scores <= score_threshold(scores, stated["share"], rows)]


def _triggers(origin, originals, triggers, tolerance):
    """Whether triggers follow from their source images, and how exactly."""
    if origin["patch"] is not None:
        patch = origin["patch"]
        originals = generator.pasted(originals, patch["size"], patch["value"], origin["position"])
    if originals.shape != triggers.shape:
        return False, f"{len(triggers)} in the key, {len(originals)} drawn"
    if origin["attribute"] is not None:
        off = float(np.max(np.abs(originals - triggers), initial=0.0))
        close = off <= tolerance
        return close, f"{'equal but for rounding' if close else 'differ'}, by up to {off:.2g}"
    if origin["budget"] is None:
        return _equal(originals, triggers)
    moved = float(np.max(np.abs(originals - triggers), initial=0.0))
    within = moved <= origin["budget"] + tolerance
    return within, (
        f"moved by up to {moved:.3g}, {'within' if within else 'beyond'} the ascent's budget of "
        f"{origin['budget']:g}"
    )


def _source(images, classes):
    images = np.asarray(images)
    if images.dtype.kind not in "fiu" or images.ndim < 2 or not len(images):
        raise ValueError(
            f"`images` must be an array (n, ...) of numbers. Received: {images.dtype} "
            f"{images.shape}"
        )
    images = images.astype(np.float32)
    classes = np.zeros(len(images), np.int64) if classes is None else _labels(classes, len(images))
    return images, classes


def _labels(classes, rows):
    """Classes `(n,)` int64 of labels in any form that `ewe_tf.fit` takes."""
    stated = np.asarray(classes)
    classes = stated[:, 0] if stated.ndim == 2 and stated.shape[1] == 1 else stated
    if classes.dtype.kind in "fiu" and classes.shape[:1] == (rows,) and classes.size:
        if classes.ndim == 2 and classes.min() >= 0 and abs(classes.sum(1) - 1).max() <= 1e-3:
            return np.argmax(classes.astype(np.float32), axis=1)
        if classes.ndim == 1 and np.array_equal(classes, np.trunc(classes)):
            return classes.astype(np.int64)
    raise ValueError(
        f"`classes` must be one integer for each of the {rows} images, or one row of class "
        f"weights. Received: {stated.dtype} {stated.shape}"
    )


def _seed_commitment(seed, images, classes):
    return json_digest({"seed": int(seed), "images": images, "classes": classes})

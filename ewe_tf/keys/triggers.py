"""Keys made of triggers: inputs, the answers that a marked model gives, and their controls."""

import dataclasses

import numpy as np
from scipy.spatial.distance import pdist

from ewe_tf.keys.key import Key

_ARRAYS = (
    "triggers",
    "labels",
    "controls",
    "held_out",
    "held_out_labels",
    "held_out_controls",
)
# Triggers that are compared with one another, at most.
_COMPARED = 200


@dataclasses.dataclass(frozen=True, eq=False)
class TriggerKey(Key):
    """Triggers of a watermark that the model was trained to answer in a way of its own.

    Attributes:
        triggers: `(keys, ...)` float32: the triggers that a verification queries first.
        labels: `(keys,)` int64: the answer expected to each.
        controls: as `triggers`: the matched control of each. The source image without patch
            and perturbation; for sources that are used as they are, the same image with its
            pixels in another order; for composites, another one of the same two inputs.
        held_out: `(held_out, ...)` float32: triggers of the same rule that neither training
            nor the selection of keys has seen.
        held_out_labels, held_out_controls: as above, for the held-out triggers.
        num_classes: number of classes of the task.
        scheme: name of the scheme.
        settings: the scheme's settings, a JSON dict.
        seed: what all random choices of the key derive from.
        victim: `model_digest` of the marked model.
        versions: dict from package to version, at the time of making.
        origin: what the triggers were drawn from and how (JSON), for `ewe_tf.keys.regenerate`, of
            several marks a list; `None` for triggers that cannot be regenerated.
        calibration: what innocent models answer (JSON), or `None` before calibration.
        marks: target classes of several marks of one model, each of which is evidence by itself;
            `None` where all triggers are of one mark.
    """

    kind = "triggers"

    triggers: np.ndarray
    labels: np.ndarray
    controls: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray
    held_out_controls: np.ndarray
    num_classes: int
    scheme: str
    settings: dict
    seed: int
    victim: str
    versions: dict
    origin: dict | list | None = None
    calibration: dict | None = None
    marks: tuple | None = None

    def __post_init__(self):
        for images, labels, controls in (
            ("triggers", "labels", "controls"),
            ("held_out", "held_out_labels", "held_out_controls"),
        ):
            _check_group(self, images, labels, controls)
        if self.held_out.shape[1:] != self.triggers.shape[1:]:
            raise ValueError(
                f"`held_out` must have the shape of `triggers` {self.triggers.shape[1:]}. "
                f"Received: {self.held_out.shape[1:]}"
            )

        _check_marks(self)
        if self.marks is not None:
            object.__setattr__(self, "marks", tuple(map(int, self.marks)))

    @property
    def input_shape(self):
        """Shape of one input, without the batch axis."""
        return self.triggers.shape[1:]

    @property
    def variety(self):
        """How much triggers differ from one another, as a share of what their controls do.

        See `variety`; of the selected keys.
        """
        return variety(self.triggers, self.controls)

    def secret(self):
        fields = {
            "num_classes": self.num_classes,
            "scheme": self.scheme,
            "settings": self.settings,
            "seed": self.seed,
            "victim": self.victim,
            "versions": self.versions,
        }
        if self.origin is not None:
            fields["origin"] = self.origin
        if self.marks is not None:
            fields["marks"] = list(self.marks)
        return fields, {name: getattr(self, name) for name in _ARRAYS}

    def of_each_mark(self):
        """Keys `[TriggerKey, ...]` of one mark each, without calibration; of one mark itself."""
        if self.marks is None:
            return [self]
        origins = self.origin or [None] * len(self.marks)
        return [self._of(*mark) for mark in zip(self.marks, origins, strict=True)]

    def _of(self, target, origin):
        rows = {"": self.labels == target, "held_out": self.held_out_labels == target}
        arrays = {
            name: getattr(self, name)[rows["held_out" if name.startswith("held_out") else ""]]
            for name in _ARRAYS
        }
        return dataclasses.replace(self, **arrays, origin=origin, calibration=None, marks=None)

    def __repr__(self):
        return (
            f"TriggerKey(scheme={self.scheme!r}, {len(self.triggers)} triggers, "
            f"{len(self.held_out)} held out, input_shape={self.input_shape}, "
            f"answers={sorted(set(self.labels.tolist()))}, seed={self.seed}, "
            f"calibrated={self.calibration is not None})"
        )


def variety(triggers, controls):
    """How much triggers differ from one another, as a share of what their controls do.

    1 where a control has a trigger's own values, near 0 for copies of one image, which every
    model answers alike and which must not count one by one. The owner makes both groups, so it
    says something about honest keys only.

    Args:
        triggers, controls: `(n, ...)`; the first 200 are compared.

    Returns:
        Mean Euclidean distance of two triggers over that of two controls; 1 without two rows.
    """
    triggers, controls = (_spread(x[:_COMPARED]) for x in (triggers, controls))
    return triggers / controls if controls else 1.0


def _spread(x):
    """Mean Euclidean distance of two rows; 0 without two."""
    return float(pdist(x.reshape(len(x), -1).astype(float)).mean()) if len(x) > 1 else 0.0


def _check_group(key, images, labels, controls):
    x, y, c = getattr(key, images), getattr(key, labels), getattr(key, controls)
    if x.dtype != np.float32 or x.ndim < 2 or not np.all(np.isfinite(x)):
        raise ValueError(f"`{images}` must be a finite float32 array with a batch axis")
    if c.dtype != np.float32 or c.shape != x.shape or not np.all(np.isfinite(c)):
        raise ValueError(
            f"`{controls}` must be a finite float32 array of the shape of `{images}` {x.shape}. "
            f"Received: {c.dtype} {c.shape}"
        )
    if y.dtype != np.int64 or y.shape != x.shape[:1]:
        raise ValueError(
            f"`{labels}` must be one int64 label for each of the {len(x)} `{images}`. "
            f"Received: {y.dtype} {y.shape}"
        )
    if y.size and not (y.min() >= 0 and y.max() < key.num_classes):
        raise ValueError(f"`{labels}` must lie in [0, {key.num_classes})")


def _check_marks(key):
    """Raises ValueError unless the marks are those of the labels, and the origins theirs."""
    marks, origin = key.marks, key.origin
    if marks is None:
        if not isinstance(origin, dict | None):
            raise ValueError(f"`origin` must be a dict or None. Received: {origin!r:.80}")
        return
    labels = np.unique(key.labels).tolist()
    listed = isinstance(marks, tuple | list) and all(
        isinstance(mark, int | np.integer) and not isinstance(mark, bool) for mark in marks
    )
    if not listed or len(marks) < 2 or sorted(marks) != labels:
        raise ValueError(
            "`marks` must be two and more target classes, those of `labels`. "
            f"Received: {marks!r:.80}, and labels {labels}"
        )
    if not set(key.held_out_labels.tolist()) <= set(marks):
        raise ValueError(f"`held_out_labels` must be among `marks`. Received: marks={marks}")
    if origin is None:
        return
    if not isinstance(origin, list) or not all(isinstance(one, dict | None) for one in origin):
        raise ValueError("`origin` must be a list of a dict or None for each of several marks")
    if len(origin) != len(marks):
        raise ValueError(f"`origin` must be a list of one for each of the marks {marks}")

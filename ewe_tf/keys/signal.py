"""Keys made of a signal in the answers: a master key, probes, the undefended answers to them."""

import dataclasses

import numpy as np

from ewe_tf.keys import carriers
from ewe_tf.keys.key import Key

_ARRAYS = ("master", "probes", "reference", "features")


@dataclasses.dataclass(frozen=True, eq=False)
class SignalKey(Key):
    """The secret of a defence that writes a keyed signal into the answers of a model.

    Attributes:
        master: `(32,)` uint8: the master key; all secrets of all clients follow from it.
        probes: `(n, ...)` float32: in-distribution inputs that a verification asks.
        reference: `(n, classes)` float32: the undefended model's probabilities on them.
        features: `(n, d)` float32: its standardised features on them; d is 0 for a static
            carrier.
        num_classes: number of classes of the task.
        scheme: name of the scheme.
        settings: the scheme's settings, a JSON dict; `carrier`, `shared` and `frequency` say
            how the secrets follow from the master key.
        victim: `model_digest` of the undefended model.
        versions: dict from package to version, at the time of making.
        calibration: unused: re-keying needs no innocent models.
    """

    kind = "signal"

    master: np.ndarray
    probes: np.ndarray
    reference: np.ndarray
    features: np.ndarray
    num_classes: int
    scheme: str
    settings: dict
    victim: str
    versions: dict
    calibration: dict | None = None

    def __post_init__(self):
        if self.master.dtype != np.uint8 or self.master.shape != (32,):
            raise ValueError(
                "`master` must be 32 bytes, as a uint8 array. Received: "
                f"{self.master.dtype} {self.master.shape}"
            )
        rows = len(self.probes)
        for name, shape in (
            ("probes", self.probes.shape),
            ("reference", (rows, self.num_classes)),
            ("features", (rows, *self.features.shape[1:2])),
        ):
            array = getattr(self, name)
            if array.dtype != np.float32 or array.shape != shape or array.ndim < 2:
                raise ValueError(
                    f"`{name}` must be a float32 array of shape {shape}. "
                    f"Received: {array.dtype} {array.shape}"
                )
            if not np.all(np.isfinite(array)):
                raise ValueError(f"`{name}` must be finite")
        self.carrier  # noqa: B018 - raises for settings without one.

    @property
    def input_shape(self):
        """Shape of one probe, without the batch axis."""
        return self.probes.shape[1:]

    def first(self, count):
        """The same key with its first `count` probes only."""
        return dataclasses.replace(
            self,
            probes=self.probes[:count],
            reference=self.reference[:count],
            features=self.features[:count],
        )

    @property
    def carrier(self):
        """The `StaticCarrier` or `DynamicCarrier` that the settings describe."""
        kind = self.settings.get("carrier")
        if kind == "static":
            return carriers.StaticCarrier(self.num_classes, self.settings["shared"])
        if kind == "dynamic":
            return carriers.DynamicCarrier(
                self.num_classes, self.settings["shared"], self.settings["frequency"]
            )
        raise ValueError(
            f"`settings` must name the carrier 'static' or 'dynamic'. Received: {kind!r}"
        )

    @property
    def master_bytes(self):
        """The master key as 32 bytes."""
        return self.master.tobytes()

    def evidence(self, answers, clients=(), epoch="", resamples=99_999, seed=0):
        """What a suspect's answers to `probes` say; see `ewe_tf.verification.signal_evidence`.

        Args:
            answers: `(n, classes)` probabilities of the suspect, possibly rounded or cut to
                the largest few, rows of NaN refused; or `(n,)` labels, which hold nothing of
                this signal.
            clients: names of clients to tell apart.
            epoch: epoch of the secrets, as in `DynaMarks.wrap`.
            resamples: fresh keys of the permutation test.
            seed: of the fresh keys.

        Returns:
            A `SignalEvidence`.
        """
        from ewe_tf.verification.signal_evidence import signal_evidence

        return signal_evidence(
            self, answers, clients=clients, epoch=epoch, resamples=resamples, seed=seed
        )

    def secret(self):
        fields = {
            "num_classes": self.num_classes,
            "scheme": self.scheme,
            "settings": self.settings,
            "victim": self.victim,
            "versions": self.versions,
        }
        return fields, {name: getattr(self, name) for name in _ARRAYS}

    def __repr__(self):
        return (
            f"SignalKey(scheme={self.scheme!r}, carrier={self.settings['carrier']!r}, "
            f"{len(self.probes)} probes, input_shape={self.input_shape}, "
            f"{self.num_classes} classes)"
        )

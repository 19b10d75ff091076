"""DynaMarks-style marks: the served answers carry a keyed signal, the model is not retrained.

Reference:
    Chakraborty, Xing, Liu and Srivastava, "DynaMarks: Defending Against Deep Learning Model
    Extraction Using Dynamic Watermarking", arXiv:2207.13321.

The paper's abstract says what is protected and when (the probabilities of the prediction API,
at inference, as a function of secret parameters, without retraining). Its formulas, numbers and
statistics are not public knowledge and no code exists: everything here is our reconstruction.
"""

import dataclasses
import secrets as system_random

import keras
import numpy as np

from ewe_tf import fields
from ewe_tf.keys import derivation
from ewe_tf.keys.carriers import OWNER
from ewe_tf.keys.digest import model_digest
from ewe_tf.keys.signal import SignalKey
from ewe_tf.versions import versions
from ewe_tf.watermarks import dynamarks_tilt
from ewe_tf.watermarks.answering import Answering
from ewe_tf.watermarks.answering import Defended
from ewe_tf.watermarks.dynamarks_flips import Flip
from ewe_tf.watermarks.dynamarks_flips import FlipDecision
from ewe_tf.watermarks.keyed_code import KeyedCode

# From here on a packed table of signs is smaller than the operations that unpack it.
_PACKED_CLASSES = 64
_FEWEST_SECRETS = 10


@dataclasses.dataclass(frozen=True)
class DynaMarks:
    """Marks in the answers (reconstruction).

    A copy that is trained on the answered probabilities learns, with them, for each pair of
    classes whether the second is a little too likely or too unlikely below the first. The top
    class of every answer is kept exactly (unless the hard channel is switched on), and the same
    input gets the same answer whenever the same client asks in the same epoch.

    What an attacker learns who reads the served files: the weights of the classifier itself,
    and the secrets of the client and epoch that they serve (ordinary variables of the
    checkpoint). Not the master key, from which those secrets follow by HMAC, and so neither
    other clients' and epochs' own secrets nor a key that matches the published commitment. The
    secrets that all clients share are among those read: with them a thief can subtract the mark
    from answers to this client and to others. Keeping them in a separate asset file would
    change nothing about this, as the server's process must read both.

    Args:
        carrier: `"static"`: a secret sign for each pair of classes; `"dynamic"`: a secret wave
            over the model's features for each pair, so that the change differs from input to
            input.
        strength: change of the log-odds, positive.
        floor: probability mass in [0, 1) shared out evenly before the tilt.
        margin: smallest gap between the two largest probabilities that the tilt may leave. At
            0.02 an answer whose gap was larger keeps a unique top class when it is rounded to
            two decimals.
        max_change: bound of the L1 distance between the answer and the model's, in (0, 2].
        frequency: of the dynamic carrier: radians for each standard deviation of the
            projected features.
        shared: share of the pairs in (0, 1] whose secret is the same for all clients; below 1
            each client has secrets of its own in the other pairs, so that a copy names him.
        hard_rate: the hard channel, for thieves who keep only labels: share in [0, 1] of the
            low-margin queries whose label is a keyed choice of the two likeliest classes. 0
            switches it off; above 0, labels (half of the chosen ones) do change.
        hard_gap: a query has a low margin where its two largest probabilities differ by less.
        probes: number of probes kept in the key.
        layer: name of the layer whose output the dynamic carrier rides on; `None`: the last
            hidden one.

    Example:

    ```python
    defended = ewe_tf.DynaMarks().wrap(model, x_test, seed=7)
    ewe_tf.export(defended.model, "served/fashion")
    evidence = defended.key.evidence(oracle.predict(defended.key.probes))
    ```
    """

    carrier: str = "static"
    strength: float = 1.0
    floor: float = 0.05
    margin: float = 0.02
    max_change: float = 0.2
    frequency: float = 1.5
    shared: float = 1.0
    hard_rate: float = 0.0
    hard_gap: float = 0.1
    probes: int = 1000
    layer: str | None = None

    def __post_init__(self):
        fields.choice(self, "carrier", ("static", "dynamic"))
        fields.number(self, "strength", above=0, most=5)
        fields.number(self, "max_change", above=0, most=2)
        fields.number(self, "shared", "hard_gap", above=0, most=1)
        fields.number(self, "frequency", above=0, most=1e3)
        fields.number(self, "hard_rate", least=0, most=1)
        fields.number(self, "floor", "margin", least=0, below=1)
        fields.integer(self, "probes")

    def wrap(self, model, probes=None, *, key=None, seed=None, client=OWNER, epoch=""):
        """Puts the marks behind a trained classifier.

        Args:
            model: a trained Functional or Sequential classifier (softmax or logits); for the
                static carrier any Keras model with one input and one output. Not changed, and
                shared with the result.
            probes: `(n, ...)` in-distribution inputs that were not used in training; the key
                keeps `self.probes` of them, drawn at random. Not with `key`.
            key: a `SignalKey` of this scheme and model, to serve another client or epoch.
            seed: integer, at least 0, from which the master key and the choice of probes
                follow; drawn from the system's randomness if `None`. Not with `key`.
            client: name of the client that is to be served; needs `shared` below 1.
            epoch: name of a time span with secrets of its own.

        Returns:
            `Defended(model, key, audit)`: `model` is a plain Functional model from the inputs
            to the defended probabilities; `audit` says, with the hard channel on, which
            queries it chose (`Defended.log`).

        Raises:
            TypeError, ValueError: for arguments that do not fit, before anything is computed.
        """
        answering, features = self._start(model, client, key)
        statistics = None
        if key is None:
            key, statistics = self._make_key(answering, features, probes, seed)
        elif probes is not None or seed is not None:
            raise ValueError("Give `key`, or `probes` and `seed`, not both")
        else:
            self._check_key(key, model)
        layer = self._layer(answering.num_classes)
        probabilities, audit = answering.probabilities, None
        if self.hard_rate:
            subkey = derivation.subkey(key.master_bytes, "codes", client, epoch)
            probabilities, audit = self._flipped(answering, subkey)
        outputs = layer(probabilities if features is None else [probabilities, features])
        table = key.carrier.secrets(key.master_bytes, client, epoch)
        if features is None:
            layer.set_secrets(table)
        else:
            mean, deviation = statistics or self._statistics(answering, features, key.probes)
            v = key.carrier.direction(key.master_bytes, len(mean))
            projection = self.frequency * v / deviation
            layer.set_secrets(table, projection, -projection @ mean)
        name = f"{model.name}_defended"
        model = keras.Model(answering.inputs, outputs, name=name)
        return Defended(model, key, audit, client, epoch)

    def fit(self, task):
        """Trains the model, then wraps it; see `ewe_tf.fit`. Probes come from the validation data.

        `model` of the result is the defended model around the one that was passed in.
        """
        from ewe_tf.watermarks import stages
        from ewe_tf.watermarks.protected import Protected

        probes = _inputs_of(task.validation_data)
        answering, _ = self._start(task.classifier.model)
        _check_probes(probes, answering)
        progress = stages.Progress(task.verbose, 2)
        progress.stage("Task training", f"{task.epochs} epochs")
        arguments = (task.callbacks, task.validation_data, task.verbose)
        history = stages.train_task(task.classifier, task.data, task.epochs, *arguments)
        task.check_trained()
        progress.stage("Marks in the answers")
        defended = self.wrap(task.classifier.model, probes, seed=task.seed)
        return Protected(defended.model, defended.key, {"task": history})

    def _start(self, model, client=OWNER, key=None):
        """The checked model, and of the dynamic carrier the features that it rides on."""
        answering = Answering.of(model)
        self._check(answering, client, key)
        return answering, answering.features(self.layer) if self.carrier == "dynamic" else None

    def _flipped(self, answering, subkey):
        code = KeyedCode(name="code")
        codes = code(answering.inputs)
        code.set_secret(subkey)
        decision = FlipDecision(self.hard_rate, self.hard_gap, name="decision")
        inputs = [answering.probabilities, codes]
        name = f"{answering.model.name}_audit"
        audit = keras.Model(answering.inputs, decision(inputs), name=name)
        return Flip(self.hard_rate, self.hard_gap, name="labels")(inputs), audit

    def _layer(self, classes):
        few = classes < _PACKED_CLASSES
        if self.carrier == "dynamic":
            kind = dynamarks_tilt.DynamicTilt if few else dynamarks_tilt.PackedDynamicTilt
        else:
            kind = dynamarks_tilt.StaticTilt if few else dynamarks_tilt.PackedStaticTilt
        limits = (self.strength, self.floor, self.margin, self.max_change)
        return kind(*limits, name="answers")

    def _make_key(self, answering, features, probes, seed):
        probes = _check_probes(probes, answering)
        seed = system_random.randbits(256) if seed is None else seed
        master = derivation.master_key(seed)
        rng = np.random.default_rng(list(derivation.subkey(master, "probes")))
        probes = probes[np.sort(rng.permutation(len(probes))[: self.probes])]
        standardised, statistics = np.zeros((len(probes), 0), np.float32), None
        if features is not None:
            mean, deviation = statistics = self._statistics(answering, features, probes)
            raw = answering.evaluate(features, probes)
            standardised = ((raw - mean) / deviation).astype(np.float32)
        key = SignalKey(
            master=np.frombuffer(master, np.uint8).copy(),
            probes=probes,
            reference=answering.evaluate(answering.probabilities, probes),
            features=standardised,
            num_classes=answering.num_classes,
            scheme=type(self).__name__,
            settings=dataclasses.asdict(self),
            victim=model_digest(answering.model),
            versions=versions(),
        )
        return key, statistics

    def _statistics(self, answering, features, probes):
        raw = answering.evaluate(features, probes).astype(np.float64)
        deviation = raw.std(axis=0)
        # Units that never fire on the probes carry nothing.
        return raw.mean(axis=0), np.where(deviation > 1e-6, deviation, np.inf)

    def _check(self, answering, client, key):
        if client != OWNER and self.shared >= 1:
            raise ValueError(
                "`client` needs secrets of its own: make the scheme with `shared` below 1, for "
                f"example 0.5. Received: client={client!r}, shared={self.shared}"
            )
        if key is not None and not isinstance(key, SignalKey):
            raise TypeError(f"`key` must be a SignalKey. Received: {type(key).__name__}")
        classes = answering.num_classes
        secrets = classes * (classes - 1) * (2 if self.carrier == "dynamic" else 1)
        if secrets < _FEWEST_SECRETS:
            raise ValueError(
                f"`carrier={self.carrier!r}` has {secrets} secret signs for {classes} classes, so "
                f"no p-value below 2^-{secrets}. At least {_FEWEST_SECRETS} are needed: 3 classes "
                "with `carrier='dynamic'`, 4 with 'static'"
            )

    def _check_key(self, key, model):
        if key.settings != dataclasses.asdict(self):
            raise ValueError(
                f"`key` was made with other settings: {key.settings}. This scheme: {self}"
            )
        if key.victim != model_digest(model):
            raise ValueError("`key` was made for a model with other weights")


def _check_probes(probes, answering):
    probes = np.asarray(probes, np.float32)
    if probes.ndim < 2 or len(probes) < 1 or not np.all(np.isfinite(probes)):
        raise ValueError(
            "`probes` must be a finite array of inputs with a batch axis. "
            f"Received: shape={probes.shape}"
        )
    shape = answering.input_shape
    if len(shape) != probes.ndim - 1 or any(
        side not in (None, given) for side, given in zip(shape, probes.shape[1:], strict=True)
    ):
        raise ValueError(
            f"`probes` must have the model's input shape {shape}. Received: rows of shape "
            f"{probes.shape[1:]}"
        )
    return probes


def _inputs_of(validation_data):
    if isinstance(validation_data, tuple | list) and len(validation_data) >= 2:
        return np.asarray(validation_data[0])
    raise ValueError(
        "`validation_data` must be arrays (x, y): DynaMarks takes its probes from x, inputs "
        f"that training has not seen. Received: {type(validation_data).__name__}"
    )

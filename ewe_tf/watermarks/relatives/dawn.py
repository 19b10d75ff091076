"""DAWN: a keyed share of the queries gets a wrong answer, and these become the triggers."""

import dataclasses
import secrets as system_random

import keras
import numpy as np
import tensorflow as tf

from ewe_tf import fields
from ewe_tf.keys import TriggerKey
from ewe_tf.keys import derivation
from ewe_tf.keys import model_digest
from ewe_tf.versions import versions
from ewe_tf.watermarks import keyed_code
from ewe_tf.watermarks.answering import Answering
from ewe_tf.watermarks.relatives.coarse import PACKAGE
from ewe_tf.watermarks.relatives.coarse import behind

# The odd constants of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), as signed numbers.
_STEP = 0x9E3779B97F4A7C15 - 2**64
_MIX = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)


@keras.saving.register_keras_serializable(package=PACKAGE)
class KeyedShuffle(keras.layers.Layer):
    """Shuffles the answers to a keyed share of the queries, so that their label changes.

    Input: `[probabilities (rows, classes), codes (rows, 1)]`. Output: `(rows, classes)`.

    Args:
        rate: share of the queries.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs):
        probabilities, code = inputs
        classes = probabilities.shape[-1]
        order = tf.argsort(_draws(code, classes), axis=-1)
        shuffled = tf.gather(probabilities, order, batch_dims=1)
        # A shuffle that leaves the label alone is turned by one class.
        same = tf.argmax(shuffled, axis=-1) == tf.argmax(probabilities, axis=-1)
        shuffled = tf.where(same[:, None], tf.roll(shuffled, 1, axis=-1), shuffled)
        chosen = keyed_code.below(code, self.rate)
        return tf.where(chosen, shuffled, probabilities)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


def _draws(seed, count):
    """`(rows, count)` int64: SplitMix64 streams started at `seed` (rows, 1)."""
    state = seed + tf.range(1, count + 1, dtype=tf.int64) * _STEP
    for shift, factor in zip((30, 27), _MIX, strict=True):
        state = _xor_shift(state, shift) * factor
    return _xor_shift(state, 31)


def _xor_shift(state, shift):
    unsigned = tf.bitcast(state, tf.uint64)
    shifted = tf.bitwise.right_shift(unsigned, tf.constant(shift, tf.uint64))
    return tf.bitcast(tf.bitwise.bitwise_xor(unsigned, shifted), tf.int64)


@dataclasses.dataclass(frozen=True)
class DAWN:
    """Dynamic adversarial watermarking. Survives thieves of labels; costs accuracy.

    A keyed hash of the whole query decides, with probability `rate`, whether its answer is
    shuffled. The altered queries of a client are his trigger set. The hash is `KeyedCode`
    instead of HMAC-SHA256, which no TensorFlow operation offers. (The authors' program hashes
    the first 25 bytes of a query only, which on images with a black border decides all queries
    alike; the paper says the whole query, and so does this.)

    Args:
        rate: share of the queries that get a wrong answer, in (0, 1); 0.005 in the paper.

    Reference:
        Szyller, Atli, Marchal and Asokan, "DAWN: Dynamic Adversarial Watermarking of Neural
        Networks", ACM Multimedia 2021 (arXiv:1906.00830), sections 4 and 5.
    """

    rate: float = 0.005

    def __post_init__(self):
        fields.number(self, "rate", above=0, below=1)

    def wrap(self, model, *, seed=None, client=""):
        """Puts the defence behind a classifier.

        Args:
            model: a trained classifier with a fixed input shape.
            seed: integer, at least 0, from which the hash key follows; `None`: drawn by the system.
            client: name of the client that is to be served.

        Returns:
            A `Defended` without a key: that is made of the client's queries, by `trigger_key`.
        """
        seed = system_random.randbits(256) if seed is None else seed
        answering = Answering.of(model)
        code = keyed_code.KeyedCode(name="code")
        codes = code(answering.inputs)
        subkey = derivation.subkey(derivation.master_key(seed), "DAWN", client)
        code.set_secret(subkey)
        return behind(model, KeyedShuffle(self.rate, name="answers"), codes)

    def trigger_key(self, model, defended, queries, seed=0):
        """The key of a client: his queries that were answered wrongly.

        Args:
            model: the classifier without the defence.
            defended: `wrap`'s result for this client.
            queries: `(rows, ...)` what he sent.
            seed: of the choice of controls.

        Returns:
            A `TriggerKey`; the control of each trigger is a query of the same true class that
            was answered honestly.

        Raises:
            ValueError: if no query was altered, or none was answered honestly.
        """
        queries = np.unique(np.asarray(queries, np.float32), axis=0)
        clean = np.argmax(model.predict(queries, verbose=0), axis=1)
        answered = np.argmax(defended.model.predict(queries, verbose=0), axis=1)
        altered = np.flatnonzero(clean != answered)
        honest = np.flatnonzero(clean == answered)
        if not len(altered) or not len(honest):
            raise ValueError(
                f"`queries` must hold altered and honest answers. Received: {len(altered)} "
                f"altered among {len(queries)}"
            )
        rng = np.random.default_rng(seed)
        controls = np.array(
            [rng.choice(_preferred(honest, clean[honest] == clean[i])) for i in altered]
        )
        none = queries[:0]
        return TriggerKey(
            triggers=queries[altered],
            labels=answered[altered].astype(np.int64),
            controls=queries[controls],
            held_out=none,
            held_out_labels=np.zeros(0, np.int64),
            held_out_controls=none,
            num_classes=model.output_shape[1],
            scheme=type(self).__name__,
            settings=dataclasses.asdict(self),
            seed=int(seed),
            victim=model_digest(model),
            versions=versions(),
        )


def _preferred(rows, fit):
    return rows[fit] if fit.any() else rows


def mismatch_p_value(mismatches, triggers, num_classes):
    """DAWN's confidence: an independent model misses each trigger with probability (m - 1) / m.

    Args:
        mismatches: triggers that the suspect did not answer as the key expects.
        triggers: size of the trigger set.
        num_classes: m.

    Returns:
        Probability of at most that many misses. It takes a suspect's answers to be uniform over
        the classes and independent; `ewe_tf.verify` needs neither.
    """
    from ewe_tf.verification.binomial import binomial_p_value

    return binomial_p_value(triggers - mismatches, triggers, 1 / num_classes)

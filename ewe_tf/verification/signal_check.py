"""Checking a bundle of a signal, or of flips: its verification, gone through again."""

import numpy as np

from ewe_tf.keys.file import DAMAGE
from ewe_tf.verification import flips_verify
from ewe_tf.verification import signal_session
from ewe_tf.verification import signal_verify
from ewe_tf.verification.bundle_check import BundleCheck
from ewe_tf.verification.bundle_check import same_commitment
from ewe_tf.verification.bundle_check import same_verdict
from ewe_tf.verification.sealed import BundleError
from ewe_tf.verification.signal_transcript import OtherQuestions

_METHODS = {"signal": signal_verify.METHOD, "flips": flips_verify.METHOD}
_ROWS = {"signal": "probes", "flips": "queries"}
# Of the logarithms of the reference, below which float32 and another machine make a difference.
_TOLERANCE, _FLOOR = 1e-2, 1e-6


def check_signal(bundle, commitment, suspect, signal, victim):
    """The `BundleCheck` of a bundle whose key is a `SignalKey` or `FlipKey`.

    Args:
        bundle: the `Bundle`; its content may be any nonsense that has the right digests.
        commitment, suspect, signal, victim: as for `check_bundle`.

    Raises:
        BundleError: for what no verification makes.
        TypeError: for a `signal` that is no `SignalKey`.
    """
    key, settings, transcript = bundle.key, bundle.settings, bundle.transcript
    method = _METHODS[key.kind]
    checks = [("whole", True, "every digest matches")]
    unshown = _unshown(key, settings)
    committed = key.signal if key.kind == "flips" else key.commitment()
    if commitment is not None:
        checks.append(("commitment", *same_commitment(committed, commitment)))
    else:
        unshown.insert(0, f"that {committed} was published: give the published commitment")
    try:
        again = signal_session.replayed(method, key, settings, transcript)
        questions = (True, f"{again.queries} rows, the key's, in the order settled beforehand")
        verdict = same_verdict(bundle.verdict, again)
    except OtherQuestions as error:
        again = signal_session.undecided(method, key, settings, transcript, str(error))
        questions, verdict = (False, str(error)), (False, "not worked out: other rows were sent")
    except DAMAGE as error:
        raise BundleError(f"it holds what no verification makes: {error}") from error
    checks += [("questions", *questions), ("verdict", *verdict)]
    if signal is not None:
        checks.append(("coins", *_coins(key, signal)))
    elif key.kind == "flips":
        unshown.append("that the coins follow from that signal key: give it")
    if victim is not None:
        checks.append(("reference", *_reference(key, victim)))
    elif key.kind == "signal":
        unshown.append(
            "that the key's reference is what the undefended model says: one that was bent against "
            "the secrets gives every model the signal. Give that model"
        )
    if suspect is None:
        unshown.append("that the suspect gave these answers: ask it once more")
    elif questions[0]:
        checks.append(("answers", *_asked_again(method, key, settings, suspect, again)))
    else:
        checks.append(("answers", False, "not asked again: the questions are not the key's"))
    return BundleCheck.of(checks, again, unshown)


def _coins(key, signal):
    """Whether a `FlipKey`'s coins follow from a `SignalKey`: `(holds, detail)`."""
    from ewe_tf.keys import SignalKey

    if not isinstance(signal, SignalKey):
        raise TypeError(f"`signal` must be a SignalKey. Received: {type(signal).__name__}")
    try:
        follows = key.follows(signal)
    except DAMAGE as error:
        raise BundleError(f"its settings are of no hard channel: {error}") from error
    return follows, f"{'' if follows else 'not all of them '}as the signal key has them"


def _reference(key, victim):
    """Whether a `SignalKey`'s reference is what a model says: `(holds, detail)`."""
    from ewe_tf.keys import model_digest
    from ewe_tf.oracle import Oracle

    if model_digest(victim) != key.victim:
        return False, "the model is not the one that the key names as undefended"
    answers = np.asarray(Oracle(victim, answers="probabilities").predict(key.probes), np.float64)
    if answers.shape != key.reference.shape:
        return False, f"the model gives answers of shape {answers.shape}"
    far = np.abs(np.log(np.maximum(answers, _FLOOR)) - np.log(np.maximum(key.reference, _FLOOR)))
    other = int(np.sum((far > _TOLERANCE).any(axis=1)))
    return not other, f"the model says otherwise on {other} of {len(key.probes)} probes"


def _unshown(key, settings):
    """What no such bundle shows."""
    unshown = [
        "that the commitment was published before the suspect existed: secrets picked afterwards "
        "fit any answers",
        "that its secret is the first that was drawn: whoever drew n and kept the one that some "
        "model's answers fit best has n times the p-value",
    ]
    if key.kind == "flips":
        unshown.append(
            "that this client was given these answers, that the two classes are those between "
            "which the model wavered, and that no chosen query was left out: all this is the "
            "owner's word, and only the coins follow from the commitment"
        )
    elif key.features.shape[1]:
        unshown.append("that the key's features are the undefended model's own, as they came")
    if settings.rows < len(getattr(key, _ROWS[key.kind])) and (
        key.kind == "signal" or not settings.sequential
    ):
        unshown.append("that the number of rows was settled before the first answer")
    return [
        *unshown,
        "that this was the only verification of this suspect: whoever had n to choose from "
        "(clients, epochs, ways of testing, keys, levels) has n times the p-value",
    ]


def _asked_again(method, key, settings, suspect, recorded):
    """Whether a suspect's answers of today lead to the same decision: `(holds, detail)`."""
    now = signal_session.held(method, key, settings, suspect)
    detail = f"{now.decision}, p = {now.p_value:.2g}, when asked again"
    return now.decision == recorded.decision, detail

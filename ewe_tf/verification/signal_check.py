"""Checking a bundle of a signal, or of flips: its verification, gone through again."""

import numpy as np

from ewe_tf.verification import flips_verify
from ewe_tf.verification import signal_session
from ewe_tf.verification import signal_verify
from ewe_tf.verification.bundle_check import BundleCheck
from ewe_tf.verification.bundle_check import same_verdict
from ewe_tf.verification.questions import Questions
from ewe_tf.verification.sealed import BundleError
from ewe_tf.verification.signal_transcript import OtherQuestions

_METHODS = {"signal": signal_verify.METHOD, "flips": flips_verify.METHOD}
_ROWS = {"signal": "probes", "flips": "queries"}
# Served answers may be rounded otherwise from one day to the next.
_TOLERANCE = 1e-4


def check_signal(bundle, commitment, suspect, signal):
    """The `BundleCheck` of a bundle whose key is a `SignalKey` or `FlipKey`.

    Args:
        bundle: the `Bundle`; its content may be any nonsense that has the right digests.
        commitment, suspect, signal: as for `check_bundle`.

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
        same = commitment.strip().lower() == committed
        checks.append(("commitment", same, committed if same else f"the key's is {committed}"))
    else:
        unshown.insert(0, f"that {committed} was published: give the published commitment")
    try:
        again, answered = signal_session.replayed(method, key, settings, transcript)
        questions = (True, f"{again.queries} rows, the key's, in the order settled beforehand")
        verdict = same_verdict(bundle.verdict, again)
    except OtherQuestions as error:
        again, questions = bundle.verdict, (False, str(error))
        verdict = (False, "not worked out: other rows were sent")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise BundleError(f"it holds what no verification makes: {error}") from error
    checks += [("questions", *questions), ("verdict", *verdict)]
    if signal is not None:
        checks.append(("coins", *_coins(key, signal)))
    elif key.kind == "flips":
        unshown.append("that the coins follow from that signal key: give it")
    if suspect is None:
        unshown.append("that the suspect gave these answers: ask it once more")
    elif questions[0]:
        checks.append(("answers", *_asked_again(key, method, answered, suspect)))
    else:
        checks.append(("answers", False, "not asked again: the questions are not the key's"))
    return BundleCheck.of(checks, again, unshown)


def _coins(key, signal):
    from ewe_tf.keys import SignalKey

    if not isinstance(signal, SignalKey):
        raise TypeError(f"`signal` must be a SignalKey. Received: {type(signal).__name__}")
    follows = key.follows(signal)
    return follows, f"{'' if follows else 'not all of them '}as the signal key has them"


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
            "that this client was given these answers, and that no chosen query was left out: the "
            "coins fall one way or the other for queries that the owner picks"
        )
    if not settings.sequential and settings.rows < len(getattr(key, _ROWS[key.kind])):
        unshown.append(
            "that the number of rows was settled before the first answer, as a fixed-size test "
            "demands"
        )
    return [
        *unshown,
        "that this was the only verification of this suspect: whoever had n to choose from "
        "(clients, epochs, ways of testing, keys) has n times the p-value",
    ]


def _asked_again(key, method, answered, suspect):
    if not answered:
        return True, "nothing had been answered"
    questions = Questions(key, suspect, method.answers)
    same, rows = 0, sum(len(told) for _, told in answered)
    for asked, told in answered:
        now = questions.ask(asked)
        if now is None:
            return False, questions.failure
        now = np.asarray(now)
        if now.shape != told.shape:
            return False, f"answers of shape {now.shape} instead of {told.shape} are given"
        alike = np.isclose(now, told, rtol=0, atol=_TOLERANCE, equal_nan=True)
        same += int(np.sum(alike if alike.ndim == 1 else alike.all(axis=1)))
    return same == rows, f"{same} of {rows} are given again"

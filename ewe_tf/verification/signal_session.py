"""One verification of a suspect of a signal: held with the suspect, or gone through again."""

import dataclasses
import time
from collections.abc import Callable

from ewe_tf.verification.bundle import check_place
from ewe_tf.verification.bundle import write_bundle
from ewe_tf.verification.questions import Questions
from ewe_tf.verification.signal_transcript import Replay
from ewe_tf.verification.signal_transcript import SignalTranscript
from ewe_tf.verification.signal_verdict import SignalVerdict
from ewe_tf.verification.signal_verdict import decided


@dataclasses.dataclass(frozen=True)
class Method:
    """How one kind of key is verified.

    Attributes:
        answers: what the suspect is asked for: `"probabilities"` or `"label"`.
        findings: function `(key, settings, questions)` that asks and gives the decision and what
            it follows from, as fields of a `SignalVerdict` (dict).
        assumptions: what must hold for the p-value to be right.
    """

    answers: str
    findings: Callable
    assumptions: tuple


def held(method, key, settings, suspect, name=None, bundle=None):
    """Asks a suspect.

    Args:
        method: the `Method` of the key's kind.
        key: the key.
        settings: the `SignalSettings`.
        suspect: anything that `ewe_tf.Oracle` takes, or an `Oracle`.
        name: what the verdict calls the suspect.
        bundle: path of an evidence bundle to write.

    Returns:
        A `SignalVerdict`.

    Raises:
        ValueError: before the first query, for a suspect of another input shape or number of
            classes, or a `bundle` that is a folder or in none.
        OSError: if `bundle` cannot be written.
    """
    check_place(bundle)
    name = str(name or (suspect if isinstance(suspect, str) else type(suspect).__name__))
    start = time.monotonic()
    questions = Questions(key, suspect, method.answers)
    found = method.findings(key, settings, questions)
    seconds = time.monotonic() - start
    verdict = _verdict(method, key, settings, found, questions.queries, seconds, name)
    if bundle is not None:
        transcript = SignalTranscript.of(questions.asked, seconds, name)
        write_bundle(bundle, key, settings, transcript, verdict)
    return verdict


def replayed(method, key, settings, transcript):
    """What follows from recorded answers.

    Args:
        method, key, settings: as for `held`.
        transcript: the `SignalTranscript`.

    Returns:
        The `SignalVerdict`.

    Raises:
        OtherQuestions: if other rows were sent than this verification asks.
    """
    replay = Replay(transcript, key.num_classes)
    found = method.findings(key, settings, replay)
    replay.finish()
    return _of_record(method, key, settings, found, transcript)


def undecided(method, key, settings, transcript, reason):
    """The `SignalVerdict` where nothing can be worked out."""
    found = {"p_value": 1.0, "test": "none", "clients": {}, "probes": 0, "evidence_path": ()}
    return _of_record(method, key, settings, decided(found, 0.0, reason), transcript)


def _of_record(method, key, settings, found, transcript):
    told = (transcript.queries, transcript.seconds, transcript.suspect)
    return _verdict(method, key, settings, found, *told)


def _verdict(method, key, settings, found, queries, seconds, suspect):
    return SignalVerdict(
        alpha=settings.alpha,
        queries=queries,
        seconds=seconds,
        assumptions=method.assumptions,
        suspect=suspect,
        scheme=key.scheme,
        commitment=key.commitment(),
        versions=dict(key.versions),
        **found,
    )

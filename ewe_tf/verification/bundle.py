"""Evidence bundles: one file that holds all that a verdict follows from.

    manifest.json     the digests of the others, and the versions that were at work
    key.npz           the whole key: whoever reads it can look for the mark; hand it to a judge only
    transcript.json   every row sent (its digest) and every answer
    verdict.json      what was concluded

How they are stored, so that a changed bit is found: `ewe_tf.verification.sealed`.
"""

import dataclasses
import json
import os

from ewe_tf.verification import sealed
from ewe_tf.verification.settings import Settings
from ewe_tf.verification.signal_settings import SignalSettings
from ewe_tf.verification.signal_transcript import SignalTranscript
from ewe_tf.verification.signal_verdict import SignalVerdict
from ewe_tf.verification.transcript import Transcript
from ewe_tf.verification.verdict import Verdict

_MEMBERS = ("key.npz", "transcript.json", "verdict.json")
# What a verification by each kind of key leaves.
_SIGNAL = (SignalSettings, SignalTranscript, SignalVerdict)
_FORMS = {"triggers": (Settings, Transcript, Verdict), "signal": _SIGNAL, "flips": _SIGNAL}


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What a bundle holds.

    Attributes:
        key: the `TriggerKey`; or a `SignalKey` or `FlipKey`.
        settings: the `Settings`; or `SignalSettings`.
        transcript: the `Transcript`; or `SignalTranscript`.
        verdict: the `Verdict`, or `SignalVerdict`, as stated.
        versions: dict from package to version.
    """

    key: object
    settings: object
    transcript: object
    verdict: object
    versions: dict


def check_place(path, argument="`bundle`"):
    """Raises ValueError if `path` is a folder, or in none: no file can be written there."""
    if path is None:
        return
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise ValueError(f"{argument} must be a path in a folder that exists. Received: {path!r}")
    if not os.path.basename(path) or os.path.isdir(path):
        raise ValueError(f"{argument} must be the path of a file, not a folder. Received: {path!r}")


def write_bundle(path, key, settings, transcript, verdict):
    """Writes an evidence bundle, whole or not at all, readable by its owner only.

    Args:
        path: where to; `.zip` by habit.
        key, settings, transcript, verdict: what `ewe_tf.verify` worked with.

    Raises:
        OSError: if it cannot be written; nothing is left behind.
    """
    record = {**transcript.to_record(), "settings": dataclasses.asdict(settings)}
    contents = (
        key.to_bytes(),
        json.dumps(record, allow_nan=False).encode(),
        verdict.to_json().encode(),
    )
    sealed.write(path, dict(zip(_MEMBERS, contents, strict=True)))


def read_bundle(path):
    """Reads a bundle that is whole: nothing in it is believed yet, see `check_bundle`.

    Raises:
        FileNotFoundError: if there is no such file.
        BundleError: for anything that `write_bundle` did not write.
    """
    return sealed.read(path, _MEMBERS, _parsed)


def _parsed(members, versions):
    from ewe_tf.keys.key import Key

    key = Key.from_bytes(members["key.npz"], "its key")
    settings, transcript, verdict = _FORMS[key.kind]
    record = json.loads(members["transcript.json"])
    return Bundle(
        key,
        settings(**record.pop("settings")),
        transcript.from_record(record),
        verdict.from_json(members["verdict.json"].decode()),
        versions,
    )

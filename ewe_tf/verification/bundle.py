"""Evidence bundles: one file that holds all that a verdict follows from.

    manifest.json     the digests of the others, and the versions that were at work
    key.npz           the whole key: whoever reads it can look for the mark; hand it to a judge only
    transcript.json   every row sent (its digest) and every answer
    verdict.json      what was concluded

The members are stored in one way only, so that a single changed bit anywhere is found.
"""

import dataclasses
import hashlib
import io
import json
import zipfile

import numpy as np

from ewe_tf.keys.digest import json_digest
from ewe_tf.keys.file import DAMAGE
from ewe_tf.keys.whole import write_whole
from ewe_tf.verification.settings import Settings
from ewe_tf.verification.transcript import BENIGN
from ewe_tf.verification.transcript import CONTROL
from ewe_tf.verification.transcript import TRIGGER
from ewe_tf.verification.transcript import Exchange
from ewe_tf.verification.transcript import Transcript
from ewe_tf.verification.verdict import Verdict
from ewe_tf.versions import versions

FORMAT = "ewe_tf evidence bundle"
VERSION = 2
LARGEST = 2**30
_MEMBERS = ("manifest.json", "key.npz", "transcript.json", "verdict.json")


class BundleError(ValueError):
    """A file that is no evidence bundle, or is not as it was written."""


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What a bundle holds.

    Attributes:
        key: the `TriggerKey`.
        settings: the `Settings`.
        transcript: the `Transcript`.
        verdict: the `Verdict`, as stated.
        versions: dict from package to version.
    """

    key: object
    settings: Settings
    transcript: Transcript
    verdict: Verdict
    versions: dict


def write_bundle(path, key, settings, transcript, verdict):
    """Writes an evidence bundle, whole or not at all, readable by its owner only.

    Args:
        path: where to; `.zip` by habit.
        key, settings, transcript, verdict: what `ewe_tf.verify` worked with.

    Raises:
        OSError: if it cannot be written; nothing is left behind.
    """
    exchanges = [[e.role, e.number, e.digest, e.answer] for e in transcript.exchanges]
    record = {**dataclasses.asdict(transcript), "exchanges": exchanges}
    record["settings"] = dataclasses.asdict(settings)
    members = {
        "key.npz": key.to_bytes(),
        "transcript.json": json.dumps(record, allow_nan=False).encode(),
        "verdict.json": verdict.to_json().encode(),
    }
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
        "versions": versions(),
    }
    manifest["sha256"] = json_digest(manifest)
    members["manifest.json"] = json.dumps(manifest, indent=1).encode()
    write_whole(path, _zipped(members))


def read_bundle(path):
    """Reads a bundle that is whole: nothing in it is believed yet, see `check_bundle`.

    Raises:
        FileNotFoundError: if there is no such file.
        BundleError: for anything that `write_bundle` did not write.
    """
    with open(path, "rb") as file:
        content = file.read(LARGEST + 1)
    try:
        return _parsed(content)
    except BundleError as error:
        raise BundleError(f"{str(path)!r}: {error}") from None
    except DAMAGE as error:
        raise BundleError(
            f"{str(path)!r} is no whole evidence bundle ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:150]})"
        ) from None


def _zipped(members):
    """The one sequence of bytes that stands for these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in _MEMBERS:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o600 << 16
            archive.writestr(info, members[name])
    return file.getvalue()


def _parsed(content):
    from ewe_tf.keys.key import Key

    if len(content) > LARGEST:
        raise BundleError(f"it is larger than {LARGEST} bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sorted(archive.namelist()) != sorted(_MEMBERS):
            raise BundleError(f"a bundle holds {list(_MEMBERS)}; this holds {archive.namelist()}")
        if sum(part.file_size for part in archive.infolist()) > LARGEST:
            raise BundleError(f"it unpacks to more than {LARGEST} bytes")
        members = {name: archive.read(name) for name in _MEMBERS}
    if _zipped(members) != content:
        raise BundleError("it was edited: it is not stored as bundles are")
    manifest = json.loads(members["manifest.json"])
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise BundleError(
            f"it is no bundle of version {VERSION}: its manifest states "
            f"{manifest.get('format')!r}, {manifest.get('version')!r}"
        )
    if manifest.pop("sha256") != json_digest(manifest):
        raise BundleError("it was edited: the manifest does not match its own digest")
    for name in _MEMBERS[1:]:
        if hashlib.sha256(members[name]).hexdigest() != manifest["files"][name]:
            raise BundleError(f"it was edited: {name} does not match its digest")
    record = json.loads(members["transcript.json"])
    settings = Settings(**record.pop("settings"))
    record["exchanges"] = tuple(_exchange(*row) for row in record["exchanges"])
    return Bundle(
        Key.from_bytes(members["key.npz"], "its key"),
        settings,
        Transcript(**record),
        Verdict.from_json(members["verdict.json"].decode()),
        dict(manifest["versions"]),
    )


def _exchange(role, number, digest, answer):
    if role not in (TRIGGER, CONTROL, BENIGN) or type(number) is not int or number < 0:
        raise BundleError(f"the transcript names a row {role!r} {number!r}")
    if isinstance(answer, list):
        answer = tuple(float(value) for value in answer)
        if not all(np.isfinite(answer)):
            raise BundleError("the transcript holds an answer that is not finite")
    elif answer is not None and (type(answer) is not int or not 0 <= answer < 2**63):
        raise BundleError(f"the transcript holds an answer {answer!r:.50}")
    return Exchange(role, number, str(digest), answer)

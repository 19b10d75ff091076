"""Sealed files: several members in one file, stored in one way only.

Since the same members always make the same bytes, a single changed bit anywhere is found.
"""

import hashlib
import io
import json
import zipfile

from ewe_tf.keys.digest import json_digest
from ewe_tf.keys.file import DAMAGE
from ewe_tf.keys.whole import write_whole
from ewe_tf.versions import versions

FORMAT = "ewe_tf evidence bundle"
VERSION = 2
LARGEST = 2**30
_MANIFEST = "manifest.json"


class BundleError(ValueError):
    """A file that is no evidence bundle, or is not as it was written."""


def write(path, members):
    """Writes members, whole or not at all, readable by its owner only.

    Args:
        path: where to.
        members: dict from name to bytes, in the order of storing.

    Raises:
        OSError: if it cannot be written; nothing is left behind.
    """
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in members.items()},
        "versions": versions(),
    }
    manifest["sha256"] = json_digest(manifest)
    write_whole(path, _zipped({_MANIFEST: json.dumps(manifest, indent=1).encode(), **members}))


def read(path, names, parse):
    """What `parse` makes of the members of a file that is whole.

    Args:
        path: the file.
        names: names of the members, in their order.
        parse: function `(members, versions)`; what it raises for nonsense is told as damage.

    Raises:
        FileNotFoundError: if there is no such file.
        BundleError: for anything that `write` did not write with these names.
    """
    with open(path, "rb") as file:
        content = file.read(LARGEST + 1)
    try:
        return parse(*_members(content, (_MANIFEST, *names)))
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
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o600 << 16
            archive.writestr(info, content)
    return file.getvalue()


def _members(content, names):
    """`(members, versions)` of a file's content, every digest compared."""
    if len(content) > LARGEST:
        raise BundleError(f"it is larger than {LARGEST} bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sorted(archive.namelist()) != sorted(names):
            raise BundleError(f"a bundle holds {list(names)}; this holds {archive.namelist()}")
        if sum(part.file_size for part in archive.infolist()) > LARGEST:
            raise BundleError(f"it unpacks to more than {LARGEST} bytes")
        members = {name: archive.read(name) for name in names}
    if _zipped(members) != content:
        raise BundleError("it was edited: it is not stored as bundles are")
    manifest = json.loads(members.pop(_MANIFEST))
    if manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise BundleError(
            f"it is no bundle of version {VERSION}: its manifest states "
            f"{manifest.get('format')!r}, {manifest.get('version')!r}"
        )
    if manifest.pop("sha256") != json_digest(manifest):
        raise BundleError("it was edited: the manifest does not match its own digest")
    for name, member in members.items():
        if hashlib.sha256(member).hexdigest() != manifest["files"][name]:
            raise BundleError(f"it was edited: {name} does not match its digest")
    return members, dict(manifest["versions"])

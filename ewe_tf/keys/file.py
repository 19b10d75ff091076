"""Key files: one `.npz`, arrays beside a JSON header, no pickle, written atomically, mode 0600.

The file ends with the SHA-256 of all that comes before (as the zip's comment, so that it stays
an ordinary `.npz`): it is checked before anything is parsed, and finds every changed bit.
"""

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib

import numpy as np

from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.digest import json_digest
from ewe_tf.keys.digest import plain
from ewe_tf.keys.whole import write_whole

FORMAT = "ewe_tf key"
VERSION = 2
# Version 1 had no digest at its end.
_READ = (1, 2)
_DIGITS = 64
# More than any key holds: a small file must not unpack to fill the memory.
LARGEST = 4 * 2**30
# Everything that the zip, npy and JSON readers raise on bytes that they did not write.
DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    ArithmeticError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class KeyFileError(ValueError):
    """A key file that cannot be read, is damaged, was edited, or is of another version."""


def to_bytes(header, arrays):
    """The bytes of a key file; see `write`."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "content": header,
        "arrays": {name: array_digest(array) for name, array in arrays.items()},
    }
    header["sha256"] = json_digest(header)
    text = json.dumps(header, indent=1, default=plain).encode()
    file = io.BytesIO()
    np.savez_compressed(file, header=np.frombuffer(text, np.uint8), **arrays)
    # The zip's last two bytes are the length of its comment.
    content = file.getvalue()[:-2] + struct.pack("<H", _DIGITS)
    return content + hashlib.sha256(content).hexdigest().encode()


def write(path, header, arrays):
    """Writes a key file; the old file, if any, stays whole until the new one is.

    Args:
        path: where to write; `.npz` is not added.
        header: JSON value (a dict).
        arrays: dict from name to array.

    Raises:
        OSError: when the disk is full or the folder cannot be written; nothing is left behind.
    """
    write_whole(path, to_bytes(header, arrays))


def read(path):
    """Reads a key file and checks that it is whole and unchanged since it was written.

    Returns:
        `(header, arrays)` as given to `write`.

    Raises:
        FileNotFoundError: if there is no such file.
        KeyFileError: with what is wrong, for any file that `write` did not make.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no key file {path!r}")
    with open(path, "rb") as file:
        return from_bytes(file.read(), path)


def from_bytes(content, name):
    """As `read`, for a file's content; `name` is what messages call it."""
    try:
        return _parse(content, name)
    except KeyFileError:
        raise
    except DAMAGE as error:
        raise KeyFileError(
            f"{name!r} is not a whole key file: it was cut off, edited, or is something else "
            f"({type(error).__name__}: {str(error)[:120]})"
        ) from None


def _parse(content, path):
    ends_well = content[-_DIGITS:] == hashlib.sha256(content[:-_DIGITS]).hexdigest().encode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(part.file_size for part in archive.infolist()) > LARGEST:
            raise KeyFileError(f"{path!r} unpacks to more than {LARGEST} bytes: it is no key")
        # Checksums first: nothing is parsed from a file whose bytes have changed.
        damaged = archive.testzip()
    if damaged is not None:
        raise KeyFileError(f"{path!r} is damaged: its part {damaged!r} fails its checksum")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes().decode())
    if header.get("format") != FORMAT:
        raise KeyFileError(f"{path!r} is not an ewe_tf key file")
    if header.get("version") not in _READ:
        raise KeyFileError(
            f"{path!r} has format version {header.get('version')!r}; this ewe_tf reads {VERSION}"
        )
    stated = header.pop("sha256", None)
    if stated != json_digest(header):
        raise KeyFileError(f"{path!r} was edited: its header does not match its own digest")
    if set(header["arrays"]) != set(arrays):
        raise KeyFileError(
            f"{path!r} was edited: it should hold {sorted(header['arrays'])}, "
            f"it holds {sorted(arrays)}"
        )
    for name, digest in header["arrays"].items():
        if array_digest(arrays[name]) != digest:
            raise KeyFileError(f"{path!r} was edited: {name!r} does not match its digest")
    if not ends_well and header["version"] > 1:
        raise KeyFileError(f"{path!r} was edited: it does not match the digest at its end")
    return header["content"], arrays

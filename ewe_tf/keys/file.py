"""Key files: one `.npz`, arrays beside a JSON header, no pickle, written atomically, mode 0600."""

import json
import os
import tempfile
import zipfile
import zlib

import numpy as np

from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.digest import json_digest

FORMAT = "ewe_tf key"
VERSION = 1


class KeyFileError(ValueError):
    """A key file that cannot be read, is damaged, was edited, or is of another version."""


def write(path, header, arrays):
    """Writes a key file; the old file, if any, stays whole until the new one is.

    Args:
        path: where to write; `.npz` is not added.
        header: JSON value (a dict).
        arrays: dict from name to array.

    Raises:
        OSError: when the disk is full or the folder cannot be written; nothing is left behind.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "content": header,
        "arrays": {name: array_digest(array) for name, array in arrays.items()},
    }
    header["sha256"] = json_digest(header)
    text = json.dumps(header, indent=1).encode()
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    # mkstemp makes the file with mode 0600.
    handle, temporary = tempfile.mkstemp(prefix=".key-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, header=np.frombuffer(text, np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


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
    try:
        header, arrays = _parse(path)
    except KeyFileError:
        raise
    except _DAMAGE as error:
        raise KeyFileError(
            f"{path!r} is not a whole key file: it was cut off, edited, or is something else "
            f"({type(error).__name__}: {str(error)[:120]})"
        ) from None
    return header, arrays


# Everything that the zip, npy and JSON readers raise on bytes that they did not write.
_DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def _parse(path):
    with zipfile.ZipFile(path) as archive:
        # Checksums first: nothing is parsed from a file whose bytes have changed.
        damaged = archive.testzip()
    if damaged is not None:
        raise KeyFileError(f"{path!r} is damaged: its part {damaged!r} fails its checksum")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes().decode())
    if header.get("format") != FORMAT:
        raise KeyFileError(f"{path!r} is not an ewe_tf key file")
    if header.get("version") != VERSION:
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
    return header["content"], arrays

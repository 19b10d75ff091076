"""Files that are there whole or not at all, readable by their owner only."""

import os
import tempfile


def write_whole(path, content):
    """Writes bytes to a temporary file and renames it; the old file stays until then.

    Args:
        path: where to write.
        content: bytes.

    Raises:
        OSError: when the disk is full or the folder cannot be written; nothing is left behind.
    """
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    try:
        # mkstemp makes the file with mode 0600.
        handle, temporary = tempfile.mkstemp(prefix=".ewe_tf-", dir=folder)
    except OSError as error:  # It names the temporary file.
        raise OSError(error.errno, error.strerror, path) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise

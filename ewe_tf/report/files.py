"""Text files that are replaced at once or not at all."""

import os
import pathlib


def replace_text(path, text):
    """Writes UTF-8 text by way of a temporary file beside `path`; returns the path."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path

"""Versions of what a result depends on."""

import platform
from importlib import metadata

__version__ = "0.1.0"


def versions():
    """Dict from package (and `python`) to the version in use."""
    found = {"python": platform.python_version(), "ewe_tf": __version__}
    for name in ("tensorflow", "keras", "numpy", "scipy"):
        found[name] = metadata.version(name)
    return found

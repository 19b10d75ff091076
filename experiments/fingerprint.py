"""Which code a result is of: what a cache of configurations cannot tell."""

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import pathlib

_PACKAGES = ("ewe_tf", "experiments")
_LIBRARIES = ("tensorflow", "keras", "numpy", "scipy", "tensorflow-model-optimization")


@functools.cache
def current():
    """Twelve digits of a SHA-256 of both packages' sources and the versions of what they use.

    As they are when it is first called: what a process has loaded does not change any more.
    """
    content = hashlib.sha256()
    for package in _PACKAGES:
        folder = pathlib.Path(importlib.util.find_spec(package).origin).parent
        for path in sorted(folder.rglob("*.py")):
            content.update(f"{path.relative_to(folder.parent)}\n".encode())
            content.update(path.read_bytes())
    for library in _LIBRARIES:
        # A build of another name, such as tensorflow-cpu, has no version under this one.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            content.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    return content.hexdigest()[:12]

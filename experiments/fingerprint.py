"""Which code a result is of: what a cache of configurations cannot tell."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib

from ewe_tf.versions import versions

_PACKAGES = ("ewe_tf", "experiments")
_REMOVAL = "tensorflow-model-optimization"


@functools.cache
def current():
    """Twelve digits of a SHA-256 of both packages' sources and the versions of what they use.

    As they are when it is first called: what a process has loaded does not change any more.
    """
    used = {**versions(), _REMOVAL: importlib.metadata.version(_REMOVAL)}
    content = hashlib.sha256(json.dumps(used, sort_keys=True).encode())
    for package in _PACKAGES:
        folder = pathlib.Path(importlib.util.find_spec(package).origin).parent
        for path in sorted(folder.rglob("*.py")):
            content.update(f"{path.relative_to(folder.parent)}\n".encode())
            content.update(path.read_bytes())
    return content.hexdigest()[:12]

"""Finished computations by content: a folder is there whole, or it is not there.

    ROOT/victim-3f…/result.json   the stage's value, its configuration, code and seconds
    ROOT/victim-3f…/…             the files that the stage wrote: models, arrays
    ROOT/working/KEY/             a stage being computed, or killed while it was
    ROOT/locks/KEY                held by the process that computes
    ROOT/failed/KEY.json          the last error of a stage that has not succeeded since
    ROOT/logs/KEY.log             what a worker process printed

A stage is computed under a file lock that the kernel drops when its holder dies, and its
folder gets its name by one rename, so a run may be killed at any moment and two runs may share
one root: what has finished is never computed again, what has not is computed from its start.
"""

import contextlib
import dataclasses
import fcntl
import importlib
import json
import os
import pathlib
import shutil
import time
import traceback

import numpy as np


class StageError(Exception):
    """A stage failed; the message is the error, `trace` its traceback."""

    def __init__(self, message, trace=""):
        super().__init__(message)
        self.trace = trace


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished stage.

    Attributes:
        folder: Where its files are.
        value: What its function returned.
        seconds: How long it took.
        config: Its configuration.
        code: The `fingerprint` of the code that computed it; `None` if it was not recorded.
    """

    folder: pathlib.Path
    value: object
    seconds: float
    config: dict
    code: str | None

    def arrays(self, name):
        """The arrays of `folder/name` (an .npz file), as a dictionary."""
        with np.load(self.folder / name, allow_pickle=False) as stored:
            return dict(stored)


def _plain(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a stage's value must be JSON. Received: {type(value).__name__}")


def _write_json(path, value):
    """Writes strict JSON by way of a temporary file, so that no half of it is ever seen."""
    text = json.dumps(value, default=_plain, allow_nan=False, indent=1)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text + "\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(folder):
    """Forces a folder's files to the disk: the rename must not overtake them."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Cache:
    """The folder in which stages keep what they computed.

    Args:
        root: The folder; made if absent.
    """

    def __init__(self, root):
        self.root = pathlib.Path(root).expanduser().resolve()
        for name in ("working", "locks", "failed", "logs"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def has(self, key):
        """Whether the stage of this key has finished."""
        return (self.root / key / "result.json").exists()

    def result(self, key):
        """The `Result` of a finished stage.

        Raises:
            KeyError: If it has not finished.
        """
        try:
            stored = json.loads((self.root / key / "result.json").read_text())
        except FileNotFoundError:
            raise KeyError(f"stage {key} has not finished under {self.root}") from None
        return Result(
            self.root / key,
            stored["value"],
            stored["seconds"],
            stored["config"],
            stored.get("code"),
        )

    def failure(self, key):
        """The recorded failure of a stage as a dictionary (error, trace), or None."""
        path = self.root / "failed" / f"{key}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def log(self, key):
        """Path of the file that takes what the stage prints in a worker process."""
        return self.root / "logs" / f"{key}.log"

    def busy(self, key):
        """Whether some process computes the stage of this key now."""
        path = self.root / "locks" / key
        if not path.exists():
            return False
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextlib.contextmanager
    def _lock(self, key):
        with open(self.root / "locks" / key, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def compute(self, job):
        """Computes a stage unless it has finished; waits if another process is computing it.

        Args:
            job: What `Stage.job()` gives: key, function, config, inputs (name to key), code.

        Returns:
            Its `Result`.

        Raises:
            StageError: If its function raised; recorded under `failed/`.
        """
        key = job["key"]
        with self._lock(key):
            if self.has(key):
                return self.result(key)
            working = self.root / "working" / key
            for leftover in (working, self.root / key):
                shutil.rmtree(leftover, ignore_errors=True)
            started = time.monotonic()
            try:
                working.mkdir()
                value = self._call(job, working)
                seconds = round(time.monotonic() - started, 3)
                _write_json(working / "result.json", {**job, "seconds": seconds, "value": value})
                _flush(working)
                os.rename(working, self.root / key)
            except Exception as error:
                shutil.rmtree(working, ignore_errors=True)
                message = f"{type(error).__name__}: {error}"
                self.fail(job, message, traceback.format_exc())
                raise StageError(message, traceback.format_exc()) from error
            (self.root / "failed" / f"{key}.json").unlink(missing_ok=True)
            return self.result(key)

    def fail(self, job, message, trace=""):
        """Records that a stage failed; a full disk must not hide the error itself."""
        with contextlib.suppress(OSError):
            path = self.root / "failed" / f"{job['key']}.json"
            _write_json(path, {**job, "error": message, "trace": trace})

    def _call(self, job, folder):
        module, name = job["function"].split(":")
        function = getattr(importlib.import_module(module), name)
        inputs = {name: self.result(key) for name, key in job["inputs"].items()}
        return function(job["config"], inputs, folder)

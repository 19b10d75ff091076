"""Stages as tasks of a Ray cluster, over the same cache.

The machines of the cluster see the cache's folder under the same path (a shared file system),
have this project installed or in the same folder, and its data sets. Nothing but the stage's
description goes through Ray; results are files.

    ray start --head                                  # on the first machine
    ray start --address=HOST:6379                     # on every other one
    python -m experiments.grid --ray=auto --cache=/shared/cache
"""

import os
import socket
import sys

from experiments.cache import Cache
from experiments.cache import StageError


class RayTasks:
    """Computes stages as Ray tasks; the interface is that of `workers.Workers`.

    Args:
        cache: the `Cache`.
        address: of the cluster, `HOST:PORT`, or `"auto"`: the one that this machine is part of.
        cpus: cores that a stage takes; as many stages run at once as the cluster has cores.

    Raises:
        ConnectionError: if there is no such cluster.
    """

    def __init__(self, cache, address="auto", cpus=1):
        import ray

        self._ray, self._cache, self._running = ray, cache, {}
        try:
            _knock(address)
            ray.init(
                address=address,
                runtime_env={"env_vars": _environment(cpus)},
                log_to_driver=False,
                logging_level="ERROR",
            )
        except OSError as error:
            raise ConnectionError(
                f"there is no Ray cluster at {address!r} (`ray start --head` starts one): {error}"
            ) from error
        self.capacity = max(1, int(ray.cluster_resources().get("CPU", 1) // cpus))
        self._task = ray.remote(num_cpus=cpus, max_retries=0)(compute)

    def submit(self, job):
        self._running[self._task.remote(str(self._cache.root), job)] = job

    def wait(self):
        done, _ = self._ray.wait(list(self._running), timeout=0.5)
        return [(self._running[one]["key"], self._outcome(one)) for one in done]

    def close(self):
        for one in self._running:
            self._ray.cancel(one, force=True)
        self._ray.shutdown()

    def _outcome(self, reference):
        job = self._running.pop(reference)
        try:
            error, trace = self._ray.get(reference)
        except self._ray.exceptions.RayError as lost:
            message = f"its Ray task was lost: {type(lost).__name__}"
            self._cache.fail(job, message, str(lost))
            return StageError(message, str(lost))
        return self._cache.result(job["key"]) if error is None else StageError(error, trace)


def _knock(address):
    """Raises OSError if nobody listens at HOST:PORT: Ray itself takes a minute to say so."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=5).close()


def compute(root, job):
    """What a task does: `(None, "")`, or the error and its traceback."""
    try:
        Cache(root).compute(job)
    except StageError as error:
        return str(error), error.trace
    return None, ""


def _environment(cpus):
    """Variables of the workers: where modules are, how many threads, and where the data are."""
    path = os.pathsep.join(os.path.abspath(part or ".") for part in sys.path)
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(cpus)
    )
    kept = {name: os.environ[name] for name in ("TFDS_DATA_DIR",) if name in os.environ}
    return {"PYTHONPATH": path, **threads, **kept}

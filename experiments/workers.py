"""Where a stage is computed: in this process, or in fresh ones fed over a pipe.

Jobs and answers are lines of JSON. A worker process lives for many stages, so that TensorFlow
is imported once, prints into the stage's log, and ends when its parent does, however that
came about.
"""

import json
import os
import queue
import selectors
import subprocess
import sys
import threading

from experiments.cache import Cache
from experiments.cache import StageError


class InProcess:
    """Computes in the calling process, one stage at a time."""

    capacity = 1

    def __init__(self, cache):
        self._cache = cache
        self._job = None

    def submit(self, job):
        self._job = job

    def wait(self):
        try:
            return [(self._job["key"], self._cache.compute(self._job))]
        except StageError as error:
            return [(self._job["key"], error)]

    def close(self):
        pass


class Workers:
    """A fixed number of worker processes, started when needed, replaced when they die."""

    def __init__(self, cache, count):
        self.capacity = max(1, count)
        self._cache = cache
        self._idle = []
        self._jobs = {}
        self._selector = selectors.DefaultSelector()

    def submit(self, job):
        alive = [process for process in self._idle if process.poll() is None]
        process = alive[-1] if alive else self._start()
        if alive:
            self._idle.remove(process)
        self._jobs[process.pid] = job
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # It died while idle: its closed output says so in `wait`.

    def wait(self):
        finished = []
        for event, _ in self._selector.select(timeout=0.5):
            process = event.data
            line = process.stdout.readline()
            job = self._jobs.pop(process.pid, None)
            if line:
                self._idle.append(process)
                finished.append((job["key"], self._outcome(job, json.loads(line))))
                continue
            self._forget(process)
            if job:
                log = self._cache.log(job["key"])
                message = f"its process ended with code {process.wait()}, see {log}"
                self._cache.fail(job, message)
                finished.append((job["key"], StageError(message)))
        return finished

    def close(self):
        for event in list(self._selector.get_map().values()):
            process = event.data
            self._forget(process)
            if process.pid in self._jobs:
                process.kill()
            process.wait()
        self._selector.close()

    def _outcome(self, job, answer):
        if "error" in answer:
            return StageError(answer["error"], answer["trace"])
        return self._cache.result(job["key"])

    def _forget(self, process):
        self._selector.unregister(process.stdout)
        process.stdin.close()
        process.stdout.close()
        if process in self._idle:
            self._idle.remove(process)

    def _start(self):
        threads = str(max(1, (os.cpu_count() or 1) // self.capacity))
        environment = {
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        }
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "experiments.workers", str(self._cache.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._selector.register(process.stdout, selectors.EVENT_READ, process)
        return process


def _receive(pipe, arrived):
    """Passes jobs on to the computing thread; the end of the pipe is the end of the parent."""
    for line in pipe:
        arrived.put(json.loads(line))
    os._exit(1)


def serve(root):
    """The life of a worker process: jobs on stdin, answers on what was stdout."""
    cache = Cache(root)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    arrived = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin, arrived), daemon=True).start()
    while True:
        job = arrived.get()
        with open(cache.log(job["key"]), "w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        try:
            cache.compute(job)
            answer = {}
        except StageError as error:
            answer = {"error": str(error), "trace": error.trace}
        sys.stdout.flush()
        sys.stderr.flush()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])

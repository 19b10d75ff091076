"""Stages: functions of a configuration and of other stages, and the run of a graph of them."""

import dataclasses
import functools
import hashlib
import json
import time
from collections.abc import Callable
from collections.abc import Mapping

from experiments import fingerprint
from experiments.cache import StageError
from experiments.progress import Progress
from experiments.workers import InProcess
from experiments.workers import Workers


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """One computation, known by its content.

    Two stages are equal, and computed once, if their functions' names, configurations and
    inputs are. The code takes no part, so that a run outlives a mended comment: results of other
    code are used, and the progress says how many. Where it is certain that what a function
    means has changed, put a number into the configuration and raise it.

    Attributes:
        function: A function of a module, called as `function(config, inputs, folder)` with
            the inputs' `Result`s by name and the folder to write files into (.keras, .npz).
            Returns JSON. Everything random in it must come from its configuration.
        config: JSON dictionary.
        inputs: Stages by name.
        title: What the progress view calls it; takes no part in its identity.
        kind: Stages of one kind take about as long; the function's name by default. No part of
            the identity either.

    Raises:
        ValueError: If the function cannot be found by its name, or `config` is not JSON.
    """

    function: Callable
    config: Mapping = dataclasses.field(default_factory=dict)
    inputs: Mapping = dataclasses.field(default_factory=dict)
    title: str = ""
    kind: str = ""

    def __post_init__(self):
        module, name = self.function.__module__, self.function.__qualname__
        if module == "__main__" or not name.isidentifier():
            raise ValueError(
                "`function` must be a function at the top of an importable module, other "
                f"processes have to find it. Received: {module}:{name}"
            )
        try:
            plain = json.loads(json.dumps(self.config, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ValueError(f"`config` must be JSON ({error}). Received: {self.config}") from None
        object.__setattr__(self, "config", plain)
        object.__setattr__(self, "inputs", dict(self.inputs))
        object.__setattr__(self, "title", self.title or name)
        object.__setattr__(self, "kind", self.kind or name)

    @functools.cached_property
    def key(self):
        """The function's name and 20 digits of a SHA-256: the stage's folder."""
        content = {
            "function": self._address,
            "config": self.config,
            "inputs": {name: stage.key for name, stage in self.inputs.items()},
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return f"{self.function.__name__}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"

    @property
    def _address(self):
        return f"{self.function.__module__}:{self.function.__name__}"

    def job(self):
        """All that a process needs to compute this stage, as JSON."""
        return {
            "key": self.key,
            "title": self.title,
            "function": self._address,
            "config": self.config,
            "inputs": {name: stage.key for name, stage in self.inputs.items()},
            "code": fingerprint.current(),
        }

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return isinstance(other, Stage) and self.key == other.key


@dataclasses.dataclass(frozen=True)
class Failure:
    """A stage without a result: its own error, or that of the input it needed."""

    stage: Stage
    error: str
    trace: str = ""


def _wanted(targets, cache):
    """Unfinished stages that the targets need, inputs first, and the finished ones they read.

    What lies behind a finished stage is not looked at: it may have been deleted.
    """
    missing, cached = {}, {}

    def visit(stage):
        if stage in missing or stage in cached:
            return
        if cache.has(stage.key):
            cached[stage] = cache.result(stage.key)
            return
        for needed in stage.inputs.values():
            visit(needed)
        missing[stage] = None

    for target in targets:
        visit(target)
    return list(missing), cached


def run(targets, cache, *, jobs=1, progress=None, executor=None):
    """Computes stages and all that they need, each once, whatever happens to the others.

    A stage that raises, or whose process dies, becomes a `Failure`, and so do the stages that
    need it; all others go on. Failed stages are tried again by the next run.

    Args:
        targets: Stages.
        cache: A `Cache`.
        jobs: How many stages run at once: 1 in this process, more in so many others.
        progress: A `Progress`; by default one on stderr.
        executor: Replaces the local ones: an object with `capacity`, `submit(job)`, `wait()`
            giving finished pairs (key, `Result` or `StageError`), and `close()`.

    Returns:
        A dictionary from each stage that was needed to its `Result` or `Failure`.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"`jobs` must be a positive integer. Received: jobs={jobs!r}")
    waiting, outcomes = _wanted(targets, cache)
    by_key = {stage.key: stage for stage in waiting}
    progress = progress or Progress()
    executor = executor or (
        InProcess(cache) if jobs == 1 else Workers(cache, min(jobs, len(waiting)))
    )
    running = set()
    progress.begin(outcomes, waiting, executor.capacity)
    try:
        while waiting or running:
            for stage in list(waiting):
                needed = [outcomes.get(needed) for needed in stage.inputs.values()]
                lost = [one for one in needed if isinstance(one, Failure)]
                if lost:
                    waiting.remove(stage)
                    error = f"needs {lost[0].stage.title}, which failed"
                    outcomes[stage] = Failure(stage, error)
                    progress.failed(stage, error)
                elif None not in needed and len(running) < executor.capacity:
                    waiting.remove(stage)
                    running.add(stage.key)
                    progress.started(stage)
                    executor.submit(stage.job())
            for key, outcome in executor.wait() if running else ():
                stage = by_key[key]
                running.remove(key)
                if isinstance(outcome, StageError):
                    outcomes[stage] = Failure(stage, str(outcome), outcome.trace)
                    progress.failed(stage, str(outcome))
                else:
                    outcomes[stage] = outcome
                    progress.finished(stage, outcome.seconds)
            progress.tick(time.monotonic())
    finally:
        executor.close()
        progress.end()
    return outcomes

"""What runs, what is cached, how long is left: one line that changes, or plain lines."""

import collections
import shutil
import sys
import time

from experiments import fingerprint


def clock(seconds):
    """Seconds as 7 s, 3:05 min or 2:04 h."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d} min"
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d} h"


def overview(targets, cache, jobs=1):
    """What a run of these stages has behind it and before it, as text; computes nothing.

    Args:
        targets: stages.
        cache: their `Cache`.
        jobs: processes that the time left is spread over.

    Returns:
        A table with a line for each function: finished stages, those that a process computes
        now, those that failed when they were last tried, and those that wait.
    """
    found, times = {}, Times()
    for stage in _needed(targets):
        state = _state(stage, cache)
        if state == "finished":
            times.learn(stage, cache.result(stage.key).seconds)
        found.setdefault(stage.function.__name__, []).append((stage, state))
    lines = [("stages", *_STATES, "time left")]
    left = []
    for name, stages in found.items():
        counts = [sum(state == one for _, state in stages) for one in _STATES]
        mine = [stage for stage, state in stages if state != "finished"]
        left += mine
        lines.append((name, *map(str, counts), times.text(mine, jobs) if mine else ""))
    total = [str(sum(int(line[1 + i]) for line in lines[1:])) for i in range(len(_STATES))]
    lines.append(("together", *total, times.text(left, jobs) if left else "nothing"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        ).rstrip()
        for line in lines
    )


_STATES = ("finished", "running", "failed", "waiting")


def _needed(targets):
    """The targets and all that they are made from, each once."""
    seen = {}

    def visit(stage):
        if stage not in seen:
            for needed in stage.inputs.values():
                visit(needed)
            seen[stage] = None

    for target in targets:
        visit(target)
    return list(seen)


def _state(stage, cache):
    if cache.has(stage.key):
        return "finished"
    if cache.busy(stage.key):
        return "running"
    return "failed" if cache.failure(stage.key) else "waiting"


class Times:
    """How long stages take, from those that have finished.

    A stage is taken to last as long as the mean of its kind; where none of its kind has
    finished, of its function; and where none of that has, of all.
    """

    def __init__(self):
        self._known = {}

    def learn(self, stage, seconds):
        """A stage took so long."""
        for name in (stage.kind, stage.function, None):
            self._known.setdefault(name, []).append(seconds)

    def left(self, stages, jobs, spent=None):
        """Seconds until these stages are done by so many processes; `None` if nothing is known.

        Args:
            stages: unfinished stages.
            jobs: integer.
            spent: dict from those that run to the seconds that they have run.
        """
        if not self._known:
            return None
        total = longest = 0.0
        for stage in stages:
            known = self._known.get(stage.kind) or self._known.get(stage.function)
            known = known or self._known[None]
            one = max(0.0, sum(known) / len(known) - (spent or {}).get(stage, 0.0))
            total, longest = total + one, max(longest, one)
        return max(total / jobs, longest)

    def text(self, stages, jobs, spent=None):
        """As `left`, in words."""
        seconds = self.left(stages, jobs, spent)
        return "unknown" if seconds is None else f"about {clock(seconds)}"


class Progress:
    """The progress of a run of stages.

    On a terminal the last line is rewritten in place; elsewhere there is one line for each
    stage that ends. The time left is that of the unfinished stages (see `Times`), spread over
    the jobs.

    Args:
        stream: Where to write; stderr by default.
        quiet: Write nothing but failures.
    """

    def __init__(self, stream=None, quiet=False):
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and not quiet
        self._quiet = quiet
        self._times = Times()
        self._running = {}
        self._left = {}
        self._total = self._done = self._failed = 0
        self._jobs = 1
        self._painted = 0.0

    def begin(self, cached, waiting, jobs):
        """The run starts: finished stages with their results, and those to be computed."""
        for stage, result in cached.items():
            self._times.learn(stage, result.seconds)
        self._begun, self._work = time.monotonic(), 0.0
        self._left = dict.fromkeys(waiting)
        self._total, self._jobs = len(waiting), jobs
        if not self._quiet and (cached or waiting):
            kinds = collections.Counter(stage.function.__name__ for stage in waiting)
            which = ", ".join(f"{count} {name}" for name, count in kinds.items())
            other = sum(result.code != fingerprint.current() for result in cached.values())
            note = f" ({other} by other code; an empty --cache computes all anew)" if other else ""
            self._line(
                f"{len(waiting)} stages to compute{f' ({which})' if which else ''}, "
                f"{len(cached)} cached{note}"
            )

    def started(self, stage):
        """A stage starts."""
        self._running[stage] = time.monotonic()
        self._paint()

    def finished(self, stage, seconds):
        """A stage has its result."""
        self._times.learn(stage, seconds)
        self._work += seconds
        self._end(stage)
        self._done += 1
        if not self._quiet:
            left = "" if self._live or not self._left else f"  ({self._estimate()})"
            self._line(f"{self._count()} {stage.title}  {clock(seconds)}{left}")

    def failed(self, stage, error):
        """A stage failed, or cannot be computed because an input failed."""
        self._end(stage)
        self._failed += 1
        self._line(f"{self._count()} {stage.title}  FAILED: {error}")

    def tick(self, now):
        """Time passes."""
        if now - self._painted > 0.5:
            self._paint()

    def end(self):
        """The run is over."""
        if self._live:
            self._stream.write("\r\033[K")
        if self._failed:
            self._line(f"{self._failed} of {self._total} stages failed")
        if self._done and not self._quiet:
            spent = clock(time.monotonic() - self._begun)
            self._line(f"{self._done} stages in {spent}, {clock(self._work)} of work")
        self._stream.flush()

    def _end(self, stage):
        self._running.pop(stage, None)
        self._left.pop(stage, None)

    def _count(self):
        done = self._done + self._failed
        return f"[{done:>{len(str(self._total))}}/{self._total}]"

    def _estimate(self):
        now = time.monotonic()
        spent = {stage: now - begun for stage, begun in self._running.items()}
        return f"{self._times.text(self._left, self._jobs, spent)} left"

    def _line(self, text):
        self._stream.write(f"\r\033[K{text}\n" if self._live else f"{text}\n")
        self._stream.flush()
        self._paint()

    def _paint(self):
        if not self._live or not self._running:
            return
        self._painted = time.monotonic()
        running = ", ".join(
            f"{stage.title} ({clock(self._painted - begun)})"
            for stage, begun in self._running.items()
        )
        text = f"{self._count()} {self._estimate()} | {running}"
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\033[K" + text[:width])
        self._stream.flush()

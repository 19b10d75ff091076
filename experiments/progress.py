"""What runs, what is cached, how long is left: one line that changes, or plain lines."""

import shutil
import sys
import time


def clock(seconds):
    """Seconds as 7 s, 3:05 min or 2:04 h."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d} min"
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d} h"


class Progress:
    """The progress of a run of stages.

    On a terminal the last line is rewritten in place; elsewhere there is one line for each
    stage that ends. The time left is that of the unfinished stages, each taken to last as
    long as the mean of its function's finished ones, spread over the jobs.

    Args:
        stream: Where to write; stderr by default.
        quiet: Write nothing but failures.
    """

    def __init__(self, stream=None, quiet=False):
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and not quiet
        self._quiet = quiet
        self._seconds = {}
        self._running = {}
        self._left = {}
        self._total = self._done = self._failed = 0
        self._jobs = 1
        self._painted = 0.0

    def begin(self, cached, waiting, jobs):
        """The run starts: finished stages with their results, and those to be computed."""
        for stage, result in cached.items():
            self._learn(stage, result.seconds)
        self._left = dict.fromkeys(waiting)
        self._total, self._jobs = len(waiting), jobs
        if not self._quiet and (cached or waiting):
            self._line(f"{len(waiting)} stages to compute, {len(cached)} cached")

    def started(self, stage):
        """A stage starts."""
        self._running[stage] = time.monotonic()
        self._paint()

    def finished(self, stage, seconds):
        """A stage has its result."""
        self._learn(stage, seconds)
        self._end(stage)
        self._done += 1
        if not self._quiet:
            left = "" if self._live or not self._left else f"  ({self._estimate()} left)"
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
        self._stream.flush()

    def _learn(self, stage, seconds):
        self._seconds.setdefault(stage.function.__name__, []).append(seconds)

    def _end(self, stage):
        self._running.pop(stage, None)
        self._left.pop(stage, None)

    def _count(self):
        done = self._done + self._failed
        return f"[{done:>{len(str(self._total))}}/{self._total}]"

    def _estimate(self):
        known = [one for times in self._seconds.values() for one in times]
        if not known:
            return "unknown time"
        now, total = time.monotonic(), 0.0
        for stage in self._left:
            times = self._seconds.get(stage.function.__name__, known)
            spent = now - self._running[stage] if stage in self._running else 0.0
            total += max(0.0, sum(times) / len(times) - spent)
        return f"about {clock(total / self._jobs)}"

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
        text = f"{self._count()} {self._estimate()} left | {running}"
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r\033[K" + text[:width])
        self._stream.flush()

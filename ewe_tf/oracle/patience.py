"""How long and how often a remote client waits: deadline, rate limit, back-off."""

import dataclasses
import datetime
import email.utils
import math
import random
import threading
import time


class Deadline:
    """A point in time at which everybody stops, and a switch to stop earlier.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds
        self._stopped = threading.Event()

    def remaining(self):
        """Seconds left, 0 when passed or stopped."""
        if self._stopped.is_set():
            return 0.0
        return max(0.0, self._end - time.monotonic())

    def sleep(self, seconds):
        """Sleeps. Returns False, at once, if the sleep would not end before the deadline."""
        if seconds >= self.remaining():
            return False
        return seconds <= 0 or not self._stopped.wait(seconds)

    def stop(self):
        """Ends every sleep."""
        self._stopped.set()


class RateLimit:
    """Spaces requests out, for all threads together.

    Args:
        rows_per_second: Limit on rows, or None.
        requests_per_second: Limit on requests, or None.
        clock: Function that gives seconds.
    """

    def __init__(self, rows_per_second=None, requests_per_second=None, clock=time.monotonic):
        self._row = 0.0 if rows_per_second is None else 1 / rows_per_second
        self._request = 0.0 if requests_per_second is None else 1 / requests_per_second
        self._clock = clock
        self._free = clock()
        self._lock = threading.Lock()

    def reserve(self, rows):
        """Takes the next slot for a request of `rows` rows; returns the seconds until then."""
        with self._lock:
            start = max(self._clock(), self._free)
            self._free = start + max(rows * self._row, self._request)
            return start - self._clock()

    def pause(self, seconds):
        """Lets nobody start for `seconds`: the server asked all to wait."""
        with self._lock:
            self._free = max(self._free, self._clock() + seconds)


@dataclasses.dataclass(frozen=True)
class Backoff:
    """Waiting times between attempts: doubled each time, half of it random.

    Args:
        attempts: Largest number of times that one request is sent.
        first: Seconds before the second attempt, at most.
        largest: Seconds before any attempt, at most.
    """

    attempts: int = 6
    first: float = 0.5
    largest: float = 10.0

    def __post_init__(self):
        if not isinstance(self.attempts, int) or self.attempts < 1:
            raise ValueError(
                f"`attempts` must be a positive integer. Received: attempts={self.attempts!r}"
            )
        positive("backoff", self.first)

    def wait(self, attempt):
        """Seconds to wait after failed attempt number `attempt`, counted from 0."""
        longest = min(self.largest, self.first * 2**attempt)
        return longest * (0.5 + 0.5 * random.random())


def retry_after(value, now=None):
    """Seconds that a `Retry-After` header asks for.

    Args:
        value: The header, a number of seconds or an HTTP date; or None.
        now: The present `datetime`, for an HTTP date.

    Returns:
        Seconds, 0 if there is no header or it cannot be read.
    """
    if value is None:
        return 0.0
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = email.utils.parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    now = now or datetime.datetime.now(datetime.UTC)
    return max(0.0, (date - now).total_seconds())


def positive(name, value):
    """Raises ValueError unless `value` is a positive, finite number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be a positive number. Received: {name}={value!r}")

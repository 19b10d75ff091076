"""Rate limit, back-off and `Retry-After`, on a clock of the test's own."""

import datetime

import pytest

from ewe_tf.oracle.patience import Backoff
from ewe_tf.oracle.patience import Deadline
from ewe_tf.oracle.patience import RateLimit
from ewe_tf.oracle.patience import retry_after


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_rows_per_second():
    clock = Clock()
    limit = RateLimit(rows_per_second=10, clock=clock)
    assert [limit.reserve(5) for _ in range(3)] == pytest.approx([0, 0.5, 1.0])
    clock.now += 4
    assert limit.reserve(1) == 0, "idle time is not saved up beyond the present"
    assert limit.reserve(1) == pytest.approx(0.1)


def test_the_slower_limit_rules():
    limit = RateLimit(rows_per_second=10, requests_per_second=4, clock=Clock())
    assert [limit.reserve(1) for _ in range(3)] == pytest.approx([0, 0.25, 0.5])
    assert limit.reserve(10) == pytest.approx(0.75)
    assert limit.reserve(1) == pytest.approx(1.75)


def test_pause_holds_everybody():
    limit = RateLimit(clock=Clock())
    limit.pause(7)
    assert limit.reserve(1) == pytest.approx(7)


def test_backoff_doubles_with_half_of_it_random():
    backoff = Backoff(attempts=6, first=0.5, largest=3.0)
    for attempt, longest in enumerate([0.5, 1, 2, 3, 3]):
        waits = [backoff.wait(attempt) for _ in range(200)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
        assert max(waits) - min(waits) > longest / 4


def test_retry_after_forms():
    now = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    assert retry_after("120") == 120
    assert retry_after("Wed, 01 Jan 2020 00:00:30 GMT", now) == 30
    assert retry_after("Tue, 31 Dec 2019 00:00:30 GMT", now) == 0
    for nonsense in (None, "", "soon", "-5", "1e9", "²"):
        assert retry_after(nonsense, now) == 0


def test_deadline_refuses_sleeps_that_pass_it():
    deadline = Deadline(1000)
    assert deadline.sleep(0)
    assert not deadline.sleep(2000)
    deadline.stop()
    assert (deadline.remaining(), deadline.sleep(1)) == (0, False)

"""Timings of several contestants in turn, so that a busy machine slows all of them alike."""

import time

import numpy as np


def interleaved(contestants, repetitions, calls):
    """Seconds of one call of each contestant.

    Args:
        contestants: dict from name to a function without arguments. Each is called once before.
        repetitions: how often the round through all contestants is made; every other one
            backwards.
        calls: calls of a contestant in a row that one measurement takes.

    Returns:
        Dict from name to `(repetitions, 2)` float array: wall-clock and processor seconds of
        one call (of all threads together).
    """
    for call in contestants.values():
        call()
    seconds = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(repetitions):
        for name in order:
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(calls):
                contestants[name]()
            spent = time.perf_counter() - wall, time.process_time() - processor
            seconds[name].append(np.asarray(spent) / calls)
        order.reverse()
    return {name: np.asarray(rows) for name, rows in seconds.items()}

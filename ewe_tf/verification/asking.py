"""Asking a suspect: triggers and controls in pairs, hidden among benign rows if wanted."""

import collections
import sys
import time

import numpy as np

from ewe_tf.keys.digest import array_digest
from ewe_tf.verification.findings import SequentialEvidence
from ewe_tf.verification.transcript import BENIGN
from ewe_tf.verification.transcript import CONTROL
from ewe_tf.verification.transcript import TRIGGER
from ewe_tf.verification.transcript import Exchange
from ewe_tf.verification.transcript import Transcript

# After so many pairs in a row without any usable answer, the asking ends.
PATIENCE = 3


def ask(oracle, key, settings, findings, cover=None, suspect="", verbose="auto"):
    """Asks until the planned pairs are through, the evidence suffices, or nothing comes back.

    Whatever the suspect does, an answer or an exception, a `Transcript` is returned.

    Args:
        oracle: an `Oracle`.
        key: a `TriggerKey`.
        settings: `Settings`.
        findings: the `Finding`s of the key, of which one may end a sequential verification.
        cover: a `Cover` or `None`.
        suspect: the suspect in words.
        verbose: whether to tell how far it is on stderr; `"auto"`: at a terminal, and after two
            seconds.

    Returns:
        A `Transcript`.
    """
    order = settings.order(key)
    rng = settings.generator(key, 1)
    benign = None if cover is None else rng.permutation(len(cover.rows))
    exchanges, failure, silent = [], None, 0
    refusals_before = collections.Counter(oracle.ledger.refusals)
    evidence = SequentialEvidence(findings)
    progress, start = _Progress(len(order), verbose), time.monotonic()
    step = 1 if settings.sequential else max(len(order), 1)
    for first in range(0, len(order), step):
        numbers = order[first : first + step]
        block = _block(key, settings, numbers, cover, benign, first)
        block = [block[i] for i in rng.permutation(len(block))]
        try:
            answers = oracle.predict(np.stack([row for _, _, row in block]))
            check_enough_classes(key, oracle)
        except Exception as error:  # Whatever a suspect does is a finding, not our failure.
            failure = failure_of(error)
            break
        heard = [
            Exchange(role, int(number), array_digest(row), _plain(answer))
            for (role, number, row), answer in zip(block, answers, strict=True)
        ]
        exchanges += heard
        if not settings.sequential:
            continue
        pair = {e.role: e.label for e in heard if e.role != BENIGN}
        expected = settings.material(key)[1][numbers[0]]
        silent = silent + 1 if all(e.answer is None for e in heard) else 0
        hit, control = pair[TRIGGER] == expected, pair[CONTROL] in (expected, -1)
        evidence.update(*(np.array([value]) for value in (hit, control, expected)))
        progress.tell(first + 1, evidence)
        if evidence.p_value <= settings.label_level:
            break
        if silent == PATIENCE:
            failure = f"no usable answer to {PATIENCE} pairs in a row"
            break
    progress.end()
    refusals = oracle.ledger.refusals - refusals_before
    said = getattr(oracle, "last_error", None) if refusals or failure else None
    seconds = time.monotonic() - start
    return Transcript(tuple(exchanges), dict(refusals), failure, seconds, suspect, said)


def _block(key, settings, numbers, cover, benign, first):
    """Rows to be sent together: tuples (role, number, row)."""
    triggers, _, controls = settings.material(key)
    block = []
    for position, number in enumerate(numbers):
        block += [(TRIGGER, number, triggers[number]), (CONTROL, number, controls[number])]
        for i in range(settings.cover):
            row = benign[((first + position) * settings.cover + i) % len(benign)]
            block.append((BENIGN, row, cover.rows[row]))
    return block


def _plain(answer):
    """A label, a tuple of probabilities, or `None`, of one row's answer."""
    if answer.ndim == 0:
        return int(answer) if answer >= 0 else None
    return tuple(answer.tolist()) if len(answer) and np.all(np.isfinite(answer)) else None


def failure_of(error):
    """What a suspect raised, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def check_input_shape(key, oracle):
    """Raises ValueError if the suspect is known to take inputs of another shape than the key's."""
    wanted = oracle.input_shape
    if wanted is None:
        return
    fits = len(key.input_shape) == len(wanted) and all(
        w is None or w == s for s, w in zip(key.input_shape, wanted, strict=True)
    )
    if not fits:
        raise ValueError(
            f"`suspect` takes inputs of shape {tuple(wanted)}, the key's have {key.input_shape}"
        )


def check_classes(key, oracle, model="`suspect`"):
    """Raises ValueError if a model is known to have another number of classes than the key's task.

    Args:
        key: the key.
        oracle: the model's `Oracle`. One that gives scores knows from the first answer on.
        model: what the message calls it.
    """
    if oracle.num_classes not in (None, key.num_classes):
        raise ValueError(
            f"{model} must have {key.num_classes} classes, as the task of the {key.scheme} key "
            f"has. Received: {oracle.num_classes} classes in {oracle!r}"
        )


def check_enough_classes(key, oracle):
    """Raises ValueError if a suspect is known to have fewer classes than the key's task.

    One with more may be a copy whose thief has added some.
    """
    if oracle.num_classes is not None and oracle.num_classes < key.num_classes:
        check_classes(key, oracle)


class _Progress:
    """One line on stderr about a verification that takes longer than two seconds."""

    def __init__(self, pairs, verbose):
        self._shown = sys.stderr.isatty() if verbose == "auto" else bool(verbose)
        self._pairs, self._next, self._written = pairs, time.monotonic() + 2, False

    def tell(self, asked, evidence):
        if not self._shown or time.monotonic() < self._next:
            return
        self._next, self._written = time.monotonic() + 1, True
        told = f"{evidence.hits} hits, p-value {evidence.p_value:.2g}"
        text = f"{asked} of {self._pairs} triggers, {told}"
        print(f"\rverify: {text} ", end="", file=sys.stderr, flush=True)

    def end(self):
        if self._written:
            print(file=sys.stderr)

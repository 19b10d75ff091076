"""`ewe_tf.verify`: is there evidence that a suspect carries a key's mark?"""

import os

from ewe_tf.keys import FlipKey
from ewe_tf.keys import SignalKey
from ewe_tf.keys import TriggerKey
from ewe_tf.verification import calibration
from ewe_tf.verification import checks
from ewe_tf.verification.asking import ask
from ewe_tf.verification.asking import check_enough_classes
from ewe_tf.verification.asking import check_input_shape
from ewe_tf.verification.bundle import check_place
from ewe_tf.verification.bundle import write_bundle
from ewe_tf.verification.cover import Cover
from ewe_tf.verification.findings import findings_of
from ewe_tf.verification.flips_verify import verify_flips
from ewe_tf.verification.judging import judge
from ewe_tf.verification.rank_tests import LEAST_FAMILIES
from ewe_tf.verification.settings import Settings
from ewe_tf.verification.signal_verify import verify_signal


def verify(
    key,
    suspect,
    *,
    alpha=1e-3,
    max_queries=None,
    sequential=True,
    triggers="keys",
    commitment=None,
    cover=None,
    bundle=None,
    clients=(),
    epoch="",
    name=None,
    verbose="auto",
):
    """Asks a suspect the key's triggers and their controls, and weighs the answers.

    Two hypotheses must both fall before the decision is "evidence": that the suspect answers
    triggers no more often than the null rate (innocent models), and no more often than their
    matched controls (a suspect that gives the target to anything strange). The larger p-value
    decides. Triggers and controls are asked in pairs, in an order that follows from the key's
    commitment. Where a key's controls are the source inputs themselves (natural attributes,
    patched sources), the second hypothesis says only that it is the change that gets the target,
    and innocent models' answers, the null rate, carry the weight.

    Of a key of several marks, half of `alpha` is for all triggers together, and the other half is
    shared out among the marks, whose triggers are tested by themselves as well: what erases one
    mark may leave another (`ewe_tf.verification.findings`).

    A suspect that is given as an `Oracle` with `answers="probabilities"`, and a key that is
    calibrated with at least three independent models that gave probabilities, add a second test:
    of the target's rank in the answers, against innocent models and against the controls (unless
    an innocent model itself ranks the target higher in triggers than in controls). Each of the
    two tests then has half of `alpha`, `p = 2 min(p of labels, p of ranks)`, and the rank is
    looked at once, when all planned triggers are through without evidence.

    Whatever the suspect does, there is a verdict: rows without a usable answer count against the
    owner, and where they could have decided, or the suspect fails or stays silent, it is "could
    not tell" with the reason. So it is where the first answers of a function or a served model
    are of fewer classes than the key's: such a model was made for another task.

    Args:
        key: a `TriggerKey`, best calibrated (`ewe_tf.verification.calibrate`); or a `SignalKey` or
            `FlipKey`, for which see `ewe_tf.verification.verify_signal` and `verify_flips`
            (`triggers`, `cover` and `verbose` do not apply, the result is a `SignalVerdict`).
        suspect: anything that `ewe_tf.Oracle` takes, or an `Oracle` (with its own budget).
        alpha: level of the decision, in (0, 1).
        max_queries: most rows to send; `None` for all triggers and controls once.
        sequential: whether to stop as soon as the evidence suffices (evidence valid at every
            stopping time), or to ask everything and use the exact fixed-size tests. Stopping
            early assumes that an innocent suspect's answers to a trigger and its control are not
            negatively correlated; `sequential=False` does without this.
        triggers: `"keys"`, those that were selected for a verdict, or `"held_out"`, those of
            the rule that nothing was selected on: their randomness can be proved to others
            (`ewe_tf.keys.regenerate`).
        commitment: the commitment that was published; the key must match it.
        cover: benign rows `(n, ...)` that each pair is hidden among, or a `Cover` that says how
            many; they count as queries.
        bundle: path of an evidence bundle to write (`ewe_tf.verification.check_bundle`).
        clients, epoch: for a `SignalKey`: clients to tell apart, and the epoch of the secrets.
        name: what the verdict calls the suspect; `None`: its path, URL or class.
        verbose: whether to tell the progress on stderr; `"auto"`: at a terminal, when it takes
            long.

    Returns:
        A `Verdict`, or a `SignalVerdict`.

    Raises:
        TypeError, ValueError: before the first query, for arguments out of range, a suspect of
            another input shape or too few classes, a key that does not match `commitment`, or
            a `bundle` that is a folder or in none.
        OSError: if `bundle` cannot be written.
    """
    if isinstance(key, SignalKey | FlipKey):
        if cover is not None or triggers != "keys":
            raise ValueError(
                "`cover` and `triggers` are for keys with triggers. Received: a "
                f"{type(key).__name__}"
            )
        common = {
            "alpha": alpha,
            "max_queries": max_queries,
            "sequential": bool(sequential),
            "commitment": commitment,
            "bundle": bundle,
            "name": name,
        }
        if isinstance(key, SignalKey):
            return verify_signal(key, suspect, clients=clients, epoch=epoch, **common)
    if clients or epoch:
        raise ValueError(
            f"`clients` and `epoch` are for a SignalKey. Received: a {type(key).__name__}"
        )
    if isinstance(key, FlipKey):
        return verify_flips(key, suspect, **common)
    if not isinstance(key, TriggerKey):
        raise TypeError(f"`key` must be a key, see ewe_tf.Key.load. Received: {type(key).__name__}")
    if max_queries is not None:
        checks.positive_int("max_queries", max_queries, minimum=2)
    settings = Settings(triggers, alpha, bool(sequential), pairs=0)
    checks.commitment(key, commitment)
    cover = Cover.of(cover, key.input_shape)
    check_place(bundle)
    oracle = _oracle(suspect)
    check_input_shape(key, oracle)
    check_enough_classes(key, oracle)
    per_pair = 2 if cover is None else 2 + cover.per_pair
    limits = [limit for limit in (max_queries, oracle.ledger.remaining) if limit is not None]
    pairs = min([len(settings.distinct(key)), *(limit // per_pair for limit in limits)])
    ranks = calibration.family_ranks(key, triggers)
    settings = Settings(
        part=triggers,
        alpha=float(alpha),
        sequential=bool(sequential),
        pairs=pairs,
        cover=per_pair - 2,
        scores=oracle.answers == "probabilities" and len(ranks) >= LEAST_FAMILIES,
    )
    called = name or _described(suspect)
    transcript = ask(oracle, key, settings, findings_of(key), cover, called, verbose)
    verdict = judge(key, settings, transcript)
    if bundle is not None:
        write_bundle(bundle, key, settings, transcript, verdict)
    return verdict


def _oracle(suspect):
    from ewe_tf.oracle import Oracle

    return suspect if isinstance(suspect, Oracle) else Oracle(suspect, answers="label")


def _described(suspect):
    if isinstance(suspect, str | os.PathLike):
        return str(suspect)
    name = getattr(suspect, "name", None)
    return f"{type(suspect).__name__} {name}" if isinstance(name, str) else type(suspect).__name__

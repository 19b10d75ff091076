"""Evidence for a signal key: the owner's secrets, each client's, and when nothing can be there."""

import dataclasses

import numpy as np

from ewe_tf.verification import resign
from ewe_tf.verification import signal_cells

LABELS_ONLY = (
    "The suspect gave labels only. The signal lies in the probabilities below the top one and "
    "keeps the label of every answer, so labels hold no information about it; this is no "
    "evidence of innocence. A hard channel (`DynaMarks(hard_rate=...)`) is what speaks to labels."
)
NOTHING_BEYOND = (
    "Below the top class the suspect's answers say nothing that the undefended model does not "
    "say (it is that model, or its answers were rounded or cut too far), so they hold no "
    "information about the signal; for cut answers this is no evidence of innocence."
)


@dataclasses.dataclass(frozen=True)
class SecretsTest:
    """One set of secrets against the measurements.

    Attributes:
        statistic: sum of what the secrets add.
        p_value: exact, by re-keying.
        bound: Chernoff's bound of the p-value, which has no smallest value.
        hoeffding: the weaker closed bound `exp(-T^2 / (2 sum M^2))`.
        secrets: number of secrets.
        resamples: fresh keys that `p_value` was computed with.
        adjusted: `best` times the number of clients tested; `None` outside a test of clients.
    """

    statistic: float
    p_value: float
    bound: float
    hoeffding: float
    secrets: int
    resamples: int
    adjusted: float | None = None

    @property
    def best(self):
        """`bound` where it is below the resolution of `p_value`, else `p_value`."""
        return self.bound if self.bound * (self.resamples + 1) < 1 else self.p_value


@dataclasses.dataclass(frozen=True)
class SignalEvidence:
    """What a suspect's answers say about a signal key.

    Attributes:
        informative: whether there can be anything of the signal in these answers.
        reason: why not, or "".
        owner: `SecretsTest` of the secrets that all clients share.
        clients: dict from name to `SecretsTest` of that client's own secrets, Bonferroni's
            correction in `adjusted`.
        e_values: `(classes,)`: wealth after the probes of each class (in the order of the
            classes): an anytime-valid form of the owner's test.
        probes: number of probes that counted: answered, and with the victim's top class.
    """

    informative: bool
    reason: str
    owner: SecretsTest
    clients: dict
    e_values: np.ndarray
    probes: int

    @property
    def p_value(self):
        """The owner's p-value: the exact one, or the closed bound where it is below resolution."""
        return self.owner.best


def signal_evidence(key, answers, *, clients=(), epoch="", resamples=99_999, seed=0):
    """Tests a suspect's answers to a key's probes.

    Args:
        key: a `SignalKey`.
        answers: `(probes, classes)` probabilities, or `(probes,)` labels.
        clients: names of clients to tell apart; needs a key with `shared` below 1.
        epoch: epoch of the secrets.
        resamples: fresh keys of the permutation test.
        seed: of the fresh keys.

    Returns:
        A `SignalEvidence`.

    Raises:
        ValueError: if the answers do not fit the probes, or clients are asked of a key that
            does not tell them apart.
    """
    answers = np.asarray(answers)
    clients = tuple(clients)
    _check(key, answers, clients)
    if answers.ndim == 1:
        return _nothing(key, clients, LABELS_ONLY)
    values, top = signal_cells.residuals(answers, key.reference)
    if not values.any():
        return _nothing(key, clients, NOTHING_BEYOND)
    law = "sign" if key.settings["carrier"] == "static" else "phase"
    cells = _cells(key, values, top)
    pairs = ~np.eye(key.num_classes, dtype=bool)
    own = key.carrier.own(key.master_bytes)
    added = _added(key, cells, law, "", epoch)

    def test(contributions, mask, **kwargs):
        return _test(contributions[mask], np.abs(cells)[mask], law, resamples, seed, **kwargs)

    tests = {}
    for name in clients:
        contributions = _added(key, cells, law, name, epoch)
        tests[name] = test(contributions, own, tests=len(clients))
    return SignalEvidence(
        True,
        "",
        test(added, pairs & ~own),
        tests,
        _e_values(key, answers, pairs & ~own, law, epoch),
        int(np.sum(top >= 0)),
    )


def _cells(key, values, top):
    if key.settings["carrier"] == "static":
        return signal_cells.static_cells(values, top)
    v = key.carrier.direction(key.master_bytes, key.features.shape[1])
    phase = key.carrier.frequency * (key.features.astype(np.float64) @ v)
    return signal_cells.dynamic_cells(values, top, phase)


def _added(key, cells, law, client, epoch):
    secrets = key.carrier.secrets(key.master_bytes, client, epoch).astype(np.float64)
    if law == "sign":
        return secrets * cells
    return np.real(cells * np.exp(1j * secrets))


def _test(contributions, magnitudes, law, resamples, seed, tests=None):
    if not len(magnitudes):
        return SecretsTest(0.0, 1.0, 1.0, 1.0, 0, resamples, None if tests is None else 1.0)
    statistic = float(contributions.sum())
    p_value = resign.resign_p_value(contributions, magnitudes, law, resamples, seed)
    bound = resign.chernoff_bound(statistic, magnitudes, law)
    result = SecretsTest(
        statistic,
        p_value,
        bound,
        resign.hoeffding_bound(statistic, magnitudes),
        len(magnitudes),
        resamples,
    )
    if tests is None:
        return result
    return dataclasses.replace(result, adjusted=min(1.0, tests * result.best))


def _e_values(key, answers, mask, law, epoch):
    """Class by class, each measured from its own probes alone."""
    reference_top = np.argmax(key.reference, axis=1)
    contributions, magnitudes = [], []
    for label in range(key.num_classes):
        rows = np.flatnonzero(reference_top == label)
        values = np.zeros(answers.shape)
        top = np.full(len(answers), -1)
        values[rows], top[rows] = signal_cells.residuals(answers[rows], key.reference[rows])
        cells = _cells(key, values, top)
        contributions.append(_added(key, cells, law, "", epoch)[label][mask[label]])
        magnitudes.append(np.abs(cells)[label][mask[label]])
    return resign.sequential_e_values(contributions, magnitudes, law)


def _nothing(key, clients, reason):
    empty = SecretsTest(0.0, 1.0, 1.0, 1.0, 0, 1)
    named = {name: dataclasses.replace(empty, adjusted=1.0) for name in clients}
    return SignalEvidence(False, reason, empty, named, np.ones(key.num_classes), 0)


def _check(key, answers, clients):
    rows = len(key.probes)
    if answers.shape not in ((rows,), (rows, key.num_classes)):
        raise ValueError(
            f"`answers` must be the suspect's answers to the key's {rows} probes: shape "
            f"{(rows, key.num_classes)}, or {(rows,)} for labels. Received: {answers.shape}"
        )
    if clients and key.settings["shared"] >= 1:
        raise ValueError(
            "`clients` must be empty for a key whose secrets all clients share (`shared=1`). "
            f"Received: {clients}"
        )
    if len(set(clients)) != len(clients):
        raise ValueError(f"`clients` must name each client once. Received: {clients}")

"""Evidence for a signal key: the owner's secrets, each client's, and when nothing can be there."""

import dataclasses

import numpy as np

from ewe_tf.verification import checks
from ewe_tf.verification import signal_cells
from ewe_tf.verification import signs
from ewe_tf.verification.multiplicity import holm
from ewe_tf.verification.sign_bets import SignBets

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
        rademacher: the weaker closed bound `exp(-T^2 / (2 sum M^2))`.
        secrets: number of secrets.
        resamples: fresh keys that `p_value` was computed with.
        adjusted: `best` after Holm's correction for the number of clients tested; `None`
            outside a test of clients.
    """

    statistic: float
    p_value: float
    bound: float
    rademacher: float
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
        clients: dict from name to `SecretsTest` of that client's own secrets, Holm's
            correction in `adjusted`.
        log_e_values: `(classes,)`: logarithms of the wealth after the probes of each class, in
            the order of `class_order`: an anytime-valid form of the owner's test.
        probes: number of probes that counted: answered, and with the victim's top class.
    """

    informative: bool
    reason: str
    owner: SecretsTest
    clients: dict
    log_e_values: np.ndarray
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
        TypeError: if `clients` is one name.
        ValueError: if the answers do not fit the probes, or clients are asked of a key that
            does not tell them apart.
    """
    answers = np.asarray(answers)
    clients = checks.sequence("clients", clients)
    check_answers(answers, len(key.probes), key.num_classes)
    check_clients(key, clients)
    if answers.ndim == 1:
        return _nothing(key, clients, LABELS_ONLY)
    values, top = signal_cells.residuals(answers, key.reference)
    if not values.any():
        return _nothing(key, clients, NOTHING_BEYOND)
    cells = _cells(key, values, top)
    added = _added(key, cells, "", epoch)
    own = key.carrier.own(key.master_bytes)
    tests = {}
    for name in clients:
        added_by_client = _added(key, cells, name, epoch)
        tests[name] = _test(added_by_client[..., own].ravel(), resamples, seed)
    adjusted = holm([test.best for test in tests.values()]) if tests else ()
    for name, p_value in zip(clients, adjusted, strict=True):
        tests[name] = dataclasses.replace(tests[name], adjusted=float(p_value))
    owner = _test(added[..., _common(key)].ravel(), resamples, seed)
    bets = SignBets()
    blocks = [of_class(key, answers[rows], c, rows, epoch) for c, rows in class_order(key)]
    wealth = [bets.add(block) for block in blocks]
    return SignalEvidence(True, "", owner, tests, np.array(wealth), int(np.sum(top >= 0)))


def class_order(key):
    """The blocks of a sequential verification: `[(class, its probes' row numbers)]`.

    Classes of the undefended model's answers, those with the most probes first; known before
    the suspect has said anything.
    """
    top = np.argmax(key.reference, axis=1)
    counts = np.bincount(top, minlength=key.num_classes)
    order = np.argsort(-counts, kind="stable")
    return [(int(label), np.flatnonzero(top == label)) for label in order]


def of_class(key, answers, label, rows, epoch=""):
    """What the shared secrets of one class add, measured from its own probes alone.

    Args:
        key: a `SignalKey`.
        answers: `(len(rows), classes)` probabilities, rows of NaN refused.
        label, rows: from `class_order`.
        epoch: epoch of the secrets.

    Returns:
        `(k,)` float64: one number for each secret, its sign times its measurement.
    """
    if not len(rows):
        return np.zeros(0)
    values, top = signal_cells.residuals(answers, key.reference[rows])
    added = _added(key, _cells(key, values, top, rows), "", epoch)
    return added[..., label, _common(key)[label]].ravel()


def _common(key):
    """`(classes, classes)` bool: pairs whose secrets all clients share."""
    return ~np.eye(key.num_classes, dtype=bool) & ~key.carrier.own(key.master_bytes)


def _cells(key, values, top, rows=slice(None)):
    if key.settings["carrier"] == "static":
        return signal_cells.static_cells(values, top)
    v = key.carrier.direction(key.master_bytes, key.features.shape[1])
    phase = key.carrier.frequency * (key.features[rows].astype(np.float64) @ v)
    return signal_cells.dynamic_cells(values, top, phase)


def _added(key, cells, client, epoch):
    return key.carrier.secrets(key.master_bytes, client, epoch).astype(np.float64) * cells


def _test(values, resamples, seed):
    if not values.any():
        return SecretsTest(0.0, 1.0, 1.0, 1.0, len(values), resamples)
    return SecretsTest(
        statistic=float(values.sum()),
        p_value=signs.sign_flip_p_value(values, resamples, seed),
        bound=signs.chernoff_bound(values),
        rademacher=signs.rademacher_bound(values),
        secrets=len(values),
        resamples=resamples,
    )


def _nothing(key, clients, reason):
    empty = SecretsTest(0.0, 1.0, 1.0, 1.0, 0, 1)
    named = {name: dataclasses.replace(empty, adjusted=1.0) for name in clients}
    return SignalEvidence(False, reason, empty, named, np.zeros(key.num_classes), 0)


def check_answers(answers, rows, classes):
    """Raises ValueError for answers of another shape than `(rows, classes)` or `(rows,)`."""
    if answers.shape not in ((rows,), (rows, classes)):
        raise ValueError(
            f"`answers` must be the suspect's answers to the key's {rows} probes: shape "
            f"{(rows, classes)}, or {(rows,)} for labels. Received: {answers.shape}"
        )


def check_clients(key, clients):
    """Raises ValueError for clients that a key does not tell apart, and for one named twice."""
    if clients and key.settings["shared"] >= 1:
        raise ValueError(
            "`clients` must be empty for a key whose secrets all clients share (`shared=1`). "
            f"Received: {clients}"
        )
    if len(set(clients)) != len(clients):
        raise ValueError(f"`clients` must name each client once. Received: {clients}")

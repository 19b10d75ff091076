"""Signal keys: kept, committed to, refused when they are wrong."""

import dataclasses

import numpy as np
import pytest

from ewe_tf.keys import Key
from ewe_tf.keys import SignalKey
from ewe_tf.keys.carriers import DynamicCarrier
from ewe_tf.keys.carriers import StaticCarrier


def make(**changes):
    rng = np.random.default_rng(0)
    fields = {
        "master": np.arange(32, dtype=np.uint8),
        "probes": rng.normal(size=(12, 3, 2)).astype(np.float32),
        "reference": rng.dirichlet(np.ones(4), 12).astype(np.float32),
        "features": np.zeros((12, 0), np.float32),
        "num_classes": 4,
        "scheme": "DynaMarks",
        "settings": {"carrier": "static", "shared": 1.0, "frequency": 1.5},
        "victim": "ab" * 32,
        "versions": {"python": "3"},
    }
    return SignalKey(**{**fields, **changes})


def test_key_file_round_trip(tmp_path):
    key = make()
    key.save(tmp_path / "key.npz")
    loaded = Key.load(tmp_path / "key.npz")
    assert isinstance(loaded, SignalKey)
    assert loaded.commitment() == key.commitment()
    np.testing.assert_array_equal(loaded.probes, key.probes)


def test_the_first_probes_keep_their_answers_and_the_secret():
    key, few = make(), make().first(5)
    assert len(few.probes) == len(few.reference) == len(few.features) == 5
    np.testing.assert_array_equal(few.reference, key.reference[:5])
    assert few.master_bytes == key.master_bytes


@pytest.mark.parametrize(
    "change",
    [
        {"master": np.arange(1, 33, dtype=np.uint8)},
        {"probes": np.ones((12, 3, 2), np.float32)},
        {"settings": {"carrier": "static", "shared": 0.5, "frequency": 1.5}},
        {"victim": "cd" * 32},
    ],
)
def test_commitment_covers_every_part(change):
    assert make(**change).commitment() != make().commitment()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"master": np.zeros(16, np.uint8)}, "`master` must be 32 bytes"),
        ({"reference": np.zeros((12, 3), np.float32)}, "`reference` must be"),
        ({"features": np.zeros((11, 2), np.float32)}, "`features` must be"),
        ({"probes": np.full((12, 3, 2), np.nan, np.float32)}, "`probes` must be finite"),
        ({"settings": {"carrier": "loud"}}, "'static' or 'dynamic'"),
    ],
)
def test_wrong_parts_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make(**change)


def test_the_printed_key_shows_no_secret():
    key = dataclasses.replace(make(), master=np.full(32, 171, np.uint8))
    assert "171" not in repr(key) and "ab" * 4 not in repr(key)


@pytest.mark.parametrize("carrier", [StaticCarrier(30, 0.6), DynamicCarrier(30, 0.6)])
def test_clients_share_what_is_shared_and_nothing_else(carrier):
    master = bytes(range(32))
    alice, bob, owner = (carrier.secrets(master, name) for name in ("alice", "bob", ""))
    own = carrier.own(master)
    off = ~np.eye(30, dtype=bool)
    # 870 pairs, 40 % of them a client's own; five standard deviations.
    assert abs(own[off].mean() - 0.4) < 0.085
    np.testing.assert_array_equal(alice[..., ~own], owner[..., ~own])
    # Signs of two clients agree half of the time.
    assert 0.35 < np.mean(alice[..., own] != bob[..., own]) < 0.65
    assert set(np.unique(alice[..., off])) == {-1, 1}
    assert not np.diagonal(alice, axis1=-2, axis2=-1).any()


def test_epochs_have_secrets_of_their_own():
    carrier = StaticCarrier(30)
    first, second = (carrier.secrets(bytes(32), epoch=name) for name in ("1", "2"))
    assert 0.35 < np.mean(first != second) < 0.65

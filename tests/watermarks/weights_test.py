"""Weights of samples and of classes."""

import numpy as np


def test_rows_of_weight_zero_do_not_matter(fit, digits, quick, make_model):
    x, y = digits
    wrong, bad = (y + 1) % 10, np.arange(len(x)) % 5 == 0
    weights = np.where(bad, 0.0, 1.5)
    results = []
    for rows, labels, sample_weight in (
        (x, np.where(bad, wrong, y), weights),
        (x[~bad], y[~bad], weights[~bad]),
    ):
        model = make_model()
        protected = fit(model, rows, labels, watermark=quick(), sample_weight=sample_weight)
        results.append((model.get_weights(), protected.key.commitment()))
    for a, b in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert results[0][1] == results[1][1]


def test_class_weight_is_sample_weight_by_class(fit, digits, quick, make_model):
    x, y = digits
    weights = []
    for arguments in (
        {"class_weight": {3: 0.25, 8: 4.0}},
        {"sample_weight": np.where(y == 3, 0.25, np.where(y == 8, 4.0, 1.0))},
        {},
    ):
        model = make_model()
        fit(model, x, y, watermark=quick(), **arguments)
        weights.append(model.get_weights())
    for a, b, c in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.allclose(a, c)

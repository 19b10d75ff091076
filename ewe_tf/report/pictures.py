"""Pictures from saved arrays: triggers beside their sources, features in two dimensions."""

import numpy as np

from ewe_tf.report.charts import feature_scatter
from ewe_tf.report.png import data_uri


def project(features):
    """The first two principal components of some rows, signs fixed so that runs agree.

    Args:
        features: Array (n, ...), flattened to (n, d) with d >= 2.

    Returns:
        float64 array (n, 2).
    """
    features = np.asarray(features, dtype="float64").reshape(len(features), -1)
    if features.shape[1] < 2:
        raise ValueError(
            f"`features` must have at least two columns. Received: shape {features.shape}"
        )
    if features.shape[1] == 2:
        return features
    centred = features - features.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    projected = centred @ (directions * signs[:, None]).T
    return np.pad(projected, ((0, 0), (0, 2 - projected.shape[1])))


def trigger_table(sources, triggers, limit=12):
    """Triggers under the images they were made from, and what was changed.

    The third row shows the difference around mid-grey, amplified so that its largest value
    just fits; it is left out where triggers are their sources.

    Args:
        sources, triggers: Arrays (n, height, width, 1 or 3) in [0, 1].
        limit: How many pairs to show.

    Returns:
        Markup.
    """
    sources, triggers = (np.asarray(array)[:limit] for array in (sources, triggers))
    if sources.shape != triggers.shape or sources.ndim != 4:
        raise ValueError(
            "`sources` and `triggers` must be images of the same shape. "
            f"Received: shapes {sources.shape} and {triggers.shape}"
        )
    difference = triggers.astype("float64") - sources
    largest = float(np.abs(difference).max(initial=0.0))
    rows = [("source", sources), ("trigger", triggers)]
    if largest > 1e-6:
        amplified = 0.5 + difference / (2 * largest)
        rows.append((f"difference (at most {largest:.2g})", amplified))
    body = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(
            f'<td><img src="{data_uri(image)}" alt="{name} {index}"></td>'
            for index, image in enumerate(images)
        )
        + "</tr>"
        for name, images in rows
    )
    return f'<div class="wide"><table class="pictures">{body}</table></div>'


def draw(record, arrays):
    """Markup of a figure record whose arrays are given as a dictionary."""
    if record["figure"] == "triggers":
        return trigger_table(arrays["sources"], arrays["triggers"])
    names = [str(name) for name in arrays["names"]]
    return feature_scatter(project(arrays["points"]), arrays["groups"], names)

"""Pictures from saved arrays: triggers beside their controls, features in two dimensions."""

import numpy as np

from ewe_tf.report.charts import feature_scatter
from ewe_tf.report.png import data_uri
from ewe_tf.report.svg import escape


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


def trigger_table(triggers, controls, names=("trigger", "control"), limit=12):
    """Triggers above their sources or matched controls, and what tells them apart.

    The third row shows the difference around mid-grey, amplified so that its largest value
    just fits, where the two are the same picture but for a few pixels or a little.

    Args:
        triggers, controls: Arrays (n, height, width, 1 or 3) in [0, 1].
        names: What the two rows are called.
        limit: How many pairs to show.

    Returns:
        Markup.
    """
    triggers, controls = (np.asarray(array)[:limit] for array in (triggers, controls))
    if triggers.shape != controls.shape or triggers.ndim != 4:
        raise ValueError(
            "`triggers` and `controls` must be images of the same shape. "
            f"Received: shapes {triggers.shape} and {controls.shape}"
        )
    difference = triggers.astype("float64") - controls
    largest = float(np.abs(difference).max(initial=0.0))
    rows = list(zip(names, (triggers, controls), strict=True))
    if largest > 1e-6 and np.abs(difference).mean() < 0.1:
        amplified = 0.5 + difference / (2 * largest)
        rows.append((f"difference (at most {largest:.2g})", amplified))
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(
            f'<td><img src="{data_uri(image)}" alt="{escape(name)} {index}"></td>'
            for index, image in enumerate(images)
        )
        + "</tr>"
        for name, images in rows
    )
    return f'<div class="wide"><table class="pictures">{body}</table></div>'


def draw(record, arrays):
    """Markup of a figure record whose arrays are given as a dictionary."""
    if record["figure"] == "triggers":
        names = arrays.get("names", ("trigger", "control"))
        return trigger_table(arrays["triggers"], arrays["controls"], [str(name) for name in names])
    names = [str(name) for name in arrays["names"]]
    return feature_scatter(project(arrays["points"]), arrays["groups"], names)

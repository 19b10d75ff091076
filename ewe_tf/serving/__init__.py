"""Deployment: SavedModels with named signatures, in the layout that TF Serving loads."""

from ewe_tf.serving.export import Defense
from ewe_tf.serving.export import export

__all__ = [
    "Defense",
    "export",
]

"""Deployment: SavedModels with named signatures, in the layout that TF Serving loads."""

from ewe_tf.serving.export import Defense as Defense
from ewe_tf.serving.export import export as export

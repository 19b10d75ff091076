"""The soft nearest neighbour loss, as a function and as a Keras `Loss`."""

from ewe_tf.losses.snnl import SoftNearestNeighborLoss
from ewe_tf.losses.snnl import fully_mixed_value
from ewe_tf.losses.snnl import median_distance
from ewe_tf.losses.snnl import soft_nearest_neighbor_loss

__all__ = [
    "SoftNearestNeighborLoss",
    "fully_mixed_value",
    "median_distance",
    "soft_nearest_neighbor_loss",
]

"""The soft nearest neighbour loss, as a function and as a Keras `Loss`, and that of SimCLR."""

from ewe_tf.losses.nt_xent import nt_xent_loss
from ewe_tf.losses.snnl import SoftNearestNeighborLoss
from ewe_tf.losses.snnl import fully_mixed_value
from ewe_tf.losses.snnl import median_distance
from ewe_tf.losses.snnl import soft_nearest_neighbor_loss

__all__ = [
    "SoftNearestNeighborLoss",
    "fully_mixed_value",
    "median_distance",
    "nt_xent_loss",
    "soft_nearest_neighbor_loss",
]

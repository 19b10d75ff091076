"""Weight clustering with the model-optimization toolkit."""

import dataclasses

import keras

from ewe_tf import fields
from ewe_tf.removal.bridge import bring_weights_back
from ewe_tf.removal.bridge import to_tf_keras
from ewe_tf.removal.classifier import check_data
from ewe_tf.removal.classifier import compile_classifier
from ewe_tf.removal.classifier import copy_classifier
from ewe_tf.removal.settings import Retraining
from ewe_tf.removal.toolkit import import_toolkit
from ewe_tf.removal.toolkit import train_twin
from ewe_tf.removal.toolkit import wrap_layers

_INITIALIZATIONS = {
    "linear": "LINEAR",
    "density": "DENSITY_BASED",
    "kmeans++": "KMEANS_PLUS_PLUS",
}


@dataclasses.dataclass(frozen=True)
class WeightClustering(Retraining):
    """Lets every kernel share a few distinct weights, then trains those.

    The toolkit's `cluster_weights` does it, on the model's `tf_keras` twin. Layers that the
    toolkit cannot cluster (and convolutions with fewer weights than clusters) are left alone
    and named in a warning.

    Attributes:
        clusters: Integer of at least 2, distinct weights that a kernel may have.
        initialization: How the first cluster centres are placed: `"linear"` (evenly between
            smallest and largest weight), `"density"` or `"kmeans++"`.
        epochs: Integer. With 0 the weights move to their centres and nothing is trained.
        learning_rate, batch_size, seed, verbose: See `Retraining`. The paper trains the centres
            gently: the default is a tenth of the usual step.

    Reference:
        Han, Mao and Dally, Deep Compression, 2016, Section 3 (arXiv:1510.00149).
    """

    clusters: int = 16
    initialization: str = "linear"
    _: dataclasses.KW_ONLY
    epochs: int = 2
    learning_rate: float = 1e-4

    def __post_init__(self):
        super().__post_init__()
        fields.integer(self, "clusters", least=2)
        fields.choice(self, "initialization", tuple(_INITIALIZATIONS))

    def run(self, model, data):
        """Returns a copy of `model` with clustered weights.

        Args:
            model: Built Functional or Sequential Keras 3 classifier; left unchanged.
            data: Pair (x, y), the thief's inputs (n, ...) and labels (n,) or (n, classes).

        Returns:
            A compiled Keras 3 model of the same topology.

        Raises:
            UnsupportedLayerError: If a layer cannot be rebuilt in `tf_keras`.
        """
        x, y = check_data(model, data)
        clustering = import_toolkit().clustering.keras
        twin = to_tf_keras(model, seed=self.seed)
        start = clustering.CentroidInitialization[_INITIALIZATIONS[self.initialization]]
        clustered = wrap_layers(
            twin.model,
            lambda layer: clustering.cluster_weights(
                layer, number_of_clusters=self.clusters, cluster_centroids_init=start
            ),
            lambda layer: _clusterable(layer, self.clusters),
            "clustered",
        )
        if self.epochs:
            train_twin(clustered, model, x, y, self)
        result = copy_classifier(model, self.seed)
        bring_weights_back(twin, clustering.strip_clustering(clustered), result)
        compile_classifier(result, y, keras.optimizers.Adam(self.learning_rate))
        return result


def _clusterable(layer, clusters):
    from tensorflow_model_optimization.python.core.clustering.keras import clustering_registry

    supported = clustering_registry.ClusteringRegistry.supports(layer)
    return supported and all(
        int(w.shape.num_elements()) > clusters for w in layer.trainable_weights if len(w.shape) > 1
    )

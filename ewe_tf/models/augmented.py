"""Augmentation as part of the network: active in training, absent in prediction."""

import keras


def augmented(model, augmentation):
    """The same network behind augmentation layers, as one flat Functional model.

    As layers of the model, they act on every row that trains it, watermark rows included, and
    on none that it answers.

    Args:
        model: Functional model.
        augmentation: list of Keras layers that do nothing in prediction (`RandomFlip`,
            `RandomTranslation`...).

    Returns:
        A new model with the weights of `model`.

    Example:
        >>> crop = keras.layers.RandomTranslation(0.125, 0.125, fill_mode="constant", seed=1)
        >>> flip = keras.layers.RandomFlip("horizontal", seed=2)
        >>> model = augmented(ewe_tf.models.build("resnet8", (32, 32, 3), 10), [crop, flip])
    """
    inputs = x = keras.Input(model.input.shape[1:], name="inputs")
    for layer in augmentation:
        x = layer(x)
    # New layers in one flat graph, in which the hidden ones keep their names.
    outputs = model._run_through_graph(
        x, operation_fn=lambda layer: layer.__class__.from_config(layer.get_config())
    )
    result = keras.Model(inputs, outputs, name=f"augmented_{model.name}")
    result.set_weights(model.get_weights())
    return result

"""Foreign images in the task's shape: out-of-distribution sources and query pools."""

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], dtype="float32")


def _channels(images, channels):
    if images.shape[-1] == channels:
        return images
    if images.shape[-1] == 1:
        return np.repeat(images, channels, axis=-1)
    if images.shape[-1] == 3 and channels == 1:
        return (images @ LUMA)[..., None]
    raise ValueError(
        "`images` must be grey or have the task's channels (RGB becomes grey). "
        f"Received: {images.shape[-1]} channels for a task with {channels}"
    )


def _centred(images, size):
    """Pads with the edge pixels, or crops, evenly on both sides."""
    for axis, (have, want) in enumerate(zip(images.shape[1:3], size, strict=True), start=1):
        before, after = abs(want - have) // 2, (abs(want - have) + 1) // 2
        if want > have:
            widths = [(0, 0)] * 4
            widths[axis] = (before, after)
            images = np.pad(images, widths, mode="edge")
        elif want < have:
            images = np.take(images, range(before, have - after), axis=axis)
    return images


def resize_like(images, input_shape):
    """Fits images to the shape of a task.

    Channels first: grey is repeated, RGB becomes grey by ITU-R BT.601 luma. Then the size: a
    side that differs by at most a quarter of the task's is padded with the edge pixels or
    cropped, centred, so that pixels stay as they were (28 to 32 and back); anything else is
    resized bilinearly with antialiasing, both sides at once, without keeping the aspect.

    Args:
        images: float array of shape (n, height, width, channels).
        input_shape: (height, width, channels) of the task.

    Returns:
        float32 array of shape (n, *input_shape), values within the range of the given ones.

    Raises:
        ValueError: If either is not a stack of images, or the channels do not convert.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(input_shape) != 3 or not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            "`images` must be floats of shape (n, height, width, channels) and `input_shape` "
            f"(height, width, channels). Received: {images.dtype} of shape {images.shape} and "
            f"input_shape={tuple(input_shape)}"
        )
    *size, channels = input_shape
    images = _channels(images.astype("float32", copy=False), channels)
    near = all(
        abs(want - have) <= want / 4 for have, want in zip(images.shape[1:3], size, strict=True)
    )
    if near:
        return np.ascontiguousarray(_centred(images, size))
    from keras import ops

    resized = ops.image.resize(
        images,
        size,
        interpolation="bilinear",
        antialias=True,
        data_format="channels_last",
    )
    return ops.convert_to_numpy(resized)

"""Log-mel spectrograms of one-second clips, in TensorFlow."""

SAMPLE_RATE = 16_000
FRAME, STEP, FFT = 640, 320, 1024
BANDS, LOWEST, HIGHEST = 40, 60.0, 7_600.0
FLOOR, CEILING = -7.0, 4.0


def log_mel(audio):
    """Log-mel spectrogram, scaled to [0, 1] by constants.

    Hann frames of 40 ms every 20 ms, 40 mel bands from 60 to 7,600 Hz, natural logarithm of
    the magnitude, and then (value - FLOOR) / (CEILING - FLOOR) clipped to [0, 1]. The
    constants span what speech at 16 bits covers; no statistic of a data set takes part, so
    victim, thief and server see the same numbers.

    Args:
        audio: int16 (full scale 32,768) or float (full scale 1) samples at 16 kHz, of shape
            (batch, samples). Cut or padded with silence to one second.

    Returns:
        float32 tensor of shape (batch, 49, 40, 1).
    """
    import tensorflow as tf

    scale = 1 / 32_768 if audio.dtype.is_integer else 1.0
    audio = tf.cast(audio, tf.float32)[:, :SAMPLE_RATE] * scale
    audio = tf.pad(audio, [[0, 0], [0, SAMPLE_RATE - tf.shape(audio)[1]]])
    audio = tf.ensure_shape(audio, (None, SAMPLE_RATE))
    magnitudes = tf.abs(tf.signal.stft(audio, FRAME, STEP, FFT))
    bands = tf.signal.linear_to_mel_weight_matrix(BANDS, FFT // 2 + 1, SAMPLE_RATE, LOWEST, HIGHEST)
    loudness = tf.math.log(tf.tensordot(magnitudes, bands, 1) + 1e-6)
    scaled = tf.clip_by_value((loudness - FLOOR) / (CEILING - FLOOR), 0.0, 1.0)
    return scaled[..., tf.newaxis]

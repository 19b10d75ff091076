"""What every key can do: be saved, loaded, committed to."""

import abc

from ewe_tf.keys import file
from ewe_tf.keys.digest import array_digest
from ewe_tf.keys.digest import json_digest

_KINDS = {}


class Key(abc.ABC):
    """The owner's secret for one protected model.

    Subclasses are frozen dataclasses with a class attribute `kind` (a string, the type's name in
    key files) that say what is secret (`secret()`) and what was learned about the key later
    (`calibration`, which the commitment leaves out).
    """

    kind = None
    calibration = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.kind is not None:
            _KINDS[cls.kind] = cls

    @abc.abstractmethod
    def secret(self):
        """`(fields, arrays)`: a JSON dict and a dict of arrays that define the key."""

    @classmethod
    def from_secret(cls, fields, arrays, calibration=None):
        """The key that `secret()` and `calibration` describe."""
        return cls(**arrays, **fields, calibration=calibration)

    def commitment(self):
        """SHA-256 (hex) over the key's canonical form: publish it before the model is deployed.

        It covers everything that `secret()` states (triggers or signal parameters, expected
        answers, controls, seed, scheme and settings, the victim's digest) and reveals none of
        it. Calibration, which comes later, is not part of it.
        """
        fields, arrays = self.secret()
        digests = {name: array_digest(array) for name, array in arrays.items()}
        return json_digest({"kind": self.kind, "fields": fields, "arrays": digests})

    def save(self, path):
        """Writes the key to `path` (one `.npz` file, readable by its owner only), atomically."""
        file.write(path, *self._content())

    def to_bytes(self):
        """The content of the file that `save` writes."""
        return file.to_bytes(*self._content())

    def _content(self):
        fields, arrays = self.secret()
        return {"kind": self.kind, "fields": fields, "calibration": self.calibration}, arrays

    @staticmethod
    def load(path):
        """Reads a key of any kind.

        Raises:
            FileNotFoundError: if there is no such file.
            KeyFileError: if it is damaged, edited, or not a key this version knows.
        """
        return _made(*file.read(path), str(path))

    @staticmethod
    def from_bytes(content, name="the key"):
        """As `load`, for the content of a key file; `name` is what messages call it."""
        return _made(*file.from_bytes(content, name), name)


def _made(header, arrays, name):
    try:
        kind = header["kind"]
        if kind not in _KINDS:
            raise file.KeyFileError(
                f"{name!r} holds a key of kind {kind!r}; known kinds: {sorted(_KINDS)}"
            )
        return _KINDS[kind].from_secret(header["fields"], arrays, header["calibration"])
    except file.KeyFileError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise file.KeyFileError(f"{name!r} holds an invalid key: {error}") from error

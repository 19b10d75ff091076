"""Serves a SavedModel with KServe's model server on loopback. Run by the fixture `kserve`.

    kserve_server.py FOLDER NAME PORT FAULTS

While the folder FAULTS holds files, the next request removes the first of them and is answered as
the last word of its name says: `slow`, `429`, `500`, `shapes`, or `well`.
"""

import pathlib
import sys
import time

import fastapi
import kserve
import tensorflow as tf
import uvicorn


class Served(kserve.Model):
    """Answers V1 predict requests from a signature of the SavedModel."""

    def __init__(self, name, folder, faults):
        super().__init__(name)
        self.signatures = tf.saved_model.load(folder).signatures
        self.faults = faults
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        fault = self._next_fault()
        if fault == "slow":
            time.sleep(2)
        elif fault == "429":
            raise fastapi.HTTPException(429, "slow down", headers={"Retry-After": "1"})
        elif fault == "500":
            raise RuntimeError("broken on purpose")
        signature = self.signatures[payload.get("signature_name", "serving_default")]
        (spec,) = signature.structured_input_signature[1].values()
        rows = tf.constant(payload["instances"], spec.dtype)
        (answers,) = signature(**{spec.name: rows}).values()
        answers = answers.numpy().tolist()
        return {"predictions": answers[:-1] if fault == "shapes" else answers}

    def _next_fault(self):
        for path in sorted(self.faults.iterdir()):
            path.unlink()
            return path.name.split()[-1]
        return None


class Loopback(uvicorn.Config):
    """KServe binds to all addresses; a test must not."""

    def __init__(self, app, **settings):
        super().__init__(app, **{**settings, "host": "127.0.0.1"})


if __name__ == "__main__":
    folder, name, port, faults = sys.argv[1:]
    uvicorn.Config = Loopback
    server = kserve.ModelServer(http_port=int(port), enable_grpc=False)
    server.start([Served(name, folder, pathlib.Path(faults))])

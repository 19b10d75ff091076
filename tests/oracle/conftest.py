"""A server for the remote client in this process, whose answers can be scripted."""

import http.server
import json
import threading

import numpy as np
import pytest


class Script:
    """A TF Serving model on loopback whose next answers can be scripted.

    Attributes:
        url: The model's URL.
        faults: Functions of the request handler that answer the next requests, first one
            first. When none is left, the model answers.
        requests: The requests received: their path and the fields of their body.
        headers: The headers received.
        model: From rows to a list of predictions.
    """

    def __init__(self):
        self.faults, self.requests, self.headers = [], [], []
        self.model = lambda rows: (np.abs(rows) / np.abs(rows).sum(1, keepdims=True)).tolist()
        self.scheme, self.port = "http", 0
        self._server = None

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}/v1/models/toy"

    def start(self, tls=None):
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                script.handle(self)

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self.scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        request = {"path": handler.path, **json.loads(body)}
        self.requests.append(request)
        self.headers.append(dict(handler.headers))
        if self.faults:
            self.faults.pop(0)(handler)
            return
        rows = np.array(request.get("instances", request.get("inputs")))
        key = "predictions" if "instances" in request else "outputs"
        answer = json.dumps({key: self.model(rows)}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)


@pytest.fixture
def script():
    script = Script()
    script.start()
    yield script
    script.stop()

"""Servers for the remote client: a scripted one in this process, and KServe's in its own."""

import http.server
import json
import threading

import numpy as np
import pytest


class Script:
    """A TF Serving model on loopback whose next answers can be scripted.

    Attributes:
        url: The model's URL.
        faults: What happens to the next requests, first one first: a function of the handler
            that answers it. When none is left, the model answers.
        requests: The bodies received.
        headers: The headers received.
        model: From rows to a list of predictions.
    """

    def __init__(self):
        self.faults, self.requests, self.headers = [], [], []
        self.model = lambda rows: (np.abs(rows) / np.abs(rows).sum(1, keepdims=True)).tolist()
        self._server = None
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1/models/toy"

    def start(self):
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                script.handle(self)

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.requests.append({"path": handler.path, **json.loads(body)})
        self.headers.append(dict(handler.headers))
        if self.faults:
            self.faults.pop(0)(handler)
            return
        request = self.requests[-1]
        rows = request.get("instances", request.get("inputs"))
        answer = self.model(np.array(rows))
        key = "predictions" if "instances" in request else "outputs"
        reply(200, json.dumps({key: answer}).encode())(handler)


def reply(status, body, **headers):
    """A fault: this status, body and headers."""

    def fault(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return fault


@pytest.fixture
def script():
    script = Script()
    script.start()
    yield script
    script.stop()

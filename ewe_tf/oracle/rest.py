"""A model behind TF Serving's REST protocol, behind the oracle."""

import collections
import queue
import re
import threading
import urllib.parse
import warnings

import numpy as np

from ewe_tf.oracle.answers import REFUSED
from ewe_tf.oracle.black_box import OUTPUTS
from ewe_tf.oracle.black_box import Answers
from ewe_tf.oracle.black_box import BlackBox
from ewe_tf.oracle.http_client import Endpoint
from ewe_tf.oracle.http_client import Health
from ewe_tf.oracle.http_client import HttpClient
from ewe_tf.oracle.http_client import Reply
from ewe_tf.oracle.patience import Backoff
from ewe_tf.oracle.patience import Deadline
from ewe_tf.oracle.patience import RateLimit
from ewe_tf.oracle.patience import positive
from ewe_tf.oracle.serving_json import REQUESTS
from ewe_tf.oracle.serving_json import Refusal
from ewe_tf.oracle.serving_json import decode
from ewe_tf.oracle.serving_json import encode

NAME = r"[\w.~%-]+"
PATH = re.compile(rf"(/{NAME})*/v1/models/{NAME}(/versions/[0-9]+|/labels/{NAME})?", re.ASCII)


class Remote(BlackBox):
    """Queries a model at `http(s)://host:port/v1/models/NAME[/versions/N]`.

    Whatever a server does, the call ends by its deadline and gives an answer for every row: a
    row that was refused, or answered with something that is neither a label nor scores, has
    label -1 or NaN scores, and its reason is counted in the oracle's ledger.

    Args:
        url: The model's URL; `:predict` may follow.
        request: `"instances"` or `"inputs"`: the form of the request.
        signature_name: Signature to ask for; None: the server's default.
        input_name: Name of the input, if the server wants it.
        output_name: Output to read if the signature has several.
        outputs: What the answers are, see `BlackBox`; `"auto"`: found out from the first.
        input_shape: Shape of a row, to check rows before they are sent; None: no check.
        num_classes: Number of classes, if known; other lengths are then malformed.
        header_env: Dict, header -> name of an environment variable with its value, such as
            `{"Authorization": "EWE_TF_TOKEN"}`. Values are never shown or stored.
        batch_size: Rows per request; None: the oracle's.
        concurrency: Requests at a time, 1 to 64.
        rows_per_second: Rate limit on rows, or None.
        requests_per_second: Rate limit on requests, or None.
        attempts: Times that a request is sent at most.
        backoff: Seconds before the second attempt; doubled for each further one, up to 10.
        connect_timeout: Seconds to connect.
        read_timeout: Seconds without a byte from the server.
        deadline: Seconds for one call of `predict`, all its rows, attempts and waits.
        tls: True: certificates are verified; a path: against this file of authorities;
            False: not verified.

    Attributes:
        url: The URL of the model.
        last_error: Excerpt of the server's last error text, or None.

    Raises:
        ValueError: If the URL is not of this form or holds credentials, if an environment
            variable is not set, or if a number is out of range.

    Example:
        >>> suspect = Remote("https://example.com/v1/models/mnist", concurrency=4)
        >>> labels = Oracle(suspect, answers="label").predict(triggers)
    """

    def __init__(
        self,
        url,
        *,
        request="instances",
        signature_name=None,
        input_name=None,
        output_name=None,
        outputs="auto",
        input_shape=None,
        num_classes=None,
        header_env=None,
        batch_size=None,
        concurrency=1,
        rows_per_second=None,
        requests_per_second=None,
        attempts=6,
        backoff=0.5,
        connect_timeout=5.0,
        read_timeout=30.0,
        deadline=600.0,
        tls=True,
    ):
        parts = _parse(url)
        if request not in REQUESTS:
            raise ValueError(f"`request` must be one of {REQUESTS}. Received: {request!r}")
        if outputs not in OUTPUTS:
            raise ValueError(f"`outputs` must be one of {OUTPUTS}. Received: {outputs!r}")
        _integer("batch_size", batch_size, optional=True)
        _integer("num_classes", num_classes, optional=True)
        _integer("concurrency", concurrency, largest=64)
        for name, value in (("connect_timeout", connect_timeout), ("deadline", deadline)):
            positive(name, value)
        positive("read_timeout", read_timeout)
        for name, value in (
            ("rows_per_second", rows_per_second),
            ("requests_per_second", requests_per_second),
        ):
            if value is not None:
                positive(name, value)
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.outputs = outputs
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.num_classes = num_classes
        self._encoding = (request, signature_name, input_name)
        self._output_name = output_name
        self._batch_size = batch_size
        self._concurrency = concurrency
        self._deadline = deadline
        self._endpoint = Endpoint(
            parts.scheme,
            parts.hostname,
            parts.port,
            parts.path + ":predict",
            dict(header_env or {}),
            connect_timeout,
            read_timeout,
            tls,
        )
        self._backoff = Backoff(attempts, backoff)
        self._rate_limit = RateLimit(rows_per_second, requests_per_second)
        self._health = Health()
        self._warn_of_clear_text(parts)

    @property
    def last_error(self):
        return self._health.last_error

    def forward(self, x):
        """Not used: a remote model answers row by row, see `query`."""
        raise NotImplementedError

    def query(self, x, batch_size):
        size = self._batch_size or batch_size
        replies = self._send([x[start : start + size] for start in range(0, len(x), size)])
        rows = []
        for part, reply in replies:
            if reply.reason is not None:
                rows += [Refusal(reply.reason)] * len(part)
            else:
                rows += decode(reply.body, len(part), self._output_name)
        return self._assemble(rows, sum(reply.retries for _, reply in replies))

    def _send(self, parts):
        """Sends the parts from several threads; returns `(part, Reply)` in order.

        The threads are daemons and are left behind when the deadline passes, so that not even
        a name server or a server that sends a byte a minute can hold the caller.
        """
        deadline = Deadline(self._deadline)
        jobs, done = queue.SimpleQueue(), queue.SimpleQueue()
        for job in enumerate(parts):
            jobs.put(job)
        workers = min(self._concurrency, len(parts))
        for _ in range(workers):
            threading.Thread(target=self._work, args=(jobs, done, deadline), daemon=True).start()
        replies = {}
        try:
            while len(replies) < len(parts):
                number, reply = done.get(timeout=max(deadline.remaining(), 1e-3))
                if isinstance(reply, Exception):
                    raise reply
                replies[number] = reply
        except queue.Empty:
            pass
        finally:
            deadline.stop()
        late = Reply(None, "deadline passed")
        return [(part, replies.get(number, late)) for number, part in enumerate(parts)]

    def _work(self, jobs, done, deadline):
        client = HttpClient(self._endpoint, self._backoff, self._rate_limit, self._health)
        try:
            while deadline.remaining():
                number, part = jobs.get_nowait()
                try:
                    body = encode(part, *self._encoding)
                    done.put((number, client.post(body, len(part), deadline)))
                except Exception as error:  # Handed to the caller's thread.
                    done.put((number, error))
        except queue.Empty:
            pass
        finally:
            client.close()

    def _assemble(self, rows, retries):
        refused = {
            number: row.reason for number, row in enumerate(rows) if isinstance(row, Refusal)
        }
        answered = [row for row in rows if not isinstance(row, Refusal)]
        if self.outputs == "auto" and answered and isinstance(answered[0], int):
            self.outputs = "labels"
        if self.outputs == "labels" or not answered:
            return Answers(self._labels(rows, refused), refused, retries)
        settled = self.settle(self._scores(rows, refused))
        return Answers(settled.values, settled.refused | refused, retries)

    def _labels(self, rows, refused):
        values = np.full(len(rows), REFUSED, np.int64)
        for number, row in enumerate(rows):
            label = isinstance(row, int)
            if label and (self.num_classes is None or row < self.num_classes):
                values[number] = row
            elif not isinstance(row, Refusal):
                refused[number] = "no such class" if label else "scores in place of a label"
        return values

    def _scores(self, rows, refused):
        lengths = collections.Counter(len(row) for row in rows if isinstance(row, np.ndarray))
        classes = self.num_classes or max(lengths, key=lengths.get, default=0)
        values = np.full((len(rows), classes), np.nan)
        for number, row in enumerate(rows):
            scores = isinstance(row, np.ndarray)
            if scores and len(row) == classes:
                values[number] = row
            elif not isinstance(row, Refusal):
                many = "wrong number of classes"
                refused[number] = many if scores else "a label in place of scores"
        return values

    def _warn_of_clear_text(self, parts):
        safe = parts.scheme == "https" and self._endpoint.tls is not False
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if self._endpoint.header_env and not safe and not local:
            warnings.warn(
                f"The headers {sorted(self._endpoint.header_env)} go to {parts.hostname!r} "
                "without a verified TLS connection",
                stacklevel=3,
            )

    def __repr__(self):
        return f"Remote({self.url!r})"


def _parse(url):
    """Splits the URL. What is wrong with it is said without showing credentials in it."""
    form = "http(s)://HOST[:PORT]/v1/models/NAME[/versions/N][:predict]"
    try:
        parts = urllib.parse.urlsplit(url.removesuffix("/").removesuffix(":predict"))
        credentials = parts.username is not None or parts.query or parts.fragment
        port_is_valid = parts.port is None or parts.port > 0
    except (AttributeError, ValueError) as error:
        raise ValueError(f"`url` must have the form {form}. {error}") from None
    if credentials:
        raise ValueError(
            "`url` must hold neither a user name nor a query string. Give credentials through "
            '`header_env={"Authorization": "NAME_OF_A_VARIABLE"}`'
        )
    valid = parts.scheme in ("http", "https") and parts.hostname and port_is_valid
    if not valid or not PATH.fullmatch(parts.path):
        raise ValueError(f"`url` must have the form {form}. Received: {url!r}")
    return parts


def _integer(name, value, largest=None, optional=False):
    if value is None and optional:
        return
    valid = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not valid or (largest is not None and value > largest):
        limit = "a positive integer" if largest is None else f"an integer from 1 to {largest}"
        raise ValueError(f"`{name}` must be {limit}. Received: {name}={value!r}")

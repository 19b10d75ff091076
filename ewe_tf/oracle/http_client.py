"""One HTTP request, sent until it is answered or not worth another attempt.

Built on `http.client`: no redirect is followed, so that no header reaches another host, and
no proxy is used.
"""

import dataclasses
import functools
import http.client
import os
import ssl

from ewe_tf.oracle.patience import retry_after

RETRIED = (429, 500, 502, 503, 504)
LARGEST_ANSWER = 256 * 2**20
CHUNK = 2**14


@dataclasses.dataclass(frozen=True)
class Reply:
    """What became of a request: a body, or the reason why there is none."""

    body: bytes | None
    reason: str | None
    retries: int = 0


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where requests go and what is sent along.

    Args:
        scheme: `"http"` or `"https"`.
        host: Host name or address.
        port: Port, or None for the scheme's own.
        path: Path of the request.
        header_env: Dict, header -> name of the environment variable that holds its value. The
            values are read when a request is sent and kept nowhere.
        connect_timeout: Seconds to connect.
        read_timeout: Seconds without a byte from the server.
        tls: True to verify certificates against the system's authorities, the path of a file
            of authorities, or False not to verify.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    header_env: dict = dataclasses.field(default_factory=dict)
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    tls: bool | str = True

    def __post_init__(self):
        for header in self.header_env:
            self._header(header)
        if self.scheme == "https":
            self._context  # noqa: B018  A missing file of authorities shows now.

    def headers(self):
        """The headers, with the values that the environment holds now.

        Raises:
            ValueError: If a variable is not set or cannot be a header; its value is not shown.
        """
        plain = {"Content-Type": "application/json", "Accept": "application/json"}
        return plain | {header: self._header(header) for header in self.header_env}

    def connect(self):
        """A new `http.client` connection, not yet open."""
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, self.connect_timeout)
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=self.connect_timeout, context=self._context
        )

    @functools.cached_property
    def _context(self):
        authorities = None if isinstance(self.tls, bool) else os.fspath(self.tls)
        try:
            context = ssl.create_default_context(cafile=authorities)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(
                "`tls` must be True, False or a file of certificate authorities. "
                f"Received: tls={self.tls!r}. {error}"
            ) from error
        if self.tls is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def censor(self, text):
        """`text` with every secret value in it replaced."""
        for variable in self.header_env.values():
            value = os.environ.get(variable, "").strip()
            for secret in (value, *value.split()):
                if len(secret) >= 4:
                    text = text.replace(secret, "***")
        return text

    def _header(self, header):
        variable = self.header_env[header]
        value = os.environ.get(variable, "").strip()
        if not value:
            raise ValueError(
                f"The environment variable {variable!r} for the header {header!r} is not set"
            )
        if not (value.isascii() and value.isprintable()):
            raise ValueError(
                f"The environment variable {variable!r} for the header {header!r} must hold "
                "printable ASCII on one line"
            )
        return value


class HttpClient:
    """Sends requests to one endpoint, with retries. Used by one thread.

    Args:
        endpoint: An `Endpoint`.
        backoff: A `Backoff`.
        rate_limit: A `RateLimit`, shared by all threads.
        health: A `Health`, shared by all threads.
    """

    def __init__(self, endpoint, backoff, rate_limit, health):
        self._endpoint = endpoint
        self._backoff = backoff
        self._rate_limit = rate_limit
        self._health = health
        self._connection = None

    def post(self, body, rows, deadline):
        """Sends `body` until an answer comes.

        Sends again after time-outs, broken or refused connections and the statuses
        `RETRIED`, waiting as `Backoff` or the server's `Retry-After` says. Once a request was
        given up without the server being reached or with a status of 500 or more, later ones
        are sent only once each until the server answers again.

        Args:
            body: Bytes.
            rows: Rows in it, for the rate limit.
            deadline: A `Deadline`.

        Returns:
            A `Reply`.
        """
        attempts = 1 if self._health.down else self._backoff.attempts
        reason = None
        for attempt in range(attempts):
            wait = self._rate_limit.reserve(rows)
            if not deadline.sleep(wait):
                return Reply(None, reason or "deadline passed", attempt)
            status, asked, answer, reason = self._send(body, deadline)
            self._health.down &= status is None or status >= 500
            if reason is None:
                return Reply(answer, None, attempt)
            if status is not None and status not in RETRIED:
                self._health.note(self._endpoint.censor(_excerpt(answer)))
                return Reply(None, reason, attempt)
            if attempt + 1 < attempts:
                if asked:
                    self._rate_limit.pause(min(asked, deadline.remaining()))
                if not deadline.sleep(max(asked, self._backoff.wait(attempt))):
                    return Reply(None, reason, attempt)
        self._health.down = status is None or status >= 500
        return Reply(None, reason, attempts - 1)

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, body, deadline):
        """Returns status, seconds asked for, body and reason; a status of 0 is final."""
        reused = self._connection is not None
        try:
            status, asked, answer = self._exchange(body, deadline)
        except (ConnectionError, http.client.HTTPException):
            self.close()
            if reused:  # The server may have closed an idle connection: that is no failure.
                return self._send(body, deadline)
            return None, 0.0, b"", "connection failed"
        except TimeoutError:
            self.close()
            return None, 0.0, b"", "timed out"
        except ssl.SSLCertVerificationError:
            self.close()
            return 0, 0.0, b"", "certificate not verified"
        except OSError:
            self.close()
            return None, 0.0, b"", "connection failed"
        if answer is None:
            return 0, 0.0, b"", "answer too large"
        return status, asked, answer, None if status == 200 else f"HTTP {status}"

    def _exchange(self, body, deadline):
        headers = self._endpoint.headers()
        if self._connection is None:
            self._connection = self._endpoint.connect()
            self._connection.connect()
        connection = self._connection
        self._await(connection, deadline)
        connection.request("POST", self._endpoint.path, body=body, headers=headers)
        response = connection.getresponse()
        answer = self._read(connection, response, deadline)
        if answer is None or response.will_close:
            self.close()
        return response.status, retry_after(response.getheader("Retry-After")), answer

    def _read(self, connection, response, deadline):
        parts, size = [], 0
        while True:
            if not response.will_close:
                self._await(connection, deadline)
            elif not deadline.remaining():
                raise TimeoutError
            part = response.read(CHUNK)
            if not part:
                break
            parts.append(part)
            size += len(part)
            if size > LARGEST_ANSWER:
                return None
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(parts)

    def _await(self, connection, deadline):
        remaining = deadline.remaining()
        if not remaining:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(min(self._endpoint.read_timeout, remaining))


class Health:
    """What a server's last answers say about it.

    Attributes:
        down: Whether requests were given up since the server last answered.
        last_error: Excerpt of the last error text that the server gave, without secrets.
    """

    def __init__(self):
        self.down = False
        self.last_error = None

    def note(self, text):
        self.last_error = text or self.last_error


def _excerpt(answer):
    text = answer[:2000].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in text)[:500]

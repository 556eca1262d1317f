"""HTTP to the server: JSON there and back, and server-sent events."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing, contextmanager
from typing import Any, Dict, Generator, Iterator, Mapping, Optional, Tuple
from urllib.parse import urlencode, urlsplit

from lmdebugger.errors import ServerError

Events = Generator[Tuple[str, Any], None, None]
"""Events by name and data."""


class Connection:
    """The way to a server; each request has a TCP connection of its own, so any thread may use it."""

    def __init__(self, url: str, token: Optional[str], timeout: Optional[float]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"url: {url} (expected: such as http://127.0.0.1:8001)")
        try:
            self._port = parts.port
        except ValueError as wrong:
            raise ValueError(f"url: {url}: {wrong} (expected: such as http://127.0.0.1:8001)") from None
        if token and not (token.isascii() and token.isprintable()):
            raise ValueError("token: with other characters (expected: printable ASCII)")
        self._url = url
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host = parts.hostname
        self._path = parts.path.rstrip("/") + "/api/v1/"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout

    def get(self, path: str, **query: Any) -> bytes:
        """Returns the body of an answer. Parameters that are None are left out."""
        return self._send("GET", path, query)

    def json(self, path: str, **query: Any) -> Any:
        return json.loads(self.get(path, **query))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return json.loads(self._send("POST", path, {}, body))

    def delete(self, path: str) -> None:
        self._send("DELETE", path, {})

    def _send(self, method: str, path: str, query: Mapping[str, Any],
              body: Optional[Mapping[str, Any]] = None) -> bytes:
        with self._answer(method, path, query, body) as answer:
            return answer.read()

    def events(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Events:
        """Yields the events of an answer. When they are closed, so is the connection, and the server ends the work.

        :raises ServerError: also for an event ``problem``
        """
        with self._answer(method, path, {}, body) as answer:
            name = ""
            for line in answer:
                field, _, value = line.decode("utf-8").rstrip("\r\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data = json.loads(value)
                    if name == "problem":
                        raise ServerError(data["status"], data["title"], data["detail"])
                    yield name, data
                    if name == "end":
                        return
            raise http.client.IncompleteRead(b"")

    @contextmanager
    def _answer(self, method: str, path: str, query: Mapping[str, Any],
                body: Optional[Mapping[str, Any]]) -> Iterator[http.client.HTTPResponse]:
        """Gives the answer to a request, and closes the connection.

        :raises ServerError: if its status is 300 or more
        :raises ConnectionError: if there is no server, or the answer ends early
        """
        parameters = urlencode({name: str(value).lower() if isinstance(value, bool) else value
                                for name, value in _given(query).items()}, doseq=True)
        headers = dict(self._headers)
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(_given(body), allow_nan=False).encode("utf-8")
        with closing(self._kind(self._host, self._port, timeout=self._timeout)) as connection:
            try:
                connection.request(method, self._path + path + ("?" + parameters if parameters else ""), content,
                                   headers)
                with connection.getresponse() as answer:
                    if answer.status >= 300:
                        raise _problem(answer)
                    yield answer
            except http.client.HTTPException as broken:
                raise ConnectionError(f"{self._url}: the answer ended early (expected: all of it)") from broken
            except socket.timeout:
                raise
            except OSError as none:
                raise ConnectionError(f"{self._url}: {none} (expected: a server, as lmdebug serve starts)") from none


def _given(values: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns those values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _problem(answer: http.client.HTTPResponse) -> ServerError:
    text = answer.read().decode("utf-8", "replace")
    try:
        problem = json.loads(text)
        return ServerError(answer.status, problem["title"], problem["detail"])
    except (ValueError, KeyError, TypeError):  # of a proxy, perhaps
        return ServerError(answer.status, answer.reason, text.strip() or answer.reason)

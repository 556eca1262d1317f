"""The connection, against a server that answers as it is told."""

from __future__ import annotations

import socket
import threading
import unittest
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Iterator, List, cast

from lmdebugger import Client, ServerError
from lmdebugger.connection import Connection


class Told(BaseHTTPRequestHandler):
    """Answers with the server's `answer`: status, content type and the pieces of the body; keeps the requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.requests.append((self.command, self.path, dict(self.headers), body))
        status, kind, pieces = server.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()
        except ConnectionError:
            server.gone.set()

    do_POST = do_DELETE = do_GET

    def log_message(self, *arguments: Any) -> None:
        pass


def endless(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


class ConnectionTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = cast(Any, HTTPServer(("127.0.0.1", 0), Told))
        self.server.requests = []
        self.server.chunked = False
        self.server.gone = threading.Event()
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}/debugger/"

    def answer(self, status: int, kind: str, *pieces: bytes) -> None:
        self.server.answer = status, kind, pieces

    def events(self, *pieces: bytes) -> List[Any]:
        self.answer(200, "text/event-stream", *pieces)
        return list(Connection(self.url, None, 10).events("POST", "patch", {}))

    def test_a_request_has_the_path_the_token_and_what_was_given(self) -> None:
        self.answer(200, "application/json", b'{"results": []}')
        Client(self.url, token="secret", timeout=10).search("king, queen", weigh=True)
        Client(self.url, timeout=10).search_tokens([" a", "#3"])
        method, path, headers, _ = self.server.requests[0]
        self.assertEqual((method, path), ("GET", "/debugger/api/v1/search?words=king%2C+queen&weigh=true"))
        self.assertEqual(headers["Authorization"], "Bearer secret")
        self.assertEqual(self.server.requests[1][1], "/debugger/api/v1/search/tokens?token=+a&token=%233")
        self.assertNotIn("Authorization", self.server.requests[1][2])

    def test_a_body_is_json_without_nan(self) -> None:
        self.answer(200, "application/json", b"{}")
        Client(self.url, timeout=10).trace("größer", top=3, clean=False)
        _, _, headers, body = self.server.requests[0]
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(body, b'{"prompt": "gr\\u00f6\\u00dfer", "top": 3, "clean": false}')
        with self.assertRaises(ValueError):
            Client(self.url, timeout=10).generate("a", temperature=float("nan"))

    def test_events_come_by_name_and_data(self) -> None:
        self.assertEqual(self.events(b'event: progress\nda', b'ta: {"done": 1}\n\nevent: end\ndata: "\xc3\xa9: "\n\n'),
                         [("progress", {"done": 1}), ("end", "é: ")])

    def test_a_problem_among_events_is_raised(self) -> None:
        with self.assertRaisesRegex(ServerError, "^not finite$") as raised:
            self.events(b'event: problem\ndata: {"status": 400, "title": "Bad request", "detail": "not finite"}\n\n')
        self.assertEqual((raised.exception.status, raised.exception.title), (400, "Bad request"))

    def test_events_without_an_end_are_an_error(self) -> None:
        event = b'event: progress\ndata: {"done": 1}\n\n'
        for pieces in ([event], [b"24\r\n" + event], [b"25\r\n" + event, b"\r\n30\r\nevent: "], [b"x"]):
            with self.subTest(pieces), self.assertRaisesRegex(ConnectionError, "the answer ended early"):
                self.server.chunked = len(pieces[0]) != len(event)
                self.events(*pieces)

    def test_closing_events_closes_the_connection(self) -> None:
        self.server.answer = 200, "text/event-stream", endless(b'event: token\ndata: {"id": 1}\n\n')
        with closing(Client(self.url, timeout=10).events("generate", {"prompt": "a"})) as events:
            self.assertEqual(next(events), ("token", {"id": 1}))
        self.assertTrue(self.server.gone.wait(30))

    def test_an_exception_of_the_callback_closes_the_connection_and_arrives(self) -> None:
        self.server.answer = 200, "text/event-stream", endless(b'event: progress\ndata: {"done": 1, "cells": 9}\n\n')

        def stop(done: int, total: int) -> None:
            raise KeyError(f"{done} of {total}")

        with self.assertRaisesRegex(KeyError, "1 of 9"):
            Client(self.url, timeout=10).patch("a", "b", progress=stop)
        self.assertTrue(self.server.gone.wait(30))

    def test_what_a_proxy_answers_is_shown(self) -> None:
        self.answer(502, "text/html", b"<p>no upstream</p>")
        with self.assertRaisesRegex(ServerError, "<p>no upstream</p>") as raised:
            Client(self.url, timeout=10).model()
        self.assertEqual(raised.exception.status, 502)

    def test_no_server_and_no_url_are_said(self) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # and nobody listens
            with self.assertRaisesRegex(ConnectionError, "expected: a server, as lmdebug serve starts"):
                Client(f"http://127.0.0.1:{nobody.getsockname()[1]}", timeout=10).model()
        for url in ("http://nobody.invalid", self.url.replace("http", "https")):  # a name of no host; no TLS
            with self.subTest(url), self.assertRaisesRegex(ConnectionError, f"^{url}: .*expected: a server"):
                Client(url, timeout=10).model()
        for url in ("127.0.0.1:8001", "http://127.0.0.1:99999", "http://127.0.0.1:port"):
            with self.subTest(url), self.assertRaisesRegex(ValueError, f"^url: {url}.* .expected: such as http"):
                Client(url)

    def test_a_server_that_is_silent_is_given_up(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, self.assertRaises(socket.timeout):
            Client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.1).model()

    def test_a_token_that_no_header_can_have_is_refused_unshown(self) -> None:
        for token in ("a\nb", "süß"):
            with self.subTest(token), self.assertRaisesRegex(ValueError, "^token: with other characters"):
                Client(self.url, token=token)


if __name__ == "__main__":
    unittest.main()

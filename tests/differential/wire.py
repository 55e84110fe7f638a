"""The client's end: octets out, strictly read responses in; and the backend's journal."""

import json
import re
import socket
import time
from dataclasses import dataclass, field

Address = tuple[str, int]
# The method of what could not be read.
UNKNOWN = ""


class Malformed(Exception):
    """What came is no proper response."""


@dataclass
class Response:
    """One final response."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    interim: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        maker = f"the servlet ({self.echo()})" if self.echo() else "the backend" if self.by_backend() else "the gateway"
        return f"{self.status} by {maker}"

    def get(self, name: str) -> str | None:
        return next((value for n, value in self.fields if n == name), None)

    def echo(self) -> int | None:
        """The number in the journal of the request that it answers, if the servlet made it."""
        number = self.get("x-echo")
        return int(number) if number else None

    def by_backend(self) -> bool:
        """Whether the container made it, servlet or not."""
        return re.match("Jetty|tomcat", self.get("server") or "") is not None


@dataclass
class Answers:
    """All that came on a connection."""

    responses: list[Response]
    # What came after them and is none.
    rest: bytes = b""
    fault: str = ""
    closed: bool = True


def exchange(address: Address, octets: bytes, methods: list[str], limit: float) -> Answers:
    """Sends octets and a FIN, and reads responses until the other side closes."""
    received, closed = b"", True
    with socket.create_connection(address, timeout=limit) as connection:
        try:
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # Refused and reset before all was sent: what was said about it may still come.
        end = time.monotonic() + limit
        while True:
            connection.settimeout(max(0.01, end - time.monotonic()))
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                closed = False
                break
            except OSError:
                break
            if not piece:
                break
            received += piece
    answers = read_answers(received, methods)
    answers.closed = closed
    return answers


def read_answers(received: bytes, methods: list[str]) -> Answers:
    responses: list[Response] = []
    interim: list[int] = []
    while received:
        method = methods[len(responses)] if len(responses) < len(methods) else UNKNOWN
        try:
            response, rest = read_response(received, method)
        except Malformed as fault:
            return Answers(responses, received, str(fault))
        received = rest
        if response.status < 200 and response.status != 101:
            interim.append(response.status)
            continue
        response.interim, interim = interim, []
        responses.append(response)
    return Answers(responses)


def read_response(stream: bytes, method: str) -> tuple[Response, bytes]:
    head, empty, rest = stream.partition(b"\r\n\r\n")
    if not empty:
        raise Malformed(f"a response's head is cut short: {stream[:80]!r}")
    line, *lines = head.split(b"\r\n")
    parts = re.fullmatch(rb"HTTP/1\.[01] ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*", line)
    if parts is None:
        raise Malformed(f"no status line: {line!r}")
    fields = []
    for text in lines:
        pair = re.fullmatch(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*", text)
        if pair is None:
            raise Malformed(f"bad field line {text!r}")
        fields.append((pair[1].decode().lower(), pair[2].decode("latin-1")))
    response = Response(int(parts[1]), fields, b"")
    rest = read_body(response, method, rest)
    return response, rest


def read_body(response: Response, method: str, rest: bytes) -> bytes:
    """Sets the body; gives what follows it. What is no request may be a HEAD, and then be answered like one."""
    length, coding = response.get("content-length"), response.get("transfer-encoding")
    bodyless = response.status < 200 or response.status in (204, 304)
    if method == "HEAD" or bodyless or (method == UNKNOWN and not rest):
        return rest
    if coding is not None:
        if coding != "chunked" or length is not None:
            raise Malformed("contradictory framing")
        return read_chunks(response, rest)
    size = int(length) if length is not None else len(rest)
    if len(rest) < size:
        raise Malformed(f"{len(rest)} of {size} octets of body")
    response.body = rest[:size]
    return rest[size:]


def read_chunks(response: Response, rest: bytes) -> bytes:
    while True:
        line, _, rest = rest.partition(b"\r\n")
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", line):
            raise Malformed(f"bad chunk size {line!r}")
        size = int(line, 16)
        if rest[size : size + 2] != b"\r\n":
            raise Malformed("no CRLF after a chunk")
        response.body += rest[:size]
        rest = rest[size + 2 :]
        if size == 0:
            return rest


def take_journal(address: Address) -> list[dict]:
    """What the backend understood since the last time."""
    text = b""
    with socket.create_connection(address, timeout=30) as connection:
        while piece := connection.recv(65536):
            text += piece
    return [json.loads(line) for line in text.splitlines()]

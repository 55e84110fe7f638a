"""What a stream of octets means, read from RFC 9110 and RFC 9112 alone and without any mercy.

It shares nothing with the gateway's parser: where the two disagree, one of them is wrong.
"""

import ipaddress
import re
from dataclasses import dataclass, field

TCHAR = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# RFC 9110 5.5: field-content, with obs-text.
VALUE = frozenset([0x09, 0x20]) | frozenset(range(0x21, 0x7F)) | frozenset(range(0x80, 0x100))
# RFC 3986: what a path, a query and their percent signs are made of.
TARGET = frozenset(b"-._~!$&'()*+,;=:@/?%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
HOST_NAME = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+")
# Fields that end at each hop (RFC 9110 7.6.1), or that say something about it.
HOP = frozenset(
    "connection keep-alive proxy-connection te trailer transfer-encoding upgrade content-length host expect "
    "max-forwards http2-settings via cdn-loop forwarded x-forwarded-for x-forwarded-proto x-forwarded-host".split()
)
# A connection option that names one of these takes nothing away: they say what the message is, or are "intended for
# all recipients" (RFC 9110 7.6.1), who would be made to decide otherwise without them.
PROTECTED = frozenset(
    "host content-length transfer-encoding authorization cache-control content-encoding content-range content-type"
    " cookie origin range".split()
)


class Refused(Exception):
    """It has to be refused; the text says why."""


class Incomplete(Exception):
    """It ends too early."""


@dataclass
class Request:
    """One request as the backend should understand it. Texts are ISO-8859-1."""

    method: str
    target: str
    host: str | None
    version: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = True
    # The wish to end the connection after it.
    close: bool = False

    def end_to_end(self) -> list[tuple[str, str]]:
        """The fields that have to reach the backend as they are, in order."""
        named = set(tokens(self.fields, "connection")) - PROTECTED
        return [(n, v) for n, v in self.fields if n not in HOP and n not in named]


@dataclass
class Reading:
    """What is in a stream: whole requests, and what comes after them."""

    requests: list[Request]
    # "end", "refuse" or "incomplete".
    verdict: str
    reason: str = ""


def read(stream: bytes) -> Reading:
    """Reads requests until the end of the stream or the first fault."""
    requests: list[Request] = []
    at = 0
    while True:
        while stream.startswith(b"\r\n", at):
            at += 2
        if at == len(stream):
            return Reading(requests, "end")
        if requests and requests[-1].close:
            return Reading(requests, "end", "octets after the last request of a connection")
        try:
            request, at = read_request(stream, at)
            requests.append(request)
        except Refused as fault:
            return Reading(requests, "refuse", str(fault))
        except Incomplete as fault:
            return Reading(requests, "incomplete", str(fault))


def read_request(stream: bytes, at: int) -> tuple[Request, int]:
    line, at = read_line(stream, at)
    method, target, version = request_line(line)
    fields, at = read_fields(stream, at)
    path, authority = read_target(method, target)
    host = read_host(fields, version)
    names = options(fields)
    request = Request(
        method.decode(),
        path.decode("latin-1"),
        (authority if authority is not None else host or b"").decode("latin-1") or None,
        version.decode(),
        [(n.decode().lower(), v.decode("latin-1")) for n, v in fields],
        close="close" in names or (version == b"HTTP/1.0" and "keep-alive" not in names),
    )
    kind, length = framing(fields, version)
    if kind == "chunked":
        request.body, request.trailers, at = read_chunked(stream, at)
    else:
        if len(stream) - at < length:
            raise Incomplete(f"{len(stream) - at} of {length} octets of body")
        request.body = stream[at : at + length]
        at += length
    return request, at


def read_line(stream: bytes, at: int) -> tuple[bytes, int]:
    """A line that ends with CRLF, and in which neither CR nor LF stand alone."""
    end = stream.find(b"\n", at)
    line = stream[at:end] if end >= 0 else stream[at:]
    bare = line.find(b"\r")
    if 0 <= bare < len(line) - 1:
        raise Refused("bare CR")
    if end < 0:
        raise Incomplete("no end of line")
    if not line.endswith(b"\r"):
        raise Refused("bare LF")
    return line[:-1], end + 1


def request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    words = line.split(b" ")
    if len(words) != 3:
        raise Refused("not three words with one space between them")
    method, target, version = words
    if not method or not TCHAR.issuperset(method):
        raise Refused("bad method")
    # Brackets are for the authority of an absolute-form only.
    if not target or not TARGET.issuperset(re.sub(rb"^[a-zA-Z]+://\[[^\]/]*\]", b"", target)):
        raise Refused("bad octet in the target")
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise Refused("bad version")
    if re.search(rb"%(?![0-9A-Fa-f]{2})", target):
        raise Refused("bad percent sign")
    return method, target, version


def read_target(method: bytes, target: bytes) -> tuple[bytes, bytes | None]:
    """What the backend is asked for, and the authority of an absolute-form."""
    if method == b"CONNECT":
        raise Refused("no tunnels")
    if target.startswith(b"/"):
        return target, None
    if target == b"*" and method == b"OPTIONS":
        return target, None
    parts = re.fullmatch(rb"https?://([^/?]*)([^?]*)(\?.*)?", target, re.IGNORECASE)
    if parts is None or not is_host(parts[1]):
        raise Refused("bad target")
    if method == b"OPTIONS" and not parts[2] and parts[3] is None:
        return b"*", parts[1]
    return (parts[2] or b"/") + (parts[3] or b""), parts[1]


def read_fields(stream: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    fields = []
    while True:
        line, at = read_line(stream, at)
        if not line:
            return fields, at
        name, colon, value = line.partition(b":")
        if not colon or not name or not TCHAR.issuperset(name):
            raise Refused("bad field name")
        if not VALUE.issuperset(value):
            raise Refused("control character in a value")
        fields.append((name, value.strip(b" \t")))


def values(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for n, value in fields if n.lower() == name]


def is_host(text: bytes) -> bool:
    parts = re.fullmatch(rb"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", text)
    if parts is None or (parts[2] and int(parts[2]) > 65535):
        return False
    if parts[1].startswith(b"["):
        try:
            ipaddress.IPv6Address(parts[1][1:-1].decode("ascii"))
        except ValueError:
            return False
        return b"%" not in parts[1]
    return HOST_NAME.fullmatch(parts[1]) is not None


def read_host(fields: list[tuple[bytes, bytes]], version: bytes) -> bytes | None:
    hosts = values(fields, b"host")
    if len(hosts) > 1 or (not hosts and version == b"HTTP/1.1"):
        raise Refused("not one Host")
    if hosts and not is_host(hosts[0]):
        raise Refused("bad Host")
    return hosts[0] if hosts else None


def options(fields: list[tuple[bytes, bytes]]) -> set[str]:
    names = set()
    for value in values(fields, b"connection"):
        for option in (part.strip(b" \t") for part in value.split(b",")):
            if not TCHAR.issuperset(option):
                raise Refused("bad connection option")
            names.add(option.decode().lower())
    return names - {""}


def tokens(fields: list[tuple[str, str]], name: str) -> list[str]:
    return [part.strip(" \t").lower() for n, v in fields if n == name for part in v.split(",")]


def framing(fields: list[tuple[bytes, bytes]], version: bytes) -> tuple[str, int]:
    lengths = values(fields, b"content-length")
    codings = values(fields, b"transfer-encoding")
    if codings:
        if lengths:
            raise Refused("Transfer-Encoding and Content-Length")
        if version != b"HTTP/1.1":
            raise Refused("Transfer-Encoding before HTTP/1.1")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Refused("Transfer-Encoding is not chunked")
        return "chunked", 0
    if not lengths:
        return "length", 0
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]+", lengths[0]):
        raise Refused("bad Content-Length")
    length = int(lengths[0])
    if length > 2**63 - 1:
        raise Refused("Content-Length too large")
    return "length", length


TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
# RFC 9112 7.1.1.
CHUNK = re.compile(
    rb"([0-9A-Fa-f]+)(?:[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + QUOTED + rb"))?)*"
)


def read_chunked(stream: bytes, at: int) -> tuple[bytes, list[tuple[str, str]], int]:
    body = b""
    while True:
        line, at = read_line(stream, at)
        parts = CHUNK.fullmatch(line)
        if parts is None:
            raise Refused("bad chunk line")
        size = int(parts[1], 16)
        if size > 2**63 - 1:
            raise Refused("chunk size too large")
        if size == 0:
            fields, at = read_fields(stream, at)
            return body, [(n.decode().lower(), v.decode("latin-1")) for n, v in fields], at
        data = stream[at : at + size]
        if len(data) < size:
            raise Incomplete("in a chunk")
        body += data
        at += size
        end = stream[at : at + 2]
        if end != b"\r\n":
            if b"\r\n".startswith(end):
                raise Incomplete("after a chunk")
            raise Refused("no CRLF after a chunk")
        at += 2

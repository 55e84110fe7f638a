"""Whether what came of a case is right: the gateway refused it, or the backend understood the same."""

from cases import Case
from reference import HOP, Reading, Request, tokens
from wire import Answers, Response

# What a gateway adds or changes, or what is between it and the backend only.
ITS_OWN = HOP | frozenset(["x-real-ip", "date", "x-request-id"])
# What may not reach a backend from a client's connection.
STRAY = frozenset(["keep-alive", "proxy-connection", "http2-settings"])
# Fields that a trailer section may not smuggle in (RFC 9110 6.5.1).
NO_TRAILER = frozenset("content-length transfer-encoding host trailer te connection authorization cookie".split())


def judge(case: Case, reading: Reading, answers: Answers, seen: list[dict]) -> list[str]:
    """All that is wrong; `seen` is what the backend journalled, the sentinel left out."""
    faults = expectation(case, reading)
    if answers.fault or answers.rest:
        faults.append(f"not a proper response: {answers.fault} {answers.rest[:60]!r}")
    if not answers.closed:
        faults.append("the connection stays open after the client's FIN")
    faults += understood(case, reading, seen)
    faults += answered(case, reading, answers.responses, seen)
    return faults


def expectation(case: Case, reading: Reading) -> list[str]:
    """Whether the family and the reference say the same: else one of them is wrong."""
    verdict = {"refuse": "refuse", "relay": "end"}.get(case.expect)
    if verdict and reading.verdict != verdict:
        return [f"the corpus says {case.expect}, the reference {reading.verdict} ({reading.reason})"]
    return []


def understood(case: Case, reading: Reading, seen: list[dict]) -> list[str]:
    """Every request that the backend saw is the next one of those that there are."""
    faults = []
    left = list(reading.requests)
    for entry in seen:
        while left and (left[0].method, left[0].target) != (entry["method"], entry["target"]):
            left.pop(0)
        if left and case.expect == "either" and not entry["complete"]:
            left.pop(0)  # Refused on its way, say for a limit; so the backend knows.
        elif left:
            faults += compare(left.pop(0), entry)
        elif entry["complete"] and not (lenient(case, reading) and case.name in entry["target"]):
            faults.append(f"the backend saw a request that is none: {entry['method']} {entry['target']}")
        elif not entry["complete"] and reading.verdict == "end":
            faults.append(f"the backend saw a part of a request: {entry['method']} {entry['target']}")
    if lenient(case, reading) and len(seen) > max(1, len(reading.requests)):
        faults.append(f"the backend saw {len(seen)} requests")
    return faults


def lenient(case: Case, reading: Reading) -> bool:
    return case.expect == "either" and reading.verdict != "end"


def compare(request: Request, entry: dict) -> list[str]:
    """What the backend understood otherwise than it should."""
    faults = []
    fields = [(n.lower(), v) for n, v in entry["fields"]]
    checks = [
        # Jetty gives a host that it has seen before as it was written then.
        ("Host", [request.host.lower()] if request.host else None, [v.lower() for n, v in fields if n == "host"]),
        ("body", request.body.hex(), entry["body"]),
        ("whole body", True, entry["complete"]),
        ("protocol", "HTTP/1.1", entry["protocol"]),
        ("fields", by_name(request.end_to_end()), by_name(f for f in fields if f[0] not in ITS_OWN)),
        ("connection's fields", [], [f for f in fields if f[0] in STRAY]),
        ("connection options", set(), set(tokens(fields, "connection")) - {"close", "keep-alive", "te", "upgrade"}),
        ("HTTP/2", [], [v for n, v in fields if n == "upgrade" and v.lower().startswith("h2")]),
    ]
    for what, right, is_so in checks:
        if right is not None and right != is_so:
            faults.append(f"{request.method} {request.target}: {what} should be {right!r}, is {is_so!r}")
    sent = [(n, v) for n, v in request.trailers if n not in NO_TRAILER]
    for name, value in ((n.lower(), v) for n, v in entry["trailers"]):
        if (name, value) not in sent:
            faults.append(f"{request.method} {request.target}: trailer {name}: {value}")
    return faults


def by_name(fields) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def answered(case: Case, reading: Reading, responses: list[Response], seen: list[dict]) -> list[str]:
    """Every request has its own answer, and what has to be refused is refused by the gateway."""
    faults = []
    numbers = {entry["number"]: entry for entry in seen}
    for request, response in zip(reading.requests, responses):
        what = f"{request.method} {request.target}"
        number = response.echo()
        if number is not None:
            entry = numbers.get(number, {"method": "-", "target": "nothing of this case"})
            if (entry["method"], entry["target"]) != (request.method, request.target):
                faults.append(f"{what} got the answer to {entry['method']} {entry['target']}")
        elif not response.by_backend() and case.expect != "either" and not forbidden(request):
            faults.append(f"{what} was not relayed: {response.status} {said(response)}")
    whole, got = len(reading.requests), len(responses)
    if reading.verdict == "refuse" and got == whole + 1:
        faults += refusal(case, responses[-1])
    elif reading.verdict == "refuse" and case.expect != "either" and not ended(responses):
        faults.append(f"no refusal ({reading.reason}) after {got} of {whole} answers")
    elif reading.verdict == "end" and got < whole and not ended(responses):
        faults.append(f"{got} of {whole} requests were answered")
    if got > whole + (reading.verdict != "end"):
        faults.append(f"{got} answers to {whole} requests")
    return faults


def forbidden(request: Request) -> bool:
    """Methods that a gateway may answer itself."""
    return request.method in ("TRACE", "OPTIONS")


def ended(responses: list[Response]) -> bool:
    """Whether the last answer ended the connection in good order, so that nothing follows."""
    return bool(responses) and "close" in (responses[-1].get("connection") or "").lower()


def refusal(case: Case, response: Response) -> list[str]:
    if case.expect == "either":
        return []
    if response.by_backend() or response.echo() is not None:
        return [f"not the gateway refused it, but the backend: {response.status}"]
    if response.status < 400 or (case.status and response.status not in case.status):
        return [f"refused with {response.status}, not {case.status or '4xx or 5xx'}: {said(response)}"]
    if "close" not in (response.get("connection") or ""):
        return ["a refusal without Connection: close"]
    return []


def said(response: Response) -> str:
    return response.body[-200:].decode("latin-1").replace("\n", " ")

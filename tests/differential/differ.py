#!/usr/bin/env python3
"""Sends hostile requests to a gateway and compares what its backend understood with the RFCs.

usage: differ.py GATEWAY-PORT JOURNAL-PORT [FILTER...]     both on 127.0.0.1
"""

import os
import sys
import time

import cases
import reference
from judge import judge
from wire import Answers, Malformed, exchange, take_journal

LIMIT = float(os.environ.get("DIFFERENTIAL_LIMIT", "20"))


def main() -> int:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    gateway, journal = (("127.0.0.1", int(port)) for port in sys.argv[1:3])
    corpus = cases.load(sys.argv[3:])
    take_journal(journal)
    started, failed, refused, relayed, backend = time.monotonic(), [], 0, 0, 0
    for number, case in enumerate(corpus):
        reading = reference.read(case.octets)
        try:
            answers, seen, faults = run(gateway, journal, case, reading, number)
        except (OSError, Malformed) as error:
            answers, seen, faults = Answers([]), [], [f"no exchange: {error}"]
        if faults:
            failed.append(case.name)
            print(f"differ: {case.name} FAILED ({case.why})\n    sent {shorten(case.octets)}")
            print("".join(f"    {fault}\n" for fault in faults), end="")
            print(f"    answers: {'; '.join(map(str, answers.responses)) or 'none'}", flush=True)
        relayed += len(seen)
        refused += any(not r.by_backend() and r.status >= 400 for r in answers.responses)
        backend += any(r.by_backend() and r.echo() is None for r in answers.responses)
    print(
        f"differ: {len(corpus)} cases in {time.monotonic() - started:.0f} s: {relayed} requests reached the backend,"
        f" {refused} cases refused by the gateway, {backend} by the backend"
    )
    print(f"{len(corpus) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not corpus else 0


def run(gateway, journal, case, reading, number):
    """One case, then a plain request that would get the answer of anything smuggled."""
    methods = [request.method for request in reading.requests]
    answers = exchange(gateway, case.octets, methods, LIMIT)
    sentinel = f"/sentinel/{number}"
    check = exchange(gateway, f"GET {sentinel} HTTP/1.1\r\nHost: sentinel\r\n\r\n".encode(), ["GET"], LIMIT)
    entries = take_journal(journal)
    seen = [entry for entry in entries if entry["target"] != sentinel]
    faults = judge(case, reading, answers, seen)
    theirs = [entry["number"] for entry in entries if entry["target"] == sentinel]
    got = [response.echo() for response in check.responses]
    if len(theirs) != 1 or got != theirs or check.fault:
        faults.append(f"the next client's request: the backend saw it as {theirs}, its answers are {got} {check.fault}")
    return answers, seen, faults


def shorten(octets: bytes) -> str:
    text = repr(octets)[1:]
    return text if len(text) < 400 else f"{text[:300]}…{text[-60:]} ({len(octets)} octets)"


if __name__ == "__main__":
    sys.exit(main())

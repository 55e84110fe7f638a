"""The corpus: families of requests in cases/*.toml, each a template and lists of what goes into it."""

import itertools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

FAMILIES = Path(__file__).parent / "cases"
EXPECTATIONS = {"refuse", "relay", "either", "reference"}


@dataclass
class Case:
    """One thing to send."""

    name: str
    # Why it is there.
    why: str
    octets: bytes
    # What the family says has to become of the first request.
    expect: str
    # What it may be refused with.
    status: list[int]


def load(filters: list[str]) -> list[Case]:
    """All cases whose name has one of the filters in it; all if there are none."""
    cases = []
    for path in sorted(FAMILIES.glob("*.toml")):
        families = tomllib.loads(path.read_text())["family"]
        for family in families:
            cases += expand(path.stem, family)
    names = [case.name for case in cases]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise SystemExit(f"two families of the same name: {sorted(doubled)[:3]}")
    return [case for case in cases if not filters or any(f in case.name for f in filters)]


def expand(file: str, family: dict) -> list[Case]:
    """Every combination of what the family's lists hold."""
    known = {"name", "why", "send", "expect", "status", "with"}
    if set(family) - known or family.get("expect", "reference") not in EXPECTATIONS:
        raise SystemExit(f"bad family in {file}: {family}")
    lists = {key: entries(value) for key, value in family.get("with", {}).items()}
    cases = []
    for number, choice in enumerate(itertools.product(*lists.values())):
        name = f"{file}/{family['name']}" + (f".{number}" if lists else "")
        text = family["send"]
        # Twice: what goes in may have placeholders itself.
        for _ in range(2):
            for key, value in zip(lists, choice):
                text = text.replace(f"<{key}>", value)
        text = text.replace("<id>", "/" + name)
        text = re.sub(r"~([^~]+)\*(\d+)~", lambda m: m[1] * int(m[2]), text)
        octets = text.encode("latin-1")
        cases.append(
            Case(name, family["why"], octets, family.get("expect", "reference"), family.get("status", []))
        )
    return cases


def entries(value: list[str] | str) -> list[str]:
    """A list as it is, or a range of octets: "00-ff"."""
    if isinstance(value, list):
        return value
    first, last = value.split("-")
    return [chr(octet) for octet in range(int(first, 16), int(last, 16) + 1)]

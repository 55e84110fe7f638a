"""Runs Autobahn's cases against a server directly and through the gateway, and compares the reports.

usage: compare.py DIRECT-PORT GATEWAY-PORT FOLDER CASES EXCEPT [PARALLEL]     CASES and EXCEPT are comma lists; FOLDER is for reports
"""

import json
import subprocess
import sys
import time
from pathlib import Path

# A case that came out differently is run again both ways so often: some depend on who is quicker.
AGAIN = 3
# What a gateway has no business changing.
JUDGED = ("behavior", "behaviorClose", "remoteCloseCode")


def main() -> int:
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    direct, through, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    cases, exclude = (argument.split(",") for argument in sys.argv[4:6])
    parallel = int(sys.argv[6]) if len(sys.argv) > 6 else 4
    right = run(direct, folder / "direct", cases, exclude, parallel)
    seen = run(through, folder / "through", cases, exclude, parallel)
    different = [case for case in right if right[case] != seen.get(case)]
    for attempt in range(AGAIN):
        if not different:
            break
        print(f"websocket: again, for they came out differently: {' '.join(different)}", flush=True)
        right |= run(direct, folder / f"direct-{attempt}", different, [], 1)
        seen |= run(through, folder / f"through-{attempt}", different, [], 1)
        different = [case for case in different if right[case] != seen.get(case)]
    for case in different:
        print(f"websocket: case {case} FAILED: directly {right[case]}, through the gateway {seen.get(case)}")
    tally = {}
    for outcome in right.values():
        tally[outcome[0]] = tally.get(outcome[0], 0) + 1
    print(f"websocket: directly: {', '.join(f'{count} {name}' for name, count in sorted(tally.items()))}")
    print(f"{len(right) - len(different)} passed, {len(different)} failed")
    return 1 if different or not right else 0


def run(port: int, folder: Path, cases: list[str], exclude: list[str], parallel: int) -> dict[str, tuple]:
    """What each case came to."""
    started = time.monotonic()
    command = [Path(sys.executable).with_name("kosoku"), "-p", str(parallel), "-o", folder]
    for pattern in filter(None, cases):
        command += ["-i", pattern]
    for pattern in filter(None, exclude):
        command += ["-x", pattern]
    # Its status says whether all passed, which is not the question here.
    said = subprocess.run([*command, f"127.0.0.1:{port}"], capture_output=True, text=True)
    report = folder / "index.json"
    if not report.exists():
        sys.exit(f"websocket: no report from port {port}: {said.stderr[-2000:]}")
    (outcomes,) = json.loads(report.read_text()).values()
    print(f"websocket: {len(outcomes)} cases in {time.monotonic() - started:.0f} s: {report.with_suffix('.html')}", flush=True)
    return {case: tuple(outcome[key] for key in JUDGED) for case, outcome in outcomes.items()}


if __name__ == "__main__":
    sys.exit(main())

"""Reads the main page as many people do, and says whether they get what they have to.

usage: read.py PORT TEXT     TEXT has to be in the page, unless it is `first`
"""

import http.client
import sys


def get(port: int, fields: dict) -> tuple[int, str, str]:
    """The status, what the cache says it did, and the page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/index.php/Main_Page", headers=fields)
    answer = connection.getresponse()
    page = answer.read().decode()
    return answer.status, answer.headers.get("Cache-Status", ""), page


def main() -> int:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    port, text = int(sys.argv[1]), sys.argv[2]
    wrong = []
    # Whoever comes first, then three who are served from the cache, and somebody who is logged in.
    readers = [{}, {}, {}, {}, {"Cookie": "wikiUserID=1"}]
    for number, fields in enumerate(readers):
        status, said, page = get(port, fields)
        is_hit = "; hit" in said
        if status != 200 or (text != "first" and text not in page):
            wrong.append(f"reader {number} gets {status}, and not '{text}' ({said})")
        if is_hit != (0 < number < 4):
            wrong.append(f"reader {number}: {said or 'no Cache-Status'}")
    for line in wrong:
        print(f"test {text} ... FAILED: {line}")
    if not wrong:
        print(f"test {text} ... ok")
    return bool(wrong)


sys.exit(main())

"""Work of many kinds, for ever."""

import json
import re


def recursive(depth: int) -> int:
    """Go down, and work on the way."""
    if depth == 0:
        return len(json.dumps({str(n): [n] * 3 for n in range(50)}))
    return recursive(depth - 1) + sum(sorted(range(100), key=lambda n: -n % 7))


while True:
    recursive(20)
    re.sub(r"(\w+)-(\d+)", r"\2", "ab-12 " * 50)

"""What docs/reliability.md promises is tested: each test that it names is there."""

from __future__ import annotations

import re

import pytest

from conftest import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/.-]+)::(\w+)`", TEXT)))
LAST = 33


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_named_test_is_there(path: str, name: str) -> None:
    text = (ROOT / path).read_text()
    pattern = rf"#\[test\](?:\s*#\[[^\]]*\])*\s*fn {name}\(" if path.endswith(".rs") else rf"^def {name}\("
    assert re.search(pattern, text, re.MULTILINE), f"{path} has no test {name}"


def test_every_promise_names_a_test() -> None:
    rows = [
        line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| n", "| c"))
    ]
    assert [row for row in rows if "::" not in row] == []
    numbers = [int(number) for row in rows for number in re.findall(r"^\| (\d+) \|", row)]
    assert [*numbers, LAST] == list(range(1, LAST + 1))
    assert f"Number {LAST}" in TEXT

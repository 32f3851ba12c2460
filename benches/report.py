"""Medians, verdicts, and the printed table."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rows import BY_KEY, LIKE_ENOUGH, Row


@dataclass
class Series:
    """The measurements of one contender in one row, and what went wrong with it."""

    values: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    syscalls: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def take(self, row: Row, line: dict[str, Any]) -> None:
        """Add one measurement."""
        events, wall, cpu = line["events"], line["wall_s"], line["cpu_s"]
        self.values.append(row.value(events, wall, cpu))
        self.cpu_us.append(cpu / events * 1e6)
        if line.get("syscalls_per_event") is not None:
            self.syscalls.append(line["syscalls_per_event"])

    def as_json(self) -> dict[str, Any]:
        """Return medians and all values, for the file of results."""
        return {
            "median": middle(self.values),
            "cpu_us_per_event": middle(self.cpu_us),
            "syscalls_per_event": middle(self.syscalls),
            "values": self.values,
            "failures": self.failures,
        }


DOUBTFUL = 1.2
Results = dict[str, dict[str, Series]]


def middle(values: list[float]) -> float | None:
    """Return the median, or None for nothing."""
    return median(values) if values else None


def value_of(results: Results, key: str, contender: str) -> float | None:
    """Return a contender's median in a row, if it has one."""
    series = results.get(key, {}).get(contender)
    return middle(series.values) if series else None


def conditions(row: Row, value: float, results: Results) -> list[bool | None]:
    """Return each condition of the target: held, missed, or not decided for want of the other figure."""
    found: list[bool | None] = []
    if row.ratio is not None:
        raw = value_of(results, row.key, "raw")
        found.append(None if raw is None else row.share(value, raw) >= row.ratio)
    if row.like is not None:
        base = value_of(results, row.like, row.judged)
        found.append(None if base is None else BY_KEY[row.like].share(value, base) >= LIKE_ENOUGH)
    if row.least is not None:
        found.append(value >= row.least)
    if row.most is not None:
        found.append(value <= row.most)
    return found


def verdict(row: Row, results: Results) -> str:
    """Return yes, no, or ? where a figure that decides it is missing."""
    value = value_of(results, row.key, row.judged)
    if row.target == "-":
        return "-"
    held = conditions(row, value, results) if value is not None else [None]
    if False in held:
        return "no"
    return "?" if None in held else "yes"


def number(value: float | None) -> str:
    """Return a figure in few characters."""
    if value is None:
        return "-"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return (
                f"{value / (1e3 if letter == 'k' else size):.3g}{letter}"
                if value < 1e3 * size
                else f"{value:.2e}"
            )
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def share(row: Row, value: float | None, of: float | None) -> str:
    """Return a ratio of speeds, or a dash."""
    return "-" if value is None or of is None else f"{row.share(value, of):.2f}"


def cells(row: Row, contender: str, series: Series, results: Results) -> list[str]:
    """Return one line of the table."""
    value = middle(series.values)
    judged = contender == row.judged
    return [
        row.key,
        contender,
        f"{number(value)} {row.unit}" if value is not None else "failed",
        share(row, value, value_of(results, row.key, "raw")),
        share(row, value, value_of(results, row.key, "peer")),
        number(middle(series.cpu_us)),
        number(middle(series.syscalls)),
        row.target if judged else "",
        verdict(row, results) if judged else "",
    ]


HEAD = ["row", "who", "median", "x raw", "x peer", "CPU us/event", "calls/event", "target", "reached"]


def table(results: Results) -> str:
    """Return the whole table as text."""
    lines = [HEAD]
    for key, contenders in results.items():
        lines += [cells(BY_KEY[key], who, series, results) for who, series in contenders.items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def failures(results: Results) -> list[str]:
    """Return what went wrong, one line per contender and row."""
    return [
        f"{key} {who}: {series.failures[-1]} ({len(series.failures)} times)"
        for key, contenders in results.items()
        for who, series in contenders.items()
        if series.failures
    ]


def doubtful(results: Results) -> list[str]:
    """Return who is clearly faster than the limit: either it does less work, or the raw loop is no limit."""
    found = []
    for key, contenders in results.items():
        raw, row = value_of(results, key, "raw"), BY_KEY[key]
        if row.ratio and row.ratio > DOUBTFUL:
            continue
        for who in contenders:
            value = value_of(results, key, who)
            if raw is not None and value is not None and row.share(value, raw) > DOUBTFUL:
                found.append(f"doubtful: {key} {who} is {row.share(value, raw):.2f} times as fast as raw")
    return found


def as_json(results: Results) -> dict[str, Any]:
    """Return all results for the file."""
    return {
        key: {
            "what": BY_KEY[key].what,
            "unit": BY_KEY[key].unit,
            "target": BY_KEY[key].target,
            "reached": verdict(BY_KEY[key], results),
            "contenders": {who: series.as_json() for who, series in contenders.items()},
        }
        for key, contenders in results.items()
    }

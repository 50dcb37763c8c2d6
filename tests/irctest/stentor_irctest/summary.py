"""A plugin of pytest that ends its output with the results of each file, and why tests were skipped."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

COLUMNS = ("passed", "failed", "errors", "skipped")

# What pytest calls them. A test that the suite lets fail, because the specification leaves the matter open, counts as
# skipped where it does.
STATES = {
    "passed": "passed",
    "xpassed": "passed",
    "failed": "failed",
    "error": "errors",
    "skipped": "skipped",
    "xfailed": "skipped",
}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    files: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    for state, column in STATES.items():
        for report in terminalreporter.stats.get(state, []):
            files[report.nodeid.partition("::")[0].rpartition("server_tests/")[2]][column] += 1
            if column == "skipped":
                reasons[_reason(report)] += 1
    if not files:
        return
    total = sum(files.values(), Counter())
    terminalreporter.section("results by file")
    width = max(len("file"), *map(len, files))
    terminalreporter.line(_row("file", COLUMNS, width))
    for name, counts in sorted(files.items()):
        terminalreporter.line(_row(name, [counts[column] or "." for column in COLUMNS], width))
    terminalreporter.line(_row("total", [total[column] for column in COLUMNS], width))
    if reasons:
        terminalreporter.section("skipped, and why")
        for reason, number in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
            terminalreporter.line(f"{number:5}  {reason}")


def _reason(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return report.wasxfail
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def _row(name: str, values: Any, width: int) -> str:
    return name.ljust(width) + "".join(f"{value:>9}" for value in values)

"""A plugin of pytest that begins with the tests that wait for the clock, each in a process of its own."""

from __future__ import annotations

from typing import Any


def pytest_collection_modifyitems(items: list[Any]) -> None:
    slow = [item for item in items if "Faketime" in item.nodeid]
    rest = [item for item in items if "Faketime" not in item.nodeid]
    # Each process begins with an equal share of the tests, in this order. None of these is the last of a share.
    for number, item in enumerate(slow):
        rest.insert(number * (len(items) // len(slow) + 2), item)
    items[:] = rest

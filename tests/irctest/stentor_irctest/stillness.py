"""Waits until everything that a test has caused has happened: no program of it has anything left to do.

The suite sends a line as one client and asks another one for it at once. No server promises that: PONG says that a
client's own commands are done, and tells nothing of another client's line that is still in its socket, nor, in a fleet,
of an entry on its way to another node. A fixed pause is too long on an idle machine, and too short on a busy one.
"""

from __future__ import annotations

import time
from pathlib import Path

from . import splitter

# After so many seconds the test goes on: something works on by itself, which is no reason to wait.
PATIENCE = 2.0

# How often in a row everything must be found still. Between two programs a wake-up is at once, so one look that finds all
# of them asleep would do, were all looked at in the same moment.
ROUNDS = 3


def wait(programs: list[int], threads: list[int]) -> None:
    """Until all threads of the `programs`, and these `threads`, wait for something, and no splitter moves a byte."""
    deadline = time.monotonic() + PATIENCE
    still, moved = 0, -1
    while still < ROUNDS and time.monotonic() < deadline:
        before, moved = moved, splitter.turn()
        is_still = moved == before and all(map(_sleeps, threads)) and all(map(_all_sleep, programs))
        still = still + 1 if is_still else 0
        if not is_still:
            time.sleep(0.001)


def _all_sleep(process: int) -> bool:
    try:
        return all(_is_asleep(task / "stat") for task in Path(f"/proc/{process}/task").iterdir())
    except OSError:
        # It has ended.
        return True


def _sleeps(thread: int) -> bool:
    return _is_asleep(Path(f"/proc/{thread}/task/{thread}/stat"))


def _is_asleep(stat: Path) -> bool:
    try:
        text = stat.read_text()
    except OSError:
        return True
    # The state follows the name, which may hold anything.
    return text.rpartition(")")[2].split()[0] not in ("R", "D")

"""A plugin of pytest that accepts what a specification allows and a test of the suite does not.

A correction widens one expectation; the rest of the test stands. Each quotes the specification. Where the suite has
come to agree, its correction finds nothing to widen and fails the run, so that it goes.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


def pytest_collection_modifyitems(items: list[Any]) -> None:
    for name, correct in CORRECTIONS.items():
        module = sys.modules.get(f"irctest.server_tests.{name}")
        if module is not None:
            correct(module)


def _founder_in_whois(whois: ModuleType) -> None:
    """Who founds a channel while logged in is its founder, shown as `~`; the suite expects `@` of whoever came first.

    "<prefix> is the highest channel membership prefix that the client has in that channel, if the client has one."
    (https://modern.ircdocs.horse/#rplwhoischannels-319)
    """
    assert '"(@#chan1 @#chan2|@#chan2 @#chan1) ?"' in inspect.getsource(whois), "whois.py needs no correction any more"
    strict = whois.StrRe
    whois.StrRe = lambda pattern: strict(pattern.replace("@#", "[~@]#"))


CORRECTIONS = {"whois": _founder_in_whois}

"""Ports on loopback that nobody else takes between their choice and their use."""

from __future__ import annotations

import errno
import random
import socket

# Below the ports that systems hand out by themselves, so that no outgoing connection sits there.
RANGE = range(20_000, 32_000)


class Port:
    """A port reserved among all runs of this suite on the machine, until it is released or the process ends.

    The reservation is a UDP socket on the same number: only one process at a time can hold it.
    """

    def __init__(self, number: int, claim: socket.socket) -> None:
        self.number = number
        self._claim = claim

    @classmethod
    def reserve(cls) -> Port:
        for number in random.sample(RANGE, 1000):
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind(("127.0.0.1", number))
                listen(number).close()
            except OSError as why:
                claim.close()
                if why.errno != errno.EADDRINUSE:
                    raise
                continue
            return cls(number, claim)
        raise RuntimeError(f"no port of {RANGE} is free")

    def release(self) -> None:
        self._claim.close()


def listen(number: int) -> socket.socket:
    """Listens on that port, where connections of an earlier listener may still be closing."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", number))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener

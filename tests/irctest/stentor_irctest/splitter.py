"""A TCP splitter: every next connection to one port goes to the next of several others."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from typing import Coroutine

from .ports import listen


class Splitter:
    """Listens on a port of loopback and hands out connections until it is closed."""

    def __init__(self, port: int, targets: list[int]) -> None:
        self._targets = itertools.cycle(targets)
        self._connections: set[asyncio.Task[None]] = set()
        self._server = _wait(self._serve(listen(port)))

    def close(self) -> None:
        """Stops listening, and cuts what is still connected."""
        _wait(self._end())

    async def _serve(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(self._accept, sock=listener)

    async def _end(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", next(self._targets))
            try:
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            finally:
                back.close()
        except (OSError, asyncio.CancelledError):
            # One side is gone, and so is the other; or the test is over.
            pass
        finally:
            writer.close()
            self._connections.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on all bytes as they come, then the end."""
    global _moved
    while data := await reader.read(65_536):
        _moved += len(data)
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def turn() -> int:
    """Lets all splitters pass on what has come, and tells how many bytes that were since the beginning."""
    return _wait(_turn())


async def _turn() -> int:
    # One turn reads what has come; one more, as tasks run in the turn after what woke them.
    for _ in range(3):
        await asyncio.sleep(0)
    return _moved


def _wait(work: Coroutine):
    return asyncio.run_coroutine_threadsafe(work, _LOOP).result(timeout=10)


_moved = 0
# One thread serves all splitters of a process: a thread for each test would cost more than its connections.
_LOOP = asyncio.new_event_loop()
threading.Thread(target=_LOOP.run_forever, name="splitter", daemon=True).start()

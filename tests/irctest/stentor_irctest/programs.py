"""The programs that a test runs: nodes of Stentor, and the Redis that they share."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, IO

from irctest.basecontrollers import ProcessStopped

from .ports import Port

# Seconds in which a program must have started, or stopped.
PATIENCE = 20.0

# The exit code of `stentor serve` where it cannot listen; somebody may be leaving the port just now.
CANNOT_LISTEN = 5


class Node:
    """One `stentor serve`, with a folder of its own. It is ready when this is made."""

    def __init__(self, binary: str, folder: Path, settings: dict[str, Any], wrapper: list[str]) -> None:
        folder.mkdir(mode=0o700)
        self.name = settings["node.name"]
        self._binary = binary
        self._config = folder / "stentor.toml"
        self._config.write_text(_toml(settings | {"data.dir": str(folder / "data")}))
        self._log = folder / "log"
        deadline = time.monotonic() + PATIENCE
        while True:
            self.process = self._launch(wrapper)
            # Where each scheme listens, as the node tells it.
            self.ports = self._announced(deadline)
            if self.ports:
                return
            code = self.process.wait(PATIENCE)
            if code != CANNOT_LISTEN or time.monotonic() > deadline:
                raise ProcessStopped(f"{self.name} does not start, exit code {code}\n{self._log.read_text()}")
            time.sleep(0.05)

    def _launch(self, wrapper: list[str]) -> subprocess.Popen:
        command = [*wrapper, self._binary, "serve", "--config", str(self._config)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=_environment(), start_new_session=True
            )

    def _announced(self, deadline: float) -> dict[str, int]:
        """Reads what a starting node prints: `Listening  irc://127.0.0.1:40123`, and the next one below."""
        assert self.process.stdout
        ports: dict[str, int] = {}
        for line in _lines(self.process.stdout, deadline):
            words = line.split()
            if words[:1] == ["Listening"] or (ports and len(words) == 1):
                scheme, _, address = words[-1].partition("://")
                ports[scheme] = int(address.rpartition(":")[2])
            elif ports:
                break
        return ports

    def make_account(self, name: str, password: str) -> None:
        """Makes an account as the operator of the node does."""
        command = [self._binary, "account", "add", name, "--password-stdin", "--config", str(self._config)]
        done = subprocess.run(
            command, input=password, capture_output=True, text=True, timeout=PATIENCE, env=_environment()
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def check_is_alive(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise ProcessStopped(f"{self.name} has ended with exit code {code}")

    def terminate(self) -> None:
        """Tells it to stop, as a supervisor does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)

    def join(self) -> list[str]:
        """Waits for its end, shows its log, and gives back what a node must not do."""
        complaints = []
        try:
            code = self.process.wait(PATIENCE)
            if code != 0:
                complaints.append(f"{self.name} ended with exit code {code}")
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            complaints.append(f"{self.name} did not stop within {PATIENCE} s")
        assert self.process.stdout
        self.process.stdout.close()
        log = self._log.read_text(errors="replace")
        if log:
            print(f"---- log of {self.name} ----\n{log}")
        if "panicked at" in log:
            complaints.append(f"{self.name} panicked\n{log}")
        return complaints


class Redis:
    """One `redis-server` with an append-only file, as a fleet wants it. It is ready when this is made."""

    @property
    def thread(self) -> int:
        """The thread that answers. The others write to the disk, for which nobody waits."""
        return self._process.pid

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._port = Port.reserve()
        self.url = f"redis://127.0.0.1:{self._port.number}"
        options = {
            "bind": "127.0.0.1",
            "port": str(self._port.number),
            "dir": str(folder),
            "save": "",
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }
        command = ["redis-server"]
        command += [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert self._process.stdout
        said = []
        for line in _lines(self._process.stdout, time.monotonic() + PATIENCE):
            said.append(line)
            if "Ready to accept connections" in line:
                return
        self.kill()
        raise ProcessStopped("redis-server does not start\n" + "\n".join(said))

    def kill(self) -> None:
        """Ends it at once: its data is gone after the test anyway."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
        self._port.release()


def _lines(stream: IO[bytes], deadline: float):
    """The lines that a program prints until it ends or the deadline has come."""
    rest = b""
    while select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
        data = os.read(stream.fileno(), 65_536)
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")


def _environment() -> dict[str, str]:
    """Our environment without settings of Stentor, which would win over the file."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STENTOR_")}


def _toml(settings: dict[str, Any]) -> str:
    """Settings as lines of `table.key = value`; text, numbers, flags and lists of text read the same in JSON."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())

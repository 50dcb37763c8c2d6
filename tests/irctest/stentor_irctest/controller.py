"""What irctest asks of a server: what Stentor supports, how it is configured, and how it is started.

Everything that Stentor supports, and the suite wants to be told, is declared in `StentorController`, one thing a
line. A test is skipped by what is declared here, and by nothing else.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from collections import defaultdict
from typing import Any

from irctest import patma
from irctest.basecontrollers import BaseServerController, DirectoryBasedController
from irctest.cases import BaseServerTestCase
from irctest.runner import NotImplementedByController
from irctest.specifications import Capabilities, OptionalBehaviors

from . import stillness
from .ports import Port
from .programs import Node, Redis
from .splitter import Splitter

BINARY = os.environ.get("IRCTEST_STENTOR_BINARY", "stentor")
FLEET = os.environ.get("IRCTEST_STENTOR_FLEET") == "1"

# How many bytes a line may have, without its end.
LINE_MAX = 510


class StentorController(BaseServerController, DirectoryBasedController):
    software_name = "Stentor"

    supported_sasl_mechanisms = {
        "EXTERNAL",
        "PLAIN",
        "SCRAM-SHA-256",
    }

    # Whether a policy for `sts` can be configured.
    supports_sts = True

    # The letter of the extended ban that silences, such as `m` in `+b m:mask`.
    extban_mute_char = "m"

    # Capabilities whose refusal fails a test; a test skips itself where another one is refused.
    capabilities = frozenset(
        (
            Capabilities.ACCOUNT_NOTIFY,
            Capabilities.ACCOUNT_TAG,
            Capabilities.AWAY_NOTIFY,
            Capabilities.BATCH,
            Capabilities.ECHO_MESSAGE,
            Capabilities.EXTENDED_JOIN,
            Capabilities.EXTENDED_MONITOR,
            Capabilities.LABELED_RESPONSE,
            Capabilities.MESSAGE_REDACTION,
            Capabilities.MESSAGE_TAGS,
            Capabilities.MULTILINE,
            Capabilities.MULTI_PREFIX,
            Capabilities.READ_MARKER,
            Capabilities.SERVER_TIME,
            Capabilities.SETNAME,
        )
    )

    # Behaviours that the specifications leave open, and Stentor has. A test for one of these must not skip itself.
    optional_behaviors = frozenset(
        (
            OptionalBehaviors.BAN_EXCEPTION_MODE,
            OptionalBehaviors.CAP_REQ_MINUS,
            OptionalBehaviors.ELIST_C,
            OptionalBehaviors.ELIST_M,
            OptionalBehaviors.ELIST_N,
            OptionalBehaviors.ELIST_T,
            OptionalBehaviors.ELIST_U,
            OptionalBehaviors.INVITE_EXCEPTION_MODE,
            OptionalBehaviors.INVITE_LIST,
            OptionalBehaviors.INVITE_OVERRIDES_LIMIT,
            OptionalBehaviors.METADATA_BEFORE_CONNECT,
            OptionalBehaviors.MULTI_JOIN,
            OptionalBehaviors.MULTI_KICK,
            OptionalBehaviors.MULTI_NAMES_COMMAND,
            OptionalBehaviors.MULTI_PRIVMSG,
            OptionalBehaviors.NO_CTCP,
            OptionalBehaviors.SASL_AFTER_REGISTRATION,
            OptionalBehaviors.SASL_REAUTHENTICATION,
        )
    )

    # Tokens of RPL_ISUPPORT that must be there, with their values.
    isupport = {
        "ACCOUNTEXTBAN": "a",
        "BOT": "B",
        "CASEMAPPING": "ascii",
        "ELIST": "CMNTU",
        "EXTBAN": ",am",
        "INVEX": patma.ANYOPTSTR,
        "MONITOR": patma.ANYSTR,
        "PREFIX": "(qaohv)~&@%+",
        "STATUSMSG": "~&@%+",
        "TARGMAX": patma.ANYSTR,
        "UTF8ONLY": None,
        "WHOX": None,
    }

    # Whether listeners speak WebSocket.
    websocket = True

    # The passwords that the suite asks for, hashed at the least cost.
    server_passwords = {
        "testpassword": "$2b$04$abcdefghijklmnopqrstuuTjXO9UvRjS25ZxtHKw0/k06AbN8HA1C",
    }

    # Whether an account can need an address for mail. Stentor sends no mail.
    email = False

    # What the suite asks for as a setting of Ergo, by section and key: the same in our configuration.
    ergo_settings: dict[tuple[str, str, Any], dict[str, Any]] = {
        ("accounts", "default-user-modes", "+i"): {"users.default_modes": "i"},
    }

    # Whether there is `OPER operuser operpassword`, in the words of the suite.
    operators = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reserved: list[Port] = []
        self._nodes: list[Node] = []
        self._redis: Redis | None = None
        self._splitters: list[Splitter] = []
        self._awaits_stillness = FLEET

    @property
    def sync_sleep_time(self) -> float:
        """Seconds to wait before the suite asks a client for what it has received: none, after what really matters."""
        if self._awaits_stillness:
            threads = [self._redis.thread] if self._redis else []
            stillness.wait([node.process.pid for node in self._nodes], threads)
        return 0.0

    def get_hostname_and_port(self) -> tuple[str, int]:
        """A loopback address; the suite's own offers the wildcard address, where others could connect."""
        port = Port.reserve()
        self._reserved.append(port)
        return ("127.0.0.1", port.number)

    def run(
        self,
        hostname: str,
        port: int,
        *,
        password: str | None,
        ssl: bool,
        run_services: bool,
        faketime: str | None,
        websocket_hostname: str | None,
        websocket_port: int | None,
    ) -> None:
        settings = self._settings(password=password, websocket=websocket_port is not None)
        StentorController.end_last()
        StentorController._last = self
        self.hostname, self.port = hostname, port
        self.create_config()
        assert self.directory
        wrapper = self._faketime(faketime)
        listeners = {"ircs" if ssl else "irc": port}
        if websocket_port is not None:
            listeners["wss" if ssl else "ws"] = websocket_port
            # These tests ask a recipient while the message is on its way from the sender's socket to the store.
            self._awaits_stillness = True
        if FLEET:
            self._run_fleet(settings, listeners)
        else:
            self._start("node-1", listeners, settings, wrapper)
        # The suite's own test of the port would be a connection of its own.
        self.port_open = True
        self.proc = self._nodes[0].process

    def _run_fleet(self, settings: dict[str, Any], listeners: dict[str, int]) -> None:
        assert self.directory
        self._redis = Redis(self.directory / "redis")
        settings = settings | {"redis.url": self._redis.url}
        anywhere = dict.fromkeys(listeners, 0)
        for name in ("node-1", "node-2"):
            self._start(name, anywhere, settings, [])
        for scheme, port in listeners.items():
            self._splitters.append(Splitter(port, [node.ports[scheme] for node in self._nodes]))

    def _start(
        self, name: str, listeners: dict[str, int], settings: dict[str, Any], wrapper: list[str]
    ) -> None:
        assert self.directory
        settings = settings | {
            "node.name": name,
            "listen": [f"{scheme}://127.0.0.1:{port}" for scheme, port in listeners.items()],
        }
        self._nodes.append(Node(BINARY, self.directory / name, settings, wrapper))

    def _settings(self, *, password: str | None, websocket: bool) -> dict[str, Any]:
        """Our configuration for this test; skips the test where it asks for what cannot be configured."""
        asked = self.test_config
        if websocket and not self.websocket:
            raise NotImplementedByController("WebSocket")
        if asked.account_registration_requires_email and not self.email:
            raise NotImplementedByController("addresses for mail")
        if asked.ergo_roleplay:
            raise NotImplementedByController("role-play commands")
        settings = dict(BASE)
        if password is not None:
            settings["network.password"] = self.server_passwords[password]
        if self.operators:
            settings |= OPERATOR
        if self.debug_mode:
            settings["log.level"] = "debug"
        settings["accounts.registration_before_connect"] = asked.account_registration_before_connect
        if asked.ergo_config is not None:
            settings |= self._translated(asked.ergo_config)
        return settings

    def _translated(self, ergo_config: Any) -> dict[str, Any]:
        """Has the suite change an empty configuration of Ergo, and says the same in ours."""
        changed = _Sections()
        ergo_config(changed)
        settings: dict[str, Any] = {}
        for setting in changed.flattened():
            if setting not in self.ergo_settings:
                *path, value = setting
                raise NotImplementedByController(f"Ergo's setting {'.'.join(path)} = {value}")
            settings |= self.ergo_settings[setting]
        return settings

    def _faketime(self, speed: str | None) -> list[str]:
        program = shutil.which("faketime")
        # The time of a fleet is its Redis's, which does not start with another clock.
        if speed is None or program is None or FLEET:
            return []
        self.faketime_enabled = True
        # Not as its child, which would outlive it: `env` becomes the server, and signals reach that.
        asked = [program, "-f", speed, "printenv", "LD_PRELOAD"]
        library = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        return ["env", f"LD_PRELOAD={library}", f"FAKETIME={speed}"]

    def registerUser(self, case: BaseServerTestCase, username: str, password: str | None = None) -> None:
        assert password, "an account needs a password"
        command = f"REGISTER * * :{password}"
        if len(command.encode()) > LINE_MAX:
            # Only the operator has room for it.
            self._nodes[0].make_account(username, password)
            return
        client = case.addClient(show_io=False)
        case.sendLine(client, f"NICK {username}")
        case.sendLine(client, "USER username * * :Realname")
        case.skipToWelcome(client)
        case.sendLine(client, command)
        answers = [message for message in case.getMessages(client) if message.command == "REGISTER"]
        assert [answer.params[:2] for answer in answers] == [["SUCCESS", username]], answers
        case.sendLine(client, "QUIT")
        case.assertDisconnected(client)

    def wait_for_services(self) -> None:
        """Services are a part of the server."""

    def check_is_alive(self) -> None:
        for node in self._nodes:
            node.check_is_alive()

    # The controller that started something last in this process.
    _last: StentorController | None = None

    @classmethod
    def end_last(cls) -> None:
        """Ends what a test has left running: pytest tears none down that skips itself while it is set up."""
        if cls._last is not None and cls._last._nodes:
            cls._last.kill()
        cls._last = None

    def kill_proc(self) -> None:
        """Ends everything that `run` started; a node that does not end by itself, or panicked, fails the test."""
        for splitter in self._splitters:
            splitter.close()
        for node in self._nodes:
            node.terminate()
        complaints = [complaint for node in self._nodes for complaint in node.join()]
        if self._redis:
            self._redis.kill()
        self._splitters, self._nodes, self._redis, self.proc = [], [], None, None
        assert not complaints, "\n".join(complaints)

    def kill(self) -> None:
        try:
            self.kill_proc()
        finally:
            super().kill()
            for port in self._reserved:
                port.release()
            self._reserved = []


class _Sections(defaultdict):
    """An empty configuration of Ergo, in which every section is there."""

    def __init__(self) -> None:
        super().__init__(_Sections)

    def flattened(self, path: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for key, value in self.items():
            if isinstance(value, dict):
                inner = value if isinstance(value, _Sections) else _Sections.of(value)
                found += inner.flattened((*path, key))
            else:
                found.append((*path, key, value))
        return found

    @classmethod
    def of(cls, values: dict[str, Any]) -> _Sections:
        sections = cls()
        sections.update(values)
        return sections


# The same for every test. The suite is faster than people, and its clients share an address.
BASE: dict[str, Any] = {
    "network.name": "StentorTest",
    "network.server": "My.Little.Server",
    "motd": "This node is under test.",
    "accounts.required": False,
    "accounts.registration": "open",
    "accounts.bcrypt_cost": 4,
    "accounts.password_min": 1,
    "accounts.scram_iterations": 4096,
    "limits.lines_per_second": 0,
    "limits.login_failures": 0,
    "drain.time": "0",
    "log.level": "warn",
}

OPERATOR: dict[str, Any] = {
    # operpassword, hashed at the least cost.
    "operators.operuser.password": "$2b$04$abcdefghijklmnopqrstuu/6qq5Snl5oh918d11uhZj3Nbug/8.fu",
    "operators.operuser.role": "admin",
}

atexit.register(StentorController.end_last)


def get_irctest_controller_class() -> type[StentorController]:
    return StentorController

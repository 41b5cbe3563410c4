"""Waiting for the disk: a SQLite write-ahead log is made durable without a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from luodi.errors import StoreError
from luodi.store import syncer

_ALONE = 64  # syncs done here before a process is started for them: a short life needs none
_COPY_EVERY = 256  # groups, after which the log is copied into the database: some ten megabytes
_log = logging.getLogger("luodi.store")


class Disk:
    """One sync at a time. `done` is called in the loop when it is over, with the error if it failed."""

    def __init__(self, path: str, done: Callable[[Exception | None], None]) -> None:
        self._path = path
        self._done = done
        self._wal = -1
        self._count = 0
        self._groups = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def sync(self, loop: asyncio.AbstractEventLoop, groups: int) -> None:
        """Make durable what was committed until now; `groups` transactions."""
        self._count += 1
        self._groups += groups
        if self._socket is None and self._count >= _ALONE:
            self._start()
        if self._socket is not None:
            if self._loop is not loop:
                self._listen(loop)
            try:
                self._socket.send(b"sc" if self._groups >= _COPY_EVERY else b"s")
                if self._groups >= _COPY_EVERY:
                    self._groups = 0
                return
            except OSError:
                self._stop("is gone")
        if self._groups >= _COPY_EVERY:
            self._groups = 0
            with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self._path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        loop.call_soon(self._done, self._sync())

    def _sync(self) -> Exception | None:
        try:
            if self._wal < 0:
                self._wal = os.open(f"{self._path}-wal", os.O_RDONLY)
            syncer.sync(self._wal)
        except OSError as error:
            return StoreError(f"the database could not be written: {error.strerror}", "free space, then try again")
        return None

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(syncer.__file__)), self._path], stdin=theirs.fileno(),
                start_new_session=True,  # Ctrl-C is for this process, which still needs it to end in order
            )  # fmt: skip
        except OSError as error:
            _log.warning("the process that syncs could not be started: %s", error)
            ours.close()
            self._count = -(10**6)
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._socket = ours

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._socket is not None
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
        loop.add_reader(self._socket, self._answered)
        self._loop = loop

    def _answered(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(64)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data == b"0":
            self._done(None)
            return
        if not data:
            self._stop("has ended")
        self._done(self._sync())  # once more from here: whatever is wrong is told as what it is

    def _stop(self, why: str) -> None:
        _log.warning("the process that syncs %s; it is started again", why)
        self._count = 0
        self._let_go()

    def _let_go(self) -> None:
        if self._socket is not None:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._socket)
            self._socket.close()
        if self._process is not None:
            self._process.wait()
        self._socket = self._process = self._loop = None

    def close(self) -> None:
        """Sync once more and end."""
        self._let_go()
        self._sync()
        if self._wal >= 0:
            os.close(self._wal)
            self._wal = -1

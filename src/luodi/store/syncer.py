"""A process that makes a SQLite write-ahead log durable for another one, so that waiting for the disk costs that one
no thread: two threads of one interpreter hand its lock to and fro, which costs more than all else about a commit.

Run as a file, with nothing but the standard library: python -I -S syncer.py DATABASE, a socket as its standard input.
It is asked by single bytes: "s" to sync, answered by "0" or "!"; "c" to copy the log into the database, not answered.
It ends when the socket is closed.
"""

import os
import socket
import sqlite3
import sys
import threading

_LARGEST_WAL = 256 << 20  # bytes, from which writers wait until it is emptied


def sync(descriptor: int) -> None:
    """Raises: OSError."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def copy_forever(path: str, due: threading.Event) -> None:
    """Copies the log into the database whenever it is due, beside the syncs."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
    while due.wait():
        due.clear()
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            if os.stat(f"{path}-wal").st_size > _LARGEST_WAL:  # noqa: PTH116
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except (OSError, sqlite3.Error):
            continue  # tried again when it is due again


def main(path: str) -> None:
    asked = socket.socket(fileno=0)
    wal = os.open(f"{path}-wal", os.O_RDONLY)
    due = threading.Event()
    threading.Thread(target=copy_forever, args=(path, due), daemon=True).start()
    while data := asked.recv(64):
        if b"s" in data:
            try:
                sync(wal)
                answer = b"0"
            except OSError:
                answer = b"!"
            asked.sendall(answer)
        if b"c" in data:
            due.set()


if __name__ == "__main__":
    main(sys.argv[1])

"""A process that races with others for the lock of a library, apart from the tests: it is started
again and imports nothing that takes long.
"""

import json
import os
import random
import socket
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sigseek.storage import LibraryError
from sigseek.storage.network_lock import NetworkLock

PATIENCE = 120.0


def leave(file: Path, pid: int, host: str = socket.gethostname()) -> None:
    """Write the file as a process does that was killed."""
    file.write_text(
        json.dumps({"host": host, "pid": pid, "since": "2026", "token": os.urandom(8).hex()})
    )


def race(
    directory: Path, rounds: int, ended: int, number: int, barrier: Barrier, held: Any
) -> None:
    """In each round, try to get a lock that the process of id `ended` has left, and count those
    that hold it in `held`. Whoever holds it keeps it until all have tried.
    """
    lock = directory / "lock.network"
    for round_ in range(rounds):
        if number == 0:
            leave(lock, ended)
            if round_ % 3 == 1:  # and was about to remove another one's
                leave(directory / "lock.network.takeover", ended)
            if round_ % 3 == 2:  # another machine that is silent for long
                leave(lock, 1, "elsewhere")
                os.utime(lock, (1, 1))
        barrier.wait(PATIENCE)
        time.sleep(random.random() / 500)
        try:
            with NetworkLock(directory).hold():
                with held.get_lock():
                    held[round_] += 1
                barrier.wait(PATIENCE)
        except LibraryError:
            barrier.wait(PATIENCE)
        barrier.wait(PATIENCE)

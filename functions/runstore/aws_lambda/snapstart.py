"""SnapStart: what a snapshot of a function's process should hold, and what copies of it must not have in common.

Imported only where Lambda takes a snapshot. Random ids come from the operating system and differ in any case.
"""

import importlib
import random

from runstore.dynamodb.client import default_client


def register() -> None:
    """Let Lambda call the two hooks; its runtimes from Python 3.12 on bring the module for that."""
    hooks = importlib.import_module("snapshot_restore_py")
    hooks.register_before_snapshot(before_snapshot)
    hooks.register_after_restore(after_restore)


def before_snapshot() -> None:
    """Make the client, the dearest part of a first invocation. It opens no connection before its first request."""
    default_client()


def after_restore() -> None:
    """Let this copy pause at moments of its own after conflicts, and open connections of its own."""
    random.seed()
    default_client().close()  # its connections alone: the next request opens another

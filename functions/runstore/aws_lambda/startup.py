"""What a function does while Lambda starts its process, and SnapStart's hooks.

Copies of one snapshot must share neither connections nor pauses. Random ids come from the operating system and differ
in any case.
"""

from __future__ import annotations

import importlib
import os
import random
from contextlib import suppress

from runstore.dynamodb.defaults import default_transport
from runstore.errors import ConfigurationError


def prepare() -> None:
    """Make the transport before the first invocation waits for it, and register SnapStart's hooks.

    Does nothing outside Lambda. What is wrong with the configuration is raised by the first invocation, as an error of
    that.
    """
    initialization = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE")
    if not initialization:
        return
    with suppress(ConfigurationError):
        default_transport()
    if initialization == "snap-start":  # Lambda's runtimes from Python 3.12 on have the module
        hooks = importlib.import_module("snapshot_restore_py")
        hooks.register_before_snapshot(before_snapshot)
        hooks.register_after_restore(after_restore)


def before_snapshot() -> None:
    """Fail the publication of a version that could not work. No connection is open yet."""
    default_transport()


def after_restore() -> None:
    """Give this copy pauses and connections that no other copy has."""
    random.seed()
    default_transport().close()

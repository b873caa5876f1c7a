"""ministack: the emulator of the local stack, here for its DynamoDB alone."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.backends.backend import Backend, BackendUnavailableError
from tests.backends.server import HOST, running


@contextmanager
def start() -> Iterator[Backend]:
    """Yield a ministack of our own."""
    if importlib.util.find_spec("ministack") is None:
        raise BackendUnavailableError("needs ministack, which this environment does not have")
    with running(lambda _port: [sys.executable, "-m", "ministack"], environment=_environment) as server:
        yield Backend("ministack", server.url)


def _environment(port: int) -> dict[str, str]:
    # SFTP and IoT would listen on fixed ports of their own.
    settings = {"BIND_HOST": HOST, "GATEWAY_PORT": str(port), "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0"}
    return {**os.environ, **settings}

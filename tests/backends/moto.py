"""moto: in this process, fast, and not safe under threads, which makes it the negative control of race tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.backends.backend import Backend, BackendUnavailableError


@contextmanager
def start() -> Iterator[Backend]:
    """Yield an empty moto; clients made inside see nothing of another one."""
    try:
        # Its import adds hooks to every boto3 client, which benchmarks must not have.
        from moto import mock_aws  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise BackendUnavailableError("needs moto, which this environment does not have") from missing

    with mock_aws():
        yield Backend("moto")

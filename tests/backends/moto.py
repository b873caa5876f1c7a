"""moto: in this process, fast, and not safe under threads, which makes it the negative control of race tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.backends.backend import Backend


@contextmanager
def start() -> Iterator[Backend]:
    """Yield an empty moto; clients made inside see nothing of another one."""
    from moto import mock_aws  # noqa: PLC0415 its import adds hooks to every boto3 client, which benchmarks must not have

    with mock_aws():
        yield Backend("moto")

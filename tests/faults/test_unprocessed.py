"""Batches that DynamoDB leaves in part undone, connections that end in the middle of an answer, clocks that jump."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from runstore import RunStore, clock
from runstore.settings import Settings
from tests import proofs
from tests.backends import Backend

DAY = 86_400


@pytest.fixture(scope="module")
def table(dynamodb_local_backend: Backend) -> str:
    """A table for all tests here; each uses a run of its own."""
    return dynamodb_local_backend.make_table("unprocessed")


def _store(backend: Backend, table: str, run_id: str, client: Any = None) -> RunStore:
    settings = Settings(table, segment_bytes=200, ttl_days=1)
    return RunStore(run_id, client=client or backend.client(), settings=settings)


def _leave_undone(client: Any, operation: str, rest: str) -> list[int]:
    """Let every second batch be carried out by half; return the list that counts those."""
    left: list[Any] = []
    halved: list[int] = []

    def before(params: dict[str, Any], **_: object) -> dict[str, Any]:
        ((table, wanted),) = params["RequestItems"].items()
        keys = wanted if isinstance(wanted, list) else wanted["Keys"]
        left.clear()
        if len(keys) > 1:
            half = len(keys) // 2
            wanted_later = keys[half:] if isinstance(wanted, list) else {**wanted, "Keys": keys[half:]}
            wanted = keys[:half] if isinstance(wanted, list) else {**wanted, "Keys": keys[:half]}
            left.append({table: wanted_later})
        return {**params, "RequestItems": {table: wanted}}

    def after(parsed: dict[str, Any], **_: object) -> None:
        if left:
            parsed[rest] = left.pop()
            halved.append(1)

    client.meta.events.register(f"provide-client-params.dynamodb.{operation}", before)
    client.meta.events.register(f"after-call.dynamodb.{operation}", after)
    return halved


def test_unprocessed_deletions_are_sent_again(dynamodb_local_backend: Backend, table: str) -> None:
    """A completion whose batches are carried out by half, again and again, still leaves nothing."""
    client: Any = dynamodb_local_backend.client()
    store = _store(dynamodb_local_backend, table, "deletions", client)
    for number in range(20):
        store.set(f"key {number}", number)
    halved = _leave_undone(client, "BatchWriteItem", "UnprocessedItems")
    assert store.complete() == 20
    assert len(halved) > 2
    assert store.keys() == []
    proofs.record(faults_injected_below_boto3=len(halved))


def test_unprocessed_reads_are_asked_for_again(dynamodb_local_backend: Backend, table: str) -> None:
    """A push with a token on a long list needs two items: when DynamoDB returns one, the other is asked for."""
    client: Any = dynamodb_local_backend.client()
    store = _store(dynamodb_local_backend, table, "reads", client)
    halved = _leave_undone(client, "BatchGetItem", "UnprocessedKeys")
    for number in range(40):
        assert store.push("list", f"element {number}", token=f"t{number}") == number + 1
    assert store.push("list", "element 39", token="t39") == 40
    assert halved
    assert store.get("list") == [f"element {number}" for number in range(40)]
    proofs.record(faults_injected_below_boto3=len(halved))


@contextmanager
def _proxy(target: str, cut: list[int]) -> Iterator[str]:
    """Yield the address of a proxy that resets, for each number in `cut`, that connection in its answer."""
    to = urlsplit(target)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for number in range(1_000):
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=carry, args=(client, number), daemon=True).start()

        def carry(client: socket.socket, number: int) -> None:
            with client, socket.create_connection((to.hostname, to.port)) as dynamodb:
                threading.Thread(target=hand_on, args=(client, dynamodb), daemon=True).start()
                while answered := dynamodb.recv(65_536):
                    if number in cut:
                        client.sendall(answered[: len(answered) // 2])
                        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")  # reset, not a good-bye
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        client.shutdown(socket.SHUT_RD)  # lets the other thread go, which would keep it open
                        return
                    client.sendall(answered)

        def hand_on(client: socket.socket, dynamodb: socket.socket) -> None:
            with suppress(OSError):
                while asked := client.recv(65_536):
                    dynamodb.sendall(asked)
                dynamodb.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("transport", ["boto3", "direct"])
def test_a_connection_reset_in_the_middle_doubles_nothing(
    dynamodb_local_backend: Backend, table: str, transport: str
) -> None:
    """The network breaks off in the middle of answers to pushes: each is there once all the same."""
    assert dynamodb_local_backend.endpoint_url
    with _proxy(dynamodb_local_backend.endpoint_url, cut=[0, 1, 3, 4]) as address:
        proxied = Backend("proxied", address)
        client: Any = proxied.direct() if transport == "direct" else proxied.client()
        store = _store(dynamodb_local_backend, table, f"reset-{transport}", client)
        assert [store.push("list", number) for number in range(5)] == [1, 2, 3, 4, 5]
        client.close()
    assert _store(dynamodb_local_backend, table, f"reset-{transport}").get("list") == [0, 1, 2, 3, 4]
    proofs.record(faults_injected_below_boto3=4)


@pytest.mark.parametrize("kind", ["list", "number"])
@pytest.mark.parametrize("size", [1, 40])
def test_a_clock_that_jumps_around_an_expiry(
    dynamodb_local_backend: Backend, table: str, monkeypatch: pytest.MonkeyPatch, kind: str, size: int
) -> None:
    """What has expired is absent and begun anew, also beyond one item; before that moment it is all there."""
    run_id, now = f"clock-{kind}-{size}", 1_900_000_000

    def at(seconds: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: now + seconds)

    def add(number: int) -> Any:
        if kind == "list":
            return store.push("key", f"element {number}", token=f"t{number}")
        return store.increment("key", 1, token=f"t{number}")

    store = _store(dynamodb_local_backend, table, run_id)
    at(0)
    assert [add(number) for number in range(size)] == list(range(1, size + 1))
    whole = [f"element {number}" for number in range(size)] if kind == "list" else size
    for seconds, found in [(DAY - 1, whole), (DAY, None), (DAY + 1, None), (DAY - 1, whole), (2 * DAY, None)]:
        at(seconds)
        assert store.get("key") == found
        assert store.keys() == ([] if found is None else ["key"])
    assert add(0) == 1
    at(2 * DAY - 1)
    assert store.get("key") == (["element 0"] if kind == "list" else 1)
    proofs.record(clock_jumps_around_an_expiry=6)

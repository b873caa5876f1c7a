"""The pages of docs/design are true: the files that they name exist, and the traced requests are sent as listed."""

import re
from pathlib import Path

import pytest

from runstore import RunStore
from tests.backends import Backend

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "docs" / "design"
PACKAGE = ROOT / "functions" / "runstore"
PAGES = sorted(DESIGN.rglob("*.md"))
ARCHITECTURE = (DESIGN / "architecture.md").read_text("utf-8")
REQUESTS = "GetItem|BatchGetItem|Query|PutItem|UpdateItem|TransactWriteItems"
LONG = "x" * 190


class Trace:
    """A table whose stores note the requests that they send."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.table_name = backend, backend.make_table()

    def store(self) -> tuple[RunStore, list[str]]:
        """Return a store of a process that has cached nothing, and the names of its requests."""
        client, sent = self.backend.client(), []
        client.meta.events.register("before-call.dynamodb.*", lambda model, **_: sent.append(model.name))
        return RunStore("run", table_name=self.table_name, client=client), sent


@pytest.fixture
def trace(moto_backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Trace:
    """A table of its own for each test, while no time passes: a cached tail that grew old costs a request more."""
    monkeypatch.setattr("runstore.clock.elapsed", lambda: 0.0)
    return Trace(moto_backend)


def section(title: str) -> str:
    """Return the text under a heading of architecture.md."""
    found = re.search(rf"^###? {title}\n(.*?)(?=^##)", ARCHITECTURE, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DESIGN)))
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    """A path in backticks is one of the repository, or one of the package."""
    for name in re.findall(r"`([a-z_]+/[a-z_./*]*|\w+\.(?:py|json|yaml|md))`", page.read_text("utf-8")):
        folders = (ROOT / "functions", ROOT / "tests", DESIGN)
        assert any([*ROOT.glob(name)]) or any([*folder.rglob(name)] for folder in folders), name


def test_every_room_of_the_package_is_in_the_table() -> None:
    """The table of rooms has a row for each folder of the package."""
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `runstore/(\w+)/`", ARCHITECTURE, re.MULTILINE))


def test_a_push_is_one_request_and_its_repetition_too(trace: Trace) -> None:
    """On a short list the head alone decides."""
    assert re.findall(rf"\*\*5\. The table\*\* sends one `({REQUESTS})`", ARCHITECTURE) == ["UpdateItem"]
    for _ in range(2):
        store, sent = trace.store()
        assert store.push("results", {"id": 7}, token="PushResult#7") == 1
        assert sent == ["UpdateItem"]


def test_a_push_on_a_long_list_sends_the_requests_of_the_table(trace: Trace) -> None:
    """A new process sends the five requests of the table, then three for each push; a repetition sends three."""
    listed = re.findall(rf"^\| `({REQUESTS})`", section("The same push on a long list"), re.MULTILINE)
    filler, _ = trace.store()
    for _ in range(6):
        filler.push("results", LONG)
    store, sent = trace.store()
    assert store.push("results", {"id": 7}, token="PushResult#7") == 7
    assert sent == listed == ["UpdateItem", "GetItem", "Query", "PutItem", "UpdateItem"]
    sent.clear()
    store.push("results", {"id": 8}, token="PushResult#8")
    assert sent == ["BatchGetItem", "PutItem", "UpdateItem"]
    sent.clear()
    store.push("results", {"id": 9})
    assert sent == ["UpdateItem"]
    store, sent = trace.store()
    assert store.push("results", {"id": 7}, token="PushResult#7") == 7
    assert sent == ["UpdateItem", "GetItem", "Query"]

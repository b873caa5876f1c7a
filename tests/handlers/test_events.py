"""What each function answers."""

from tests.handlers.conftest import RUN, Call, Table


def test_set_and_get(table: Table, call: Call) -> None:
    """A value is set and found; null is told apart from not set."""
    assert call("get_value", runId=RUN, key="customer") == {"key": "customer", "value": None, "found": False}
    assert call("set_value", runId=RUN, key="customer", value={"id": "c-1"}) == {"key": "customer"}
    assert call("get_value", runId=RUN, key="customer") == {"key": "customer", "value": {"id": "c-1"}, "found": True}
    assert call("set_value", runId=RUN, key="customer", value=None) == {"key": "customer"}
    assert call("get_value", runId=RUN, key="customer") == {"key": "customer", "value": None, "found": True}
    assert table.store().get("customer", "default") is None


def test_push(table: Table, call: Call) -> None:
    """One element or several are appended, null too; a token makes a repetition safe."""
    assert call("push_item", runId=RUN, key="list", item={"id": 1}) == {"key": "list", "length": 1}
    assert call("push_item", runId=RUN, key="list", item=None, token="t") == {"key": "list", "length": 2}
    assert call("push_item", runId=RUN, key="list", item=None, token="t") == {"key": "list", "length": 2}
    assert call("push_item", runId=RUN, key="list", items=[3, None]) == {"key": "list", "length": 4}
    assert call("push_item", runId=RUN, key="list", items=[5, [6]], token="t") == {"key": "list", "length": 6}
    assert call("push_item", runId=RUN, key="list", items=[5, [6]], token="t") == {"key": "list", "length": 6}
    assert call("push_item", runId=RUN, key="empty", items=[]) == {"key": "empty", "length": 0}
    assert table.store().snapshot() == {"list": [{"id": 1}, None, 3, None, 5, [6]], "empty": []}


def test_ranges(table: Table, call: Call) -> None:
    """With start or limit, part of a list is read."""
    table.store().push_many("list", range(1_000))
    for fields, value in (
        ({"start": 998}, [998, 999]),
        ({"limit": 2}, [0, 1]),
        ({"start": 500, "limit": 3}, [500, 501, 502]),
        ({"start": 1_000}, []),
        ({"limit": 0}, []),
    ):
        assert call("get_value", runId=RUN, key="list", **fields) == {"key": "list", "value": value, "found": True}
    assert call("get_value", runId=RUN, key="none", start=0) == {"key": "none", "value": None, "found": False}


def test_increment(table: Table, call: Call) -> None:
    """A counter counts by 1 or by a delta; a token makes a repetition safe."""
    assert call("increment_counter", runId=RUN, key="n") == {"key": "n", "value": 1}
    assert call("increment_counter", runId=RUN, key="n", delta=-2.5) == {"key": "n", "value": -1.5}
    assert call("increment_counter", runId=RUN, key="n", delta=10, token="t") == {"key": "n", "value": 8.5}
    assert call("increment_counter", runId=RUN, key="n", delta=10, token="t") == {"key": "n", "value": 8.5}
    assert table.store().get("n") == 8.5


def test_delete(table: Table, call: Call) -> None:
    """A key is removed, and removing it again is no error."""
    table.store().set("key", 1)
    assert call("delete_key", runId=RUN, key="key") == {"key": "key"}
    assert call("delete_key", runId=RUN, key="key") == {"key": "key"}
    assert table.store().keys() == []


def test_set_if_absent(table: Table, call: Call) -> None:
    """With ifAbsent the first call writes, and each returns what the key holds; otherwise it is a plain set."""
    assert call("set_value", runId=RUN, key="key", value=[1], ifAbsent=True) == {"key": "key", "value": [1]}
    table.store().push("key", 2)
    assert call("set_value", runId=RUN, key="key", value="x", ifAbsent=True) == {"key": "key", "value": [1, 2]}
    assert call("set_value", runId=RUN, key="key", value=None, ifAbsent=False) == {"key": "key"}
    assert table.store().find("key") == (True, None)


def test_get_values(table: Table, call: Call) -> None:
    """All keys of the run, or those that begin with the prefix, with their values."""
    assert call("get_values", runId=RUN) == {"values": {}}
    for key in ("results/2", "results/1", "other"):
        table.store().set(key, [key])
    table.store("other").set("results/3", 1)
    assert call("get_values", runId=RUN)["values"].keys() == {"other", "results/1", "results/2"}
    results = {"results/1": ["results/1"], "results/2": ["results/2"]}
    assert call("get_values", runId=RUN, prefix="results/") == {"values": results}
    assert call("get_values", runId=RUN, prefix="") == call("get_values", runId=RUN)


def test_apply(table: Table, call: Call) -> None:
    """The result of each operation is what its function returns; a repetition of the whole changes nothing."""
    operations = [
        {"do": "push", "key": "list", "item": 1},
        {"do": "increment", "key": "n", "delta": 2},
        {"do": "set", "key": "first", "value": "a", "ifAbsent": True},
        {"do": "get", "key": "list"},
    ]
    results = [
        {"key": "list", "length": 1},
        {"key": "n", "value": 2},
        {"key": "first", "value": "a"},
        {"key": "list", "value": [1], "found": True},
    ]
    for _ in range(2):
        assert call("apply_operations", runId=RUN, operations=operations, token="t") == {"results": results}
    assert table.store().snapshot() == {"list": [1], "n": 2, "first": "a"}


def test_complete(table: Table, call: Call) -> None:
    """Every item of the run is deleted, and no other run's; again is safe."""
    table.store().set("a", 1)
    table.store().set("b", [1])
    table.store("other").set("a", 1)
    assert call("complete_run", runId=RUN) == {"runId": RUN, "deleted": 2}
    assert call("complete_run", runId=RUN) == {"runId": RUN, "deleted": 0}
    assert table.store("other").get("a") == 1

"""Small programs, each chosen for a race; they are run in every order there is."""

from tests.simulation.operations import COMPLETE, KEYS, SNAPSHOT, Op
from tests.simulation.scenario import Phase, Scenario
from tests.simulation.scheduler import Conditions


def _push(item: object, token: str | None = None) -> Op:
    return Op("push", item, token)


def _add(delta: int, token: str | None = None) -> Op:
    return Op("increment", delta, token)


def _set(value: object) -> Op:
    return Op("set", value)


def _many(*items: object, token: str | None = None) -> Op:
    return Op("push_many", list(items), token)


_GET, _DELETE = Op("get"), Op("delete")


def _range(start: int, limit: int | None = None) -> Op:
    return Op("get_range", (start, limit))


SMALL: dict[str, list[list[Op]]] = {
    "two pushers": [[_push("a"), _push("b")], [_push("c"), _push("d")]],
    "two pushers, a reader": [[_push("a"), _push("b")], [_push("c")], [_GET]],
    "a reader behind a pusher": [[_push("a"), _push("b"), _push("c")], [_range(1), _range(2, 1)]],
    "a reader while segments fill": [[_push("a"), _push("b"), _push("c"), _push("d"), _push("e")], [_GET]],
    "a delete under a pusher": [[_push("a"), _push("b"), _push("c")], [_DELETE, _push("d")]],
    "a set under a pusher": [[_push("a"), _push("b")], [_set("x"), _GET]],
    "a long set against a delete": [[_set(["p", "q", "r"])], [_DELETE, _push("a")]],
    "a long set against a push": [[_set(["p", "q"]), _push("s")], [_push("a")]],
    "two long sets": [[_set(["p", "q"])], [_set(["r", "s"]), _GET]],
    "plain increments": [[_add(1)], [_add(2)], [_GET]],
    "one token, two attempts": [[_push("a", "t"), _push("b")], [_push("a", "t")]],
    "one token beyond the head": [[_set(["p", "q"]), _push("a", "t")], [_push("a", "t")]],
    "one token and a pusher": [[_push("p"), _push("a", "t")], [_push("a", "t"), _push("b")]],
    "two counter tokens": [[_add(1, "t1"), _add(2, "t2")], [_add(1, "t1"), _add(4)]],
    "tokens and a delete": [[_push("a", "t")], [_push("a", "t")], [_DELETE]],
    "counter tokens and a set": [[_add(5, "t")], [_add(5, "t")], [_set(3)]],
    "parts of push_many": [[_many("a", "b", "c")], [_push("d")]],
    "push_many with a token, twice": [[_many("a", "b", token="t")], [_many("a", "b", token="t")]],
    "push_many under a set": [[_many("a", "b")], [_set("x")]],
    "two offers": [[Op("setdefault", "a"), _GET], [Op("setdefault", "b")]],
    "an offer under a push": [[Op("setdefault", ["a"])], [_push("b"), _GET]],
    "an offer under a delete": [[_push("a"), _DELETE], [Op("setdefault", ["b", "c"]), _push("d")]],
    "apply, twice": [[Op("apply", ["a", "b"], "t")], [Op("apply", ["a", "b"], "t")]],
    "apply under a push": [[Op("apply", ["a", "b"], "t")], [_push("c")]],
    "keys and snapshot": [[_push("a"), Op("set", 1, key="l")], [Op(KEYS), Op(SNAPSHOT)]],
}


HEAVY = {"two pushers, a reader", "one token and a pusher", "push_many with a token, twice", "two long sets"}
SEGMENT_BYTES = (1, 60)  # one element in each segment; three in each behind a head of one


def small(name: str, segment_bytes: int) -> Scenario:
    """Return one of the programs."""
    programs = tuple(tuple(program) for program in SMALL[name])
    return Scenario((Phase(programs),), Conditions(segment_bytes=segment_bytes))


def _faulty(
    *programs: list[Op], faults: tuple[str, ...] = ("answer lost",), segment_bytes: int = 1_000, most: int = 1_000_000
) -> Scenario:
    conditions = Conditions(segment_bytes=segment_bytes, faults=faults, most_faults=most)
    return Scenario((Phase(tuple(map(tuple, programs))),), conditions)


# Every order, and in each every fault at every request.
FAULTY = {
    "a set under a push": _faulty([_set(["p"])], [_push("a")]),
    "a counter's set under an increment": _faulty([_set(7)], [_add(1, "t")]),
    "a push under a delete": _faulty([_push("a")], [_DELETE]),
    "two attempts with a token": _faulty([_push("a", "t")], [_push("a", "t")]),
    "an offer under a push": _faulty([Op("setdefault", ["p"])], [_push("a")]),
    "an offer under a delete": _faulty([Op("setdefault", 7)], [_DELETE]),
    "a push under a set": _faulty([_push("a")], [_set([]), _GET]),
    "pushes beyond the head under a set": _faulty([_push("a"), _push("b")], [_set([])], segment_bytes=1, most=1),
    "an offer under a set": _faulty([Op("setdefault", 3)], [_set(7), _GET]),
    "two sets and a reader": _faulty([_set(1)], [_set(2), _GET]),
    "apply, repeated": _faulty(
        [Op("apply", ["a", "b"], "t"), Op("apply", ["a", "b"], "t")], faults=("crash after", "answer lost for good")
    ),
    "plain increments": _faulty([_add(1)], [_add(2)], faults=("crash after", "answer lost", "server error after")),
}


def _late(*programs: list[Op], segment_bytes: int = 1, gone: str = "late, sent again") -> Scenario:
    conditions = Conditions(segment_bytes=segment_bytes, faults=(gone,), most_faults=1)
    return Scenario((Phase(tuple(map(tuple, programs))),), conditions)


# Every order, and in each every request in turn arrives at every later moment.
LATE = {
    "a push, a delete and a push": _late([_push("a"), _DELETE, _push("b")]),
    "a push under a delete": _late([_push("a")], [_DELETE], segment_bytes=1_000),
    "a set under a push": _late([_set(["p"])], [_push("a")], segment_bytes=1_000),
    "two sets, given up": _late([_set("x")], [_set("y"), _GET], gone="late, given up"),
    "an offer and a delete": _late([Op("setdefault", 7), _DELETE, _GET], segment_bytes=1_000),
    "a plain increment": _late([_add(1), _GET], [_add(2)]),
    "a token under a set": _late([_add(1, "t")], [_set(5)]),
    # A late copy of the first push brings back a head that names the deleted chain, where the token has a receipt.
    "a token in a dead chain": _late([_push("a"), _push("b", "t"), _DELETE, _push("b", "t"), _GET]),
    "a counter's token in a dead chain": _late([_add(1, "s"), _add(2, "t"), _DELETE, _add(2, "t"), _GET]),
}


def _large(*programs: list[Op]) -> Scenario:
    return Scenario((Phase(tuple(map(tuple, programs))),), Conditions(segment_bytes=1, large_bytes=1))


# Elements that never go into a head, which they close. Random programs have them under faults too.
LARGE = {
    "two pushers": _large([_push("a")], [_push("b"), _GET]),
    "one token, two attempts": _large([_push("a", "t")], [_push("a", "t"), _push("b")]),
    "a push under a delete": _large([_push("a")], [_DELETE, _GET]),
    "a push onto a set list": _large([_push("a")], [_set(["x"]), _push("b")]),
    "a push under a set": _large([_push("a")], [_set("x")]),
}


def _completed(first: list[Op], second: list[Op]) -> Scenario:
    """Return a scenario with a completion in the middle, and what its stragglers do afterwards."""
    after = ((_push("y"),), (_push("x"), _GET))
    return Scenario(
        (Phase((tuple(first), (*second, Op(COMPLETE)))), Phase(((_push("z"), _DELETE), ())), Phase(after, clean=True)),
        Conditions(segment_bytes=1),
    )


COMPLETED = {
    "under pushes": _completed([_push("a"), _push("b")], []),
    "under a token's push": _completed([_push("a"), _push("b", "t")], []),
    "under a long set": _completed([_set(["p", "q"])], []),
    "under a counter's tokens": _completed([_add(1, "t1"), _add(2, "t2")], []),
    "after a push of its own": _completed([_push("b")], [_push("a")]),
    # The list may have lost its first segment. An offer then fails, instead of reading it without end.
    "under a long set, then an offer": Scenario(
        (Phase(((_set(["p", "q"]),), (Op(COMPLETE),))), Phase(((Op("setdefault", "x"),), ()))),
        Conditions(segment_bytes=1),
    ),
}

"""The checker itself: it accepts what can be explained, and nothing else; and failures come out short."""

import pytest

from tests.simulation import exploration
from tests.simulation import scenario as scenario_module
from tests.simulation.cases import small
from tests.simulation.decisions import Decisions
from tests.simulation.exploration import shortest
from tests.simulation.linearizability import Call, is_linearizable
from tests.simulation.operations import Op
from tests.simulation.scenario import Outcome, Phase, Scenario
from tests.simulation.specification import MISMATCH, Step


def _push(item: str, start: int, end: int, result: object, token: str = "", **more: bool) -> Call:
    return Call((Step("push", (item,), token),), start, end, result, **more)  # type: ignore[arg-type]


def _get(start: int, end: int, *items: str) -> Call:
    return Call((Step("get"),), start, end, ("list", items) if items else None)


def _late(*steps: Step, moment: int) -> Call:
    return Call(steps, moment, moment, optional=True, alternatives=True)


def _re_sent_after_a_set(*, again: bool) -> list[Call]:
    """Return a history from a hostile trial: a reader sees the element, a set removes it, and it comes back."""
    push = _push("a", 1, 8, 1, "t")
    repetition = Call(push.steps, 1, 8, optional=True, original=(push, 0))
    seen = [_get(2, 3, "a"), Call((Step("set", []),), 4, 5), Call((Step("get"),), 6, 7, ("list", ())), _get(9, 10, "a")]
    return [push, *seen, *[repetition] * again]


EXPLAINED: dict[str, list[Call]] = {
    "overlapping pushes in either order": [_push("a", 1, 4, 2), _push("b", 2, 3, 1), _get(5, 6, "b", "a")],
    "a read that overlaps a push sees it": [_push("a", 1, 4, 1), _get(2, 3, "a")],
    "a read that overlaps a push does not see it": [_push("a", 1, 4, 1), _get(2, 3)],
    "an unknown push took effect": [_push("a", 1, 2, None, optional=True), _get(3, 4, "a")],
    "an unknown push did not": [_push("a", 1, 2, None, optional=True), _get(3, 4)],
    "a token's second attempt": [_push("a", 1, 2, 1, "t"), _push("a", 3, 4, 1, "t"), _get(5, 6, "a")],
    "half of an unknown push_many": [
        Call((Step("push", ("a",)), Step("push", ("b",))), 1, 2, optional=True),
        _get(3, 4, "a"),
    ],
    "a push that was sent again after a set": _re_sent_after_a_set(again=True),
    "a late set overwrites a newer one": [
        Call((Step("set", 1, "s"),), 1, 2),
        Call((Step("set", 2, "t"),), 3, 4),
        _late(Step("set", 1, "s"), moment=5),
        Call((Step("get"),), 6, 7, ("number", 1)),
    ],
    "a late part of push_many after a delete": [
        Call((Step("push", ("a",), "c#0"), Step("push", ("b",), "c#1")), 1, 2, 2),
        Call((Step("delete"),), 3, 4),
        _late(Step("push", ("a",), "c#0"), Step("push", ("b",), "c#1"), moment=5),
        _get(6, 7, "b"),
    ],
    "a mismatch in the middle of push_many": [
        Call((Step("push", ("a",)), Step("push", ("b",))), 1, 6, MISMATCH),
        Call((Step("set", 1),), 2, 3),
    ],
}
NOT_EXPLAINED: dict[str, list[Call]] = {
    "a lost push": [_push("a", 1, 2, 1), _get(3, 4)],
    "a push seen twice": [_push("a", 1, 2, 1), _get(3, 4, "a", "a")],
    "an order against time": [_push("a", 1, 2, 1), _push("b", 3, 4, 2), _get(5, 6, "b", "a")],
    "two pushes with one length": [_push("a", 1, 3, 1), _push("b", 2, 4, 1)],
    "a push that comes back after a set, and was sent once": _re_sent_after_a_set(again=False),
    "a read that goes back": [_push("a", 1, 6, 1), _get(2, 3, "a"), _get(4, 5)],
    "a token applied twice": [_push("a", 1, 2, 1, "t"), _push("a", 3, 4, 2, "t")],
    "an unknown push that comes too late": [_push("a", 1, 2, None, optional=True), _get(3, 4), _get(5, 6, "a")],
    "push_many out of order": [
        Call((Step("push", ("a",)), Step("push", ("b",))), 1, 2, 2),
        _get(3, 4, "b", "a"),
    ],
    "a mismatch without a reason": [_push("a", 1, 2, MISMATCH)],
    "a late set over what was pushed onto its value": [
        Call((Step("set", ["a"], "s"),), 1, 2),
        _push("b", 3, 4, 2),
        _late(Step("set", ["a"], "s"), moment=5),
        _get(6, 7, "a"),
    ],
    "a late push while its receipt is there": [
        _push("a", 1, 2, 1, "c"),
        _late(Step("push", ("a",), "c"), moment=3),
        _get(4, 5, "a", "a"),
    ],
    "two parts of push_many from one late request": [
        Call((Step("push", ("a",), "c#0"), Step("push", ("b",), "c#1")), 1, 2, 2),
        Call((Step("delete"),), 3, 4),
        _late(Step("push", ("a",), "c#0"), Step("push", ("b",), "c#1"), moment=5),
        _get(6, 7, "a", "b"),
    ],
    "a late push before it arrives": [
        _push("a", 1, 2, 1, "c"),
        Call((Step("delete"),), 3, 4),
        _get(5, 6, "a"),
        _late(Step("push", ("a",), "c"), moment=7),
    ],
    "a deleted element that comes back": [
        _push("a", 1, 2, 1),
        Call((Step("delete"),), 3, 4),
        _push("b", 5, 6, 2),
    ],
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_accepts_what_some_order_explains(name: str) -> None:
    """A history that some order of its operations explains is accepted."""
    assert is_linearizable(EXPLAINED[name])


@pytest.mark.parametrize("name", NOT_EXPLAINED)
def test_refuses_what_no_order_explains(name: str) -> None:
    """A history that no order of its operations explains is refused."""
    assert not is_linearizable(NOT_EXPLAINED[name])


def test_a_failure_is_shown_without_what_it_does_not_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing run is reduced to the operations that it needs to fail."""
    real = scenario_module.run

    def broken(scenario: Scenario, decisions: Decisions, *, traced: bool = False) -> Outcome:
        outcome = real(scenario, decisions, traced=traced)
        ops = [op for phase in scenario.phases for program in phase.programs for op in program]
        outcome.fault = "three and four" if {3, 4} <= {op.operand for op in ops} else None
        return outcome

    monkeypatch.setattr(exploration, "run", broken)
    pushes = [Op("push", i) for i in range(6)]
    story = shortest(Scenario((Phase((tuple(pushes[:4]), tuple(pushes[2:]))),)), [1, 0, 1, 1])
    assert "three and four" in story
    assert [i for i in range(6) if f"push('k', {i}) returns" in story] == [3, 4]


def test_every_order_of_two_single_requests_is_two() -> None:
    """Two clients with one request each have two orders, so the exploration neither forgets nor repeats any."""
    programs = ((Op("push", 1),), (Op("push", 2),))
    assert (
        exploration.every_interleaving(Scenario((Phase(programs),), small("plain increments", 60).conditions)).runs == 2
    )

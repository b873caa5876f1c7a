"""What `make test-aws` does around its claims: cost, budget, verdicts, the report, and what it leaves behind."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws import claims
from tests.aws.__main__ import ALL
from tests.aws.claims import Claim, RefutedError, Verdict, estimate, is_green, report, settle
from tests.aws.cost import DEPLOYED, Usage
from tests.aws.stacks import PREFIX, Deployment, DeploymentError

ROOT = Path(__file__).parents[2]
SECTION = "## What no test here exercises"


def deployment(*, is_local: bool = False) -> Deployment:
    """Return one whose stack is never asked."""
    return Deployment(None, f"{PREFIX}1", is_local=is_local)  # type: ignore[arg-type]


def claim(name: str, check: Any = lambda _: "seen", **fields: Any) -> Claim:
    """Return a claim."""
    return Claim(name, f"{name} holds", check, **fields)


def refuted(_: Deployment) -> str:
    """Refute."""
    raise RefutedError("something else was seen")


def broken(_: Deployment) -> str:
    """Break as a check does."""
    raise KeyError("Output")


def test_the_documents_list_the_claims() -> None:
    """The page has the claims that are settled, in their words, and what the local stack cannot show."""
    text = (ROOT / "docs" / "deployment.md").read_text("utf-8").partition(SECTION)[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [(each.name, each.says, each.local or "yes") for each in ALL]


def test_it_costs_a_few_cents() -> None:
    """The whole stays below the default budget by far."""
    assert 0.01 < estimate(ALL) < 0.75
    assert Usage(transitions=1_000_000).dollars == 25


def test_verdicts() -> None:
    """A check's answer, its refutation, its own fault and the emulator's lack are four different results."""
    chosen = [claim("a"), claim("b", refuted), claim("c", broken), claim("d", broken, local="the emulator lacks it")]
    found = list(settle(chosen, deployment(is_local=True), budget=0))
    assert [each.result for each in found] == ["confirmed", "refuted", "failed", "not exercisable here"]
    assert [each.seen for each in found] == [
        "seen",
        "something else was seen",
        "KeyError: 'Output'",
        "the emulator lacks it",
    ]
    assert not is_green(found)
    assert is_green([found[0], found[3]])


def test_it_stops_at_the_budget() -> None:
    """A claim that would exceed what is left is not settled, a cheaper one after it still is."""
    dear, cheap = Usage(transitions=10_000), Usage(transitions=100)
    chosen = [claim("a", usage=dear), claim("b", usage=dear), claim("c", usage=cheap)]
    found = list(settle(chosen, deployment(), budget=DEPLOYED.dollars + dear.dollars + cheap.dollars))
    assert [each.result for each in found] == ["confirmed", "not reached", "confirmed"]
    assert not is_green(found)


def test_an_adopted_stack_is_not_changed() -> None:
    """What would deploy the stack anew is left out, with its reason."""
    (found,) = settle([claim("a", broken, adopted="it would change")], deployment(), budget=1, adopted=True)
    assert (found.result, found.seen) == (claims.NOT_EXERCISABLE, "it would change")


def test_an_interruption_ends_the_claims() -> None:
    """Ctrl-C is no failed check: it reaches whoever cleans up."""

    def interrupted(_: Deployment) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(settle([claim("a", interrupted)], deployment(), budget=1))


def test_the_report_has_each_claim_and_what_is_left() -> None:
    """One line per claim, whatever its text holds."""
    page = report([Verdict(claim("a"), claims.CONFIRMED, "x | y\nz")], "AWS", ["the key: AccessDenied"])
    assert "| a holds (`a`) | **confirmed** | x \\| y z |" in page
    assert "Left behind: the key: AccessDenied." in page
    assert "1 claims confirmed, 0 refuted, 0 checks failed, 0 not exercised." in page


def test_everything_is_removed_the_last_first_whatever_fails() -> None:
    """One failing removal stops no other and is reported."""
    made, removed = deployment(), []

    def fails() -> None:
        removed.append("second")
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteTable")

    made.undo_later("the first", lambda: removed.append("first"))
    made.undo_later("the second", fails)
    made.undo_later("the second", fails)
    made.undo_later("the third", lambda: removed.append("third"))
    left = made.remove()
    assert removed == ["third", "second", "first"]
    assert len(left) == 1
    assert left[0].startswith("the second: ")
    assert "AccessDenied" in left[0]
    assert made.remove() == []


def test_what_a_claim_changes_is_changed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sam deploy` keeps the last value of a parameter that it is not given, so a default is given too."""
    given: list[dict[str, str]] = []
    made = deployment(is_local=True)
    made.stack = SimpleNamespace(outputs={})  # type: ignore[assignment]
    monkeypatch.setattr(made, "_sam", lambda _template, _name, parameters: given.append(parameters))
    made.deploy_store()
    made.deploy_store(RunIdPrefixes="mine-")
    made.deploy_store()
    assert [each.get("RunIdPrefixes") for each in given] == [None, "mine-", ""]


@pytest.mark.parametrize("name", ["runstore", "production", "runstore-tests"])
def test_nothing_but_its_own_is_removed(name: str) -> None:
    """A stack whose name does not begin as those of this program is never deleted."""
    with pytest.raises(DeploymentError, match=f"got {name}$"):
        deployment().remove_stack(name)

"""Claims that only AWS can settle, one check each; and the report of what became of them."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.aws.cost import DEPLOYED, NOTHING, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.aws.stacks import Deployment

CONFIRMED: Final = "confirmed"
REFUTED: Final = "refuted"
NOT_EXERCISABLE: Final = "not exercisable here"
NOT_REACHED: Final = "not reached"
FAILED: Final = "failed"  # the check itself broke, so the claim is open


class RefutedError(Exception):
    """The claim does not hold; the message says what was seen."""


class CannotSettleError(Exception):
    """The claim cannot be settled on this machine; the message says why."""


@dataclass(frozen=True)
class Claim:
    """Something that the documents say about AWS.

    `check` returns what it saw, or raises RefutedError. `local` says why an emulator cannot show it, if it cannot;
    `adopted` why a stack that is there already cannot.
    """

    name: str
    says: str
    check: Callable[[Deployment], str]
    usage: Usage = NOTHING
    local: str | None = None
    adopted: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    result: str
    seen: str


def estimate(claims: Iterable[Claim]) -> float:
    """Return what settling the claims costs, in US dollars."""
    return DEPLOYED.dollars + sum(claim.usage.dollars for claim in claims)


def settle(claims: list[Claim], deployment: Deployment, budget: float, *, adopted: bool = False) -> Iterator[Verdict]:
    """Settle claim after claim until the next one would cost more than is left of the budget."""
    spent = DEPLOYED.dollars
    for claim in claims:
        hindrance = claim.local if deployment.is_emulated else claim.adopted if adopted else None
        if hindrance:
            yield Verdict(claim, NOT_EXERCISABLE, hindrance)
        elif not deployment.is_local and spent + claim.usage.dollars > budget:
            yield Verdict(claim, NOT_REACHED, f"it would exceed the budget of {budget:.2f} US dollars")
        else:
            spent += claim.usage.dollars
            yield _settle(claim, deployment)


def _settle(claim: Claim, deployment: Deployment) -> Verdict:
    try:
        return Verdict(claim, CONFIRMED, claim.check(deployment))
    except RefutedError as refuted:
        return Verdict(claim, REFUTED, str(refuted))
    except CannotSettleError as missing:
        return Verdict(claim, NOT_EXERCISABLE, str(missing))
    except Exception as error:  # noqa: BLE001 one broken check must not hide the others' results
        traceback.print_exc(file=sys.stderr)
        return Verdict(claim, FAILED, f"{type(error).__name__}: {error}".splitlines()[0][:300])


def report(verdicts: list[Verdict], where: str, left: list[str]) -> str:
    """Return the report as a page of Markdown."""
    counts = {result: sum(each.result == result for each in verdicts) for result in (CONFIRMED, REFUTED, FAILED)}
    summary = (
        f"{counts[CONFIRMED]} claims confirmed, {counts[REFUTED]} refuted, {counts[FAILED]} checks failed, "
        f"{len(verdicts) - sum(counts.values())} not exercised."
    )
    lines = [
        f"# What {where} shows",
        "",
        summary,
        "",
        "| claim | result | what was seen, or why not |",
        "|---|---|---|",
    ]
    lines += [
        f"| {each.claim.says} (`{each.claim.name}`) | **{each.result}** | {_cell(each.seen)} |" for each in verdicts
    ]
    lines += ["", "Left behind: " + ("; ".join(left) if left else "nothing") + ".", ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def is_green(verdicts: list[Verdict]) -> bool:
    """Return whether nothing was refuted, failed or left out for its cost."""
    return all(each.result in {CONFIRMED, NOT_EXERCISABLE} for each in verdicts)

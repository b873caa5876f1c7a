"""Breaks of the store, made on purpose: the simulation must find each of them.

    python -m tests.simulation.mutants NAME     1 and a history when the break is found, 0 when it is not

Each runs in a process of its own, so that nothing else sees a broken store.
"""

# ruff: noqa: E501 what is replaced stands here as it stands in the store

import itertools
import os
import random
import sys
from dataclasses import dataclass

from tests import mutation


@dataclass(frozen=True)
class Mutant(mutation.Mutant):
    """A break, and where it should be found."""

    scenarios: str = "mixed"
    transport: str = "boto3"


MUTANTS: dict[str, Mutant] = {
    "a re-sent push is applied again": Mutant(
        "model.expressions", "    if change.receipt:\n        condition +=", "    if False:\n        condition +="
    ),
    "a closed segment takes more": Mutant("model.expressions", '_SAME_KIND = f"#kind = :kind AND {OPEN}"', '_SAME_KIND = "#kind = :kind"'),
    "a seal does not show": Mutant("model.expressions", 'SEAL = "SET #sealed = :true', 'SEAL = "SET #retired = :true'),
    "an expired head takes more": Mutant(
        "model.expressions",
        'condition += " AND NOT " + EXPIRED\n        values[":now"] = {"N": str(now)}',
        "assert now",
        "expiring",
    ),
    "another chain's head is replaced": Mutant(
        "model.expressions",
        'SAME_CLOSED_HEAD = "#chain = :chain AND #weight >= #capacity"',
        'SAME_CLOSED_HEAD = "#weight >= #capacity AND #chain <> :chain OR #chain = :chain"',
        "expiring",
    ),
    "a reset seals no tail": Mutant("protocol.replace", "return table.transact(head, seal, *others)", "return table.transact(head, *others)"),
    "a delete ignores the chain": Mutant(
        "protocol.replace", "table.delete_request(key, OPEN)", 'table.delete_request(key, f"{OPEN} OR attribute_exists(#run_id)")'
    ),
    "an expired head is removed though renewed": Mutant(
        "protocol.replace", 'f"{OPEN} AND {EXPIRED}", **now', "OPEN", "expiring"
    ),
    "a re-sent set is written anew": Mutant("protocol.replace", "NOT_MINE if set_id else OPEN, **set_id", "OPEN"),
    "an intent points behind the tail": Mutant("protocol.append", '"N": str(target.last_existing)', '"N": str(target.last_existing + 1)'),
    "a resurrected head keeps its dead chain": Mutant("protocol.append", "if head.chain == self.sealed_chain:", "if False:", "lingering"),
    "no intent is written": Mutant("protocol.append", "if head is None or not self.change.digest:", "if True:"),
    "a repeated token's receipt is not looked for": Mutant(
        "protocol.append", "last = segment\n            if (result := self.receipt_in(segment))", "last = segment\n            if (result := None)",
    ),
    "a receipt of a dead chain counts": Mutant(
        "protocol.append", "self.after(self.table.tail(self.key, self.chain, segment.n) if segment.closed else segment)", "pass", "lingering"
    ),
    "a token trusts what is remembered": Mutant("protocol.append", "head.chain != self.chain or head.expired", "head.expired", "lingering"),
    "a segment forgets what came before": Mutant(
        "protocol.append", "return _SegmentTarget(tail.n + 1, tail.total) if tail.closed else", 'return _SegmentTarget(tail.n + 1, "0") if tail.closed else'
    ),
    "a tail of another kind is followed": Mutant("protocol.append", "if tail.kind != self.change.kind:", "if False:"),
    "chains share an id": Mutant("model.items", "return secrets.token_urlsafe(9)", 'return "chain-chain1"'),
    "calls share a receipt": Mutant("model.items", "return RECEIPT_PREFIX + secrets.token_urlsafe(6)", 'return "r:receipt1"'),
    "a gap is not noticed": Mutant("protocol.read", "elif segment.n != last.n + 1 or segment.start != last.length:", "elif False:"),
    "a snapshot takes a gap": Mutant("protocol.listing", "if segment.sealed or segment.n != last.n + 1 or (", "if False and ("),
    "a dead chain is read": Mutant(
        "protocol.read", "if current is None or current.chain != head.chain or not current.closed:", "if False:"
    ),
    "reading ignores an expiry": Mutant(
        "protocol.read", "head.expired(clock.now()):\n            return False", "head is None:\n            return False", "expiring"
    ),
    "plain increments are sent again directly": Mutant(
        "aws_api.client", "or (outcome.doubtful and not idempotent) or", "or", transport="direct"
    ),
    "a lost request counts as never sent": Mutant(
        "aws_api.client", "_Failure(str(failure), _RETRY_PAUSE, doubtful=True)", "_Failure(str(failure), _RETRY_PAUSE)", transport="direct"
    ),
    "a failing server counts as idle": Mutant(
        "aws_api.client", "answer.status, body, doubtful=True)", "answer.status, body)", transport="direct"
    ),
    "setdefault overwrites": Mutant("model.expressions", 'NOT_SET = f"attribute_not_exists(#run_id) OR (', 'NOT_SET = f"{OPEN} OR ('),
    "a retried setdefault believes what it finds": Mutant("protocol.replace", "return new if new.set_id and head.set_id == new.set_id else head", "return new"),
    "plain increments are sent again": Mutant("dynamodb.boto3_transport", "if not attempts.idempotent and error is not None:", "if False:"),
    "a completion leaves a page": Mutant("lifecycle.completion", "        for _ in range(_MAX_PASSES):", "        for _ in range(0):", "completing"),
}  # fmt: skip
SLOW = {
    "a snapshot takes a gap",
    "a gap is not noticed",
    "a token trusts what is remembered",
}
MOST_RUNS = 3_000  # random scenarios, until a break must have been found


def search(name: str) -> int:
    """Look for a break until it is found; return 1 for found."""
    mutant = MUTANTS[name]
    mutation.install(mutant)

    # Only now: the package must be imported with its break.
    from tests.simulation import cases, exploration, programs  # noqa: PLC0415
    from tests.simulation.scenario import Scenario, over  # noqa: PLC0415

    exploration.SHRINKING_RUNS = 100  # nobody reads these histories to the end
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}  # for the direct transport
    tally, transport = exploration.Tally(), mutant.transport

    def make(rng: random.Random) -> Scenario:
        scenario: Scenario = getattr(programs, mutant.scenarios)(rng)
        return over(scenario, transport)

    try:
        for case in ("a set under a push", "plain increments"):
            exploration.every_interleaving(over(cases.FAULTY[case], transport), tally)
        for late in cases.LATE.values() if mutant.scenarios == "lingering" else ():
            exploration.every_interleaving(over(late, transport), tally)
        exploration.random_runs(make, 1, MOST_RUNS, tally)
        for case, segment_bytes in itertools.product(cases.SMALL, cases.SEGMENT_BYTES):
            exploration.every_interleaving(over(cases.small(case, segment_bytes), transport), tally)
    except exploration.CounterexampleError as found:
        sys.stdout.write(f"found after {tally.runs} runs: {found}\n")
        return 1
    sys.stdout.write(f"not found in {tally.runs} runs\n")
    return 0


if __name__ == "__main__":
    sys.exit(search(sys.argv[1]))

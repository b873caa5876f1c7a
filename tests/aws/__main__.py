"""`make test-aws`: deploy the store to an account, settle the claims that only AWS can settle, remove everything."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import uuid
from typing import TYPE_CHECKING, Final

from infra.local import LocalStackError
from tests.aws import claims_access, claims_service, claims_store, claims_workflows
from tests.aws.claims import FAILED, REFUTED, Claim, Verdict, estimate, is_green, report, settle
from tests.aws.stacks import PREFIX, ROOT, AwsStack, Deployment, DeploymentError, adopt, local_deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

REPORT: Final = ROOT / ".cache" / "test-aws.md"
INTERRUPTED: Final = 130
# The stack's own deployment is a claim too; it is settled by getting that far.
DEPLOY: Final = Claim(
    "deploy",
    "`sam deploy` deploys the template, and everything can be removed again",
    lambda _: "the stacks were deployed by sam deploy",
    adopted="the stack was there already",
)
ALL: Final = [DEPLOY, *claims_store.CLAIMS, *claims_workflows.CLAIMS, *claims_access.CLAIMS, *claims_service.CLAIMS]


def main() -> int:
    """Run it; return 0 if every claim that could be settled is confirmed and nothing is left behind."""
    options = _options()
    chosen = [claim for claim in ALL if not options.only or claim.name in options.only]
    unknown = set(options.only) - {claim.name for claim in ALL}
    if unknown:
        sys.stderr.write(f"test-aws: ONLY must name claims; got {', '.join(sorted(unknown))}. Known are: ")
        sys.stderr.write(f"{', '.join(claim.name for claim in ALL)}\n")
        return 2
    name = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    is_local = options.endpoint == "local"
    if not is_local:
        cost = estimate(chosen)
        sys.stdout.write(f"Settling {len(chosen)} claims costs about {cost:.2f} US dollars at list prices, ")
        sys.stdout.write(f"the budget is {options.budget:.2f}. Everything made has a name that begins with {name}.\n")
        if cost > options.budget:
            sys.stdout.write("Claims are settled until the budget is reached; BUDGET=... sets another.\n")
    try:
        return _run(options, name, chosen, is_local=is_local)
    except (DeploymentError, LocalStackError) as error:
        sys.stderr.write(f"test-aws: {error}\n")
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-aws", description=__doc__)
    parser.add_argument("--endpoint", default="", choices=["", "local"], help="local: the stack on this machine")
    parser.add_argument("--stack", default="", help="a stack that is there already; it is neither changed nor removed")
    parser.add_argument("--region", default=None)
    parser.add_argument("--budget", type=float, default=1.0, help="US dollars")
    parser.add_argument("--only", nargs="*", default=[], metavar="CLAIM", help="settle these claims alone")
    return parser.parse_args()


def _run(options: argparse.Namespace, name: str, chosen: list[Claim], *, is_local: bool) -> int:
    verdicts: list[Verdict] = []
    left: list[str] = []
    interrupted = False
    signal.signal(signal.SIGTERM, _interrupt)
    with _deployment(options, name, left, is_local=is_local) as deployment:
        try:
            _deploy(deployment, chosen, adopted=bool(options.stack))
            for verdict in settle(chosen, deployment, options.budget, adopted=bool(options.stack)):
                verdicts.append(verdict)
                sys.stdout.write(f"{verdict.result:>20}  {verdict.claim.name}: {verdict.seen}\n")
                sys.stdout.flush()
        except KeyboardInterrupt:
            interrupted = True
            sys.stdout.write("\nInterrupted: removing what was made. A second Ctrl-C would leave it behind.\n")
            sys.stdout.flush()
    page = report(verdicts, "the local stack" if is_local else f"AWS ({name})", left)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(page, "utf-8")
    sys.stdout.write(f"\n{page}\n")
    if interrupted:
        return INTERRUPTED
    passed, failed = _counts(verdicts)
    sys.stdout.write(f"{passed} passed, {failed} failed, {len(verdicts) - passed - failed} skipped\n")
    return 0 if is_green(verdicts) and not left else 1


def _counts(verdicts: list[Verdict]) -> tuple[int, int]:
    failed = sum(each.result in {REFUTED, FAILED} for each in verdicts)
    return sum(each.result == "confirmed" for each in verdicts), failed


def _deploy(deployment: Deployment, chosen: list[Claim], *, adopted: bool) -> None:
    sys.stdout.write(f"Deploying {deployment.name} ...\n")
    sys.stdout.flush()
    if not adopted:
        deployment.deploy_store()
    if {claim.name for claim in chosen} - {claim.name for claim in claims_store.CLAIMS}:
        deployment.deploy_samples()


@contextlib.contextmanager
def _deployment(options: argparse.Namespace, name: str, left: list[str], *, is_local: bool) -> Iterator[Deployment]:
    """Yield what the claims are settled on, and remove what was made for them, also after an interruption."""
    if is_local:
        deployment = local_deployment(name)
    elif options.stack:
        deployment = adopt(options.stack, name, options.region)
    else:
        deployment = Deployment(AwsStack(options.region), name, is_local=False)
        deployment.stack.environment()  # says at once that there are no credentials
    try:
        yield deployment
    finally:
        left += deployment.remove()
        deployment.stack.stop()


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

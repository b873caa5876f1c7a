"""One attempt of a step or a hook, in the state machine and in tests alike."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.errors import InvalidRequestError
from runstore.workflow.errors import PermanentError

if TYPE_CHECKING:
    from typing import Any

    from runstore.workflow.api import StepApi
    from runstore.workflow.base import Workflow

MAX_MESSAGE = 8_000  # characters of an error's text: Step Functions keeps 32,768 of the cause around it


@dataclass(frozen=True, slots=True)
class Failure:
    """What a step raised: the class's name, the text, and whether trying again may help."""

    name: str
    message: str
    permanent: bool


def run_step(workflow: "type[Workflow]", action: str, data: "Any", headers: "Any", api: "StepApi") -> Failure | None:
    """Run a step of a new instance of the class; return what went wrong, if anything."""
    try:
        getattr(workflow(), action)(data, headers, api)
    except Exception as error:
        api.logger.exception("step %s failed in attempt %d", action, api.attempt)
        return failure_of(error)
    return None


def failure_of(error: Exception) -> Failure:
    """Return how an exception is recorded and reported."""
    return Failure(
        type(error).__name__,
        str(error)[:MAX_MESSAGE],
        permanent=isinstance(error, (PermanentError, InvalidRequestError)),
    )

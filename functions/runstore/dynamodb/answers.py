"""A shorter way through botocore for the answers of a Query.

botocore holds every attribute value against each of DynamoDB's ten types, which takes most of the time that a long list
takes to read. The store's items hold no binary values, so the JSON of an answer is its parsed form already. The event
`before-parse` is botocore's place for this; where it is not sent, or the answer is anything but a success in JSON,
botocore parses as ever.
"""

import json
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_OK = 200

# Set while a Query of the store is on its way: other users of the client get their answers as always.
reading: ContextVar[bool] = ContextVar("reading", default=False)


def take_as_it_is(response_dict: "dict[str, Any]", customized_response_dict: "dict[str, Any]", **_: object) -> None:
    """Keep the JSON of a successful answer as the parsed answer. A handler of `before-parse`."""
    if not reading.get() or response_dict["status_code"] != _OK:
        return
    try:
        answer = json.loads(response_dict["body"])
    except ValueError:
        return
    if isinstance(answer, dict):
        customized_response_dict.update(answer)
        response_dict["body"] = b"{}"

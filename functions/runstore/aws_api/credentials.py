"""Credentials as Lambda passes them: in environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from runstore.aws_api.errors import UnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"


class Credentials(NamedTuple):
    """What a request is signed with; `session_token` is "" for a user's own keys."""

    access_key: str
    secret_key: str
    session_token: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Credentials:
        """Read the environment, which a long-lived process may change between two requests.

        An empty AWS_SESSION_TOKEN is none, as for the SDKs. Raises UnusableError, which names the variable and never
        its value.
        """
        environment = os.environ if environment is None else environment
        access_key, secret_key = environment.get(ACCESS_KEY, ""), environment.get(SECRET_KEY, "")
        session_token = environment.get(SESSION_TOKEN, "")
        for name, value in ((ACCESS_KEY, access_key), (SECRET_KEY, secret_key), (SESSION_TOKEN, session_token)):
            if not value and name != SESSION_TOKEN:
                raise UnusableError(f"{name} must be set; it is missing or empty")
            # Anything else could not be sent in a header, or would begin another one.
            if value and not (value.isascii() and value.isprintable() and " " not in value):
                raise UnusableError(f"{name} must be printable ASCII without spaces; it holds other characters")
        return cls(access_key, secret_key, session_token)

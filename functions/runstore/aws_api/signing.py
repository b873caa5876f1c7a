"""AWS Signature Version 4 for requests of the form `POST /`, which is all that AWS's JSON services use."""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstore.aws_api.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """Signs requests to one service in one region; safe between threads."""

    def __init__(self, service: str, region: str) -> None:
        self._scope = f"{region}/{service}/aws4_request"
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def sign(self, headers: Mapping[str, str], body: bytes, credentials: Credentials, now: float) -> dict[str, str]:
        """Return `headers` with those that authenticate the request.

        Args:
            headers: Every header to be signed, `host` among them, under lower-case names.
            body: The request's body.
            credentials: Whose request it is.
            now: The time in epoch seconds.
        """
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        signed = {**headers, "x-amz-date": timestamp}
        if credentials.session_token:
            signed["x-amz-security-token"] = credentials.session_token
        names = sorted(signed)
        canonical_headers = "".join([f"{name}:{' '.join(signed[name].split())}\n" for name in names])
        signed_headers = ";".join(names)
        request = f"POST\n/\n\n{canonical_headers}\n{signed_headers}\n{sha256(body).hexdigest()}"
        date = timestamp[:8]
        scope = f"{date}/{self._scope}"
        text = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key(credentials.secret_key, date), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={signed_headers}, Signature={signature}"
        )
        return signed

    def _key(self, secret_key: str, date: str) -> bytes:
        """Derive the signing key, which holds for a day."""
        known = self._derived  # read once: another thread may replace it
        if known[:2] == (secret_key, date):
            return known[2]
        key = f"AWS4{secret_key}".encode()
        for part in (date, *self._scope.split("/")):
            key = hmac.digest(key, part.encode(), "sha256")
        self._derived = (secret_key, date, key)
        return key

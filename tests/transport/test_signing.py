"""Signatures are botocore's, and those that AWS has published."""

from __future__ import annotations

import datetime as dt
import string
import time
from typing import Any
from unittest import mock

import pytest
from botocore import auth
from botocore import credentials as botocore_credentials
from botocore.awsrequest import AWSRequest
from hypothesis import given
from hypothesis import strategies as st

from runstore.aws_api.credentials import Credentials
from runstore.aws_api.signing import Signer

_ALWAYS = {"host", "x-amz-date", "x-amz-security-token", "authorization", "x-amz-content-sha256"}
_VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))
_names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=20).filter(
    lambda name: name not in _ALWAYS | set(auth.SIGNED_HEADERS_BLACKLIST)
)
_values = st.text(_VISIBLE + " \t", max_size=60)
_secrets = st.text(_VISIBLE, min_size=1, max_size=60)


def _signed_by_botocore(
    headers: dict[str, str], body: bytes, credentials: Credentials, now: int, scope: tuple[str, str]
) -> dict[str, str]:
    request: Any = AWSRequest("POST", f"https://{headers['host']}/", {**headers}, body)
    theirs: Any = botocore_credentials.Credentials(
        credentials.access_key, credentials.secret_key, credentials.session_token or None
    )
    at = dt.datetime.fromtimestamp(now, dt.UTC).replace(tzinfo=None)
    with mock.patch.object(auth, "get_current_datetime", return_value=at):
        auth.SigV4Auth(theirs, *scope).add_auth(request)
    return {name.lower(): str(value) for name, value in request.headers.items()}


@given(
    headers=st.dictionaries(_names, _values, max_size=5),
    host=st.from_regex(r"\A[a-z0-9]{1,20}(\.[a-z]{1,10}){0,3}(:[1-9][0-9]{3})?\Z"),
    body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    access_key=_secrets,
    secret_key=st.lists(_secrets, min_size=1, max_size=2),
    session_token=st.just("") | _secrets,
    times=st.lists(st.integers(0, 4_102_444_800), min_size=1, max_size=3),
    region=st.sampled_from(["eu-central-1", "us-east-1", "cn-north-1"]),
    service=st.sampled_from(["dynamodb", "states"]),
)
def test_a_signature_is_what_botocore_signs(  # noqa: PLR0913 the parts of a signed request
    *,
    headers: dict[str, str],
    host: str,
    body: bytes,
    access_key: str,
    secret_key: list[str],
    session_token: str,
    times: list[int],
    region: str,
    service: str,
) -> None:
    """Any headers, bodies, times and credentials, also one after the other with the same signer."""
    signer = Signer(service, region)
    for now in times:
        for secret in secret_key:
            credentials = Credentials(access_key, secret, session_token)
            unsigned = {**headers, "host": host}
            ours = signer.sign(unsigned, body, credentials, now)
            theirs = _signed_by_botocore(unsigned, body, credentials, now, (service, region))
            assert ours["authorization"] == theirs["authorization"]
            assert ours["x-amz-date"] == theirs["x-amz-date"]
            assert ours.get("x-amz-security-token") == theirs.get("x-amz-security-token")


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system's time zone cannot be changed")
def test_a_signature_has_the_time_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the process believes to be."""
    credentials, now = Credentials("AKIDEXAMPLE", "secret"), 1_700_000_000
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        signed = Signer("dynamodb", "eu-central-1").sign({"host": "h"}, b"", credentials, now)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert signed["x-amz-date"] == "20231114T221320Z"


_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
    "mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0"
    "rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


# Of the suite, the requests of the form `POST /`: the signer makes no others.
@pytest.mark.parametrize(
    ("name", "headers", "body", "token", "signature"),
    [
        ("post-vanilla", {}, b"", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "post-header-key-sort",
            {"my-header1": "value1"},
            b"",
            "",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "post-header-value-case",
            {"my-header1": "VALUE1"},
            b"",
            "",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
        (
            "post-x-www-form-urlencoded",
            {"content-type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "post-sts-header-before",
            {},
            b"",
            _TOKEN,
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ],
)
def test_a_signature_is_the_one_that_aws_published(
    name: str, headers: dict[str, str], body: bytes, token: str, signature: str
) -> None:
    """AWS's Signature Version 4 test suite."""
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    now = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC).timestamp()
    result = Signer("service", "us-east-1").sign({**headers, "host": "example.amazonaws.com"}, body, credentials, now)
    also = ["x-amz-security-token"] if token else []
    names = sorted(["host", "x-amz-date", *headers, *also])
    assert result["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    ), name

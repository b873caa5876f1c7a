"""Whether this process reaches AWS directly or through boto3, and why.

The direct transport serves the usual Lambda function. Everything that it does not know is left to boto3: a needless
boto3 costs time, a wrong direct transport would fail.
"""

from __future__ import annotations

import os
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Literal, NamedTuple

from runstore.aws_api.credentials import ACCESS_KEY, SECRET_KEY
from runstore.aws_api.endpoint import resolve
from runstore.aws_api.errors import UnusableError
from runstore.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstore.aws_api.endpoint import Endpoint, Service

TRANSPORT_VARIABLE = "RUNSTORE_TRANSPORT"
_IN_LAMBDA = "AWS_LAMBDA_RUNTIME_API"
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
_AUTHORITIES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
_FILE_SETTINGS = (
    b"account_id_endpoint_mode",
    b"ca_bundle",
    b"endpoint_url",
    b"use_dualstack_endpoint",
    b"use_fips_endpoint",
)


Name = Literal["boto3", "direct"]
_NAMES: tuple[Name, ...] = ("boto3", "direct")


class TransportChoice(NamedTuple):
    """How requests travel, and the reason in words."""

    name: Name
    reason: str


def choose(service: Service, environment: Mapping[str, str] | None = None) -> TransportChoice:
    """Return how this process should reach `service`.

    RUNSTORE_TRANSPORT decides if it is set. Otherwise the choice is "direct" inside Lambda, and "boto3" elsewhere and
    if the process or its environment has something unusual.

    Raises:
        ConfigurationError: RUNSTORE_TRANSPORT is neither "boto3" nor "direct".
    """
    environment = os.environ if environment is None else environment
    wanted = environment.get(TRANSPORT_VARIABLE, "")
    for name in _NAMES:
        if wanted == name:
            return TransportChoice(name, f"{TRANSPORT_VARIABLE} is {name}")
    if wanted:
        raise ConfigurationError(f"{TRANSPORT_VARIABLE} must be boto3 or direct; got {wanted!r}")
    if not environment.get(_IN_LAMBDA):
        return TransportChoice("boto3", "this process is not a Lambda function")
    unusual = unusual_process() or _unusual_environment(environment)
    if unusual:
        return TransportChoice("boto3", unusual)
    try:
        endpoint = resolve(service, environment)
    except UnusableError as failure:
        return TransportChoice("boto3", str(failure))
    if proxy := _proxy(endpoint, environment):
        return TransportChoice("boto3", f"{proxy} is set")
    return TransportChoice("direct", "this is a Lambda function with credentials in its environment")


def unusual_process() -> str:
    """Return what in this process intercepts boto3's requests; "" if nothing does. Can change at any time."""
    moto = getattr(sys.modules.get("moto.core.models"), "botocore_stubber", None)
    if getattr(moto, "enabled", False):
        return "moto answers requests in this process"
    client = getattr(sys.modules.get("botocore.client"), "BaseClient", None)
    if client is not None:
        call = vars(client).get("_make_api_call")
        # X-Ray's SDK, OpenTelemetry and others wrap this method. Only its type tells a wrapper from what it wraps.
        if type(call) is not FunctionType or call.__module__ != client.__module__:
            return "boto3's requests are traced or replaced in this process"
    session = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    if session is not None and _was_set_up(session):
        return "boto3's default session was set up with its own settings"
    return ""


def _was_set_up(session: object) -> bool:
    """Return whether a boto3 session has more than the environment's settings."""
    core = getattr(session, "_session", None)
    credentials = getattr(core, "_credentials", None)
    variables: dict[str, object] = getattr(core, "instance_variables", dict)()
    return bool(variables) or getattr(credentials, "method", None) == "explicit"


def _unusual_environment(environment: Mapping[str, str]) -> str:
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        return "SnapStart is on, and then credentials are not in environment variables"
    for variable in _CONTAINER:
        if environment.get(variable):
            return f"credentials come from {variable}"
    if not (environment.get(ACCESS_KEY) and environment.get(SECRET_KEY)):
        return f"there are no credentials in {ACCESS_KEY} and {SECRET_KEY}"
    for variable in _AUTHORITIES:
        if environment.get(variable):
            return f"{variable} is set"
    for variable, default in _FILES.items():
        path = os.path.expanduser(environment.get(variable) or default)  # noqa: PTH111 pathlib would be imported for it
        if unusual := _unusual_file(path):
            return unusual
    return ""


def _unusual_file(path: str) -> str:
    """Return the setting of a configuration file that only boto3 supports; "" if there is none."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 the same
            text = file.read()
    except FileNotFoundError:
        return ""
    except OSError as failure:
        return f"{path} cannot be read: {failure}"
    return next((f"{path} has the setting {name.decode()}" for name in _FILE_SETTINGS if name in text), "")


def _proxy(endpoint: Endpoint, environment: Mapping[str, str]) -> str:
    """Return the name of the variable that may send requests through a proxy, if one does.

    As for urllib, and so for botocore, a name in lower case goes first, and NO_PROXY lists hosts and domains.
    """
    excluded = environment.get("no_proxy", environment.get("NO_PROXY", ""))
    for entry in excluded.lower().split(","):
        suffix = entry.strip().lstrip(".")
        if suffix == "*" or (suffix and (f".{endpoint.host}".endswith(f".{suffix}") or suffix == endpoint.authority)):
            return ""
    for name in ("https_proxy", "http_proxy"):
        found = name if name in environment else name.upper()
        if environment.get(found):
            return found
    return ""

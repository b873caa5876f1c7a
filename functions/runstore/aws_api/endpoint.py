"""Where a service is: AWS's address for the region, or the one that environment variables configure."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from runstore.aws_api.errors import UnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS = {"http": 80, "https": 443}

# The partitions whose addresses have one form for every service and whose certificates public authorities sign.
_PARTITIONS = {
    r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+": "amazonaws.com",
    r"us-gov-[a-z]+-\d+": "amazonaws.com",
    r"cn-[a-z]+-\d+": "amazonaws.com.cn",
    r"eusc-de-[a-z]+-\d+": "amazonaws.eu",
}


class Service(NamedTuple):
    """What tells one of AWS's JSON 1.0 services from another."""

    name: str  # in signatures and addresses
    target: str  # begins the X-Amz-Target header
    endpoint_variable: str  # configures its endpoint


DYNAMODB = Service("dynamodb", "DynamoDB_20120810", "AWS_ENDPOINT_URL_DYNAMODB")
STEP_FUNCTIONS = Service("states", "AWSStepFunctions", "AWS_ENDPOINT_URL_SFN")


class Endpoint(NamedTuple):
    """A server that speaks for a service in a region."""

    scheme: str
    host: str
    port: int
    region: str

    @property
    def authority(self) -> str:
        """Return the Host header: without the port that the scheme implies."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def resolve(service: Service, environment: Mapping[str, str] | None = None) -> Endpoint:
    """Return where requests to `service` go.

    The region comes from AWS_DEFAULT_REGION, as for boto3, else from AWS_REGION. An endpoint comes from the service's
    own variable, else from AWS_ENDPOINT_URL, unless AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true.

    Raises:
        UnusableError: There is no region, AWS's address for it is not known, or the configured endpoint is not plain
            `http(s)://host[:port]`.
    """
    environment = os.environ if environment is None else environment
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION")
    if not region:
        raise UnusableError("AWS_REGION must be set to a region such as eu-central-1; it is missing or empty")
    for variable in _endpoint_variables(service, environment):
        if url := environment.get(variable):
            return _parse(url, variable, region)
    _refuse_variants(environment)
    for pattern, suffix in _PARTITIONS.items():
        if re.fullmatch(pattern, region):
            return Endpoint("https", f"{service.name}.{region}.{suffix}", _PORTS["https"], region)
    raise UnusableError(f"AWS_REGION must be a region of a known AWS partition; got {region!r}")


def is_true(environment: Mapping[str, str], variable: str) -> bool:
    """Return whether a variable is "true", in any case, as the SDKs read it."""
    return environment.get(variable, "").strip().lower() == "true"


def _endpoint_variables(service: Service, environment: Mapping[str, str]) -> tuple[str, ...]:
    if is_true(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return ()
    return service.endpoint_variable, "AWS_ENDPOINT_URL"


def _refuse_variants(environment: Mapping[str, str]) -> None:
    """Refuse what asks for another form of AWS's addresses; with an endpoint of one's own they mean nothing."""
    for variable in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
        if is_true(environment, variable):
            raise UnusableError(f"{variable} must not be true; only boto3 supports those endpoints")
    mode = environment.get("AWS_ACCOUNT_ID_ENDPOINT_MODE", "").strip().lower()
    if mode not in {"", "disabled"} or (mode != "disabled" and environment.get("AWS_ACCOUNT_ID")):
        raise UnusableError("account-id endpoints must be disabled; only boto3 supports them")


def _parse(url: str, variable: str, region: str) -> Endpoint:
    wanted = f"{variable} must have the form http(s)://host[:port]; got {url!r}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as failure:
        raise UnusableError(wanted) from failure
    plain = parts.path in {"", "/"} and not parts.query and not parts.fragment and "@" not in parts.netloc
    if parts.scheme not in _PORTS or not host or not plain or not re.fullmatch(r"[a-z0-9:_][a-z0-9.:_-]*", host):
        raise UnusableError(wanted)
    return Endpoint(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, region)

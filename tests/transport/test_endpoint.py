"""Requests go where botocore would send them."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import urlsplit

import botocore.session
import pytest

from runstore.aws_api.endpoint import DYNAMODB, STEP_FUNCTIONS, Service, resolve
from runstore.aws_api.errors import UnusableError

_SESSION = botocore.session.Session()
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-eusc")
_REGIONS = [
    region
    for partition in _PARTITIONS
    for region in _SESSION.get_available_regions("dynamodb", partition_name=partition)
    if region != "local"
]
_CLIENTS = {DYNAMODB: "dynamodb", STEP_FUNCTIONS: "stepfunctions"}


def _of_botocore(service: Service, region: str | None = None) -> str:
    session = botocore.session.Session() if region is None else _SESSION
    with closing(session.create_client(_CLIENTS[service], region_name=region)) as client:
        url: str = client.meta.endpoint_url
    return url


@pytest.mark.parametrize("service", _CLIENTS, ids=_CLIENTS.values())
def test_a_region_has_its_address(service: Service) -> None:
    """Of every region of the known partitions, the address that botocore finds."""
    for region in _REGIONS:
        endpoint = resolve(service, {"AWS_REGION": region})
        assert (endpoint.scheme, endpoint.port, endpoint.region) == ("https", 443, region)
        assert endpoint.host == endpoint.authority
        assert f"https://{endpoint.host}" == _of_botocore(service, region)


def test_there_are_regions_to_compare() -> None:
    """Else the test above would hold nothing."""
    assert len(_REGIONS) > 30
    assert {"eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1"} <= set(_REGIONS)


URL, SERVICE, IGNORE = "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {URL: "http://global:1"},
        {SERVICE: "http://own:2"},
        {URL: "http://global:1", SERVICE: "http://own:2"},
        {URL: "http://global:1", SERVICE: ""},
        {URL: "http://global:1", SERVICE: "http://own:2", IGNORE: "true"},
        {URL: "http://global:1", SERVICE: "http://own:2", IGNORE: "True"},
        {URL: "http://global:1", SERVICE: "http://own:2", IGNORE: "false"},
        {URL: "http://global:1", "AWS_ENDPOINT_URL_SFN": "http://other:3"},
        {SERVICE: "https://OWN.example:443"},
        {SERVICE: "http://[::1]:8000"},
        {SERVICE: "http://own:80/"},
        {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-central-1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("service", [DYNAMODB, STEP_FUNCTIONS], ids=lambda service: service.name)
def test_variables_count_as_for_botocore(
    monkeypatch: pytest.MonkeyPatch, service: Service, environment: dict[str, str]
) -> None:
    """A service's own address, the one for all, and the switch that ignores both."""
    for name, value in ({"AWS_DEFAULT_REGION": "eu-central-1"} | environment).items():
        monkeypatch.setenv(name, value)
    theirs = urlsplit(_of_botocore(service))
    ours = resolve(service)
    ports = {"http": 80, "https": 443}
    assert (ours.scheme, ours.host, ours.port) == (
        theirs.scheme,
        theirs.hostname,
        theirs.port or ports[theirs.scheme],
    )


@pytest.mark.parametrize(
    "url",
    [
        "own.example",
        "ftp://own.example",
        "https://",
        "https://own.example/path",
        "https://own.example?query",
        "https://user:password@own.example",
        "https://.own.example",
        "https://own.example:port",
        "https://own.example:70000",
        "https://ow\tn ex.ample",
        "http://ünicode.example",
    ],
)
def test_an_address_that_is_not_plain_is_refused(url: str) -> None:
    """With the variable's name and the form that it must have."""
    with pytest.raises(UnusableError, match=r"AWS_ENDPOINT_URL must have the form http\(s\)://host\[:port\]"):
        resolve(DYNAMODB, {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": url})


def test_an_authority_names_a_port_of_its_own() -> None:
    """The Host header as botocore writes it."""
    for url, authority in [
        ("http://own:80", "own"),
        ("http://own:8000", "own:8000"),
        ("https://own:443", "own"),
        ("https://own:80", "own:80"),
        ("http://[::1]:8000", "[::1]:8000"),
    ]:
        endpoint = resolve(DYNAMODB, {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": url})
        assert endpoint.authority == authority

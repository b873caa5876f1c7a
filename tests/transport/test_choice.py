"""Direct inside an ordinary Lambda function, boto3 wherever anything is unusual, and RUNSTORE_TRANSPORT above all."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from runstore.aws_api.choice import choose
from runstore.aws_api.endpoint import DYNAMODB
from runstore.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

LAMBDA = {
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@pytest.fixture(autouse=True)
def _no_default_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have made of boto3's default session says nothing here."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def test_an_ordinary_function_is_direct() -> None:
    """As the functions of the stack are."""
    name, reason = choose(DYNAMODB, LAMBDA)
    assert name == "direct"
    assert "Lambda" in reason


LOCAL = {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"}


@pytest.mark.parametrize(
    "also",
    [
        LOCAL,
        {"AWS_ENDPOINT_URL": "https://dynamodb.example:8443/"},
        {**LOCAL, "AWS_ACCOUNT_ID": "123456789012"},  # as SAM local sets it; no account has a local endpoint
        {"AWS_ACCOUNT_ID": "123456789012", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"},
        {"AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "false"},
        {"AWS_SESSION_TOKEN": ""},
        {"AWS_REGION": "cn-north-1", "AWS_DEFAULT_REGION": "cn-north-1"},
        {"AWS_REGION": "us-gov-west-1", "AWS_DEFAULT_REGION": "us-gov-west-1"},
        {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.com, .amazonaws.com"},
        {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "dynamodb.eu-central-1.amazonaws.com"},
        {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"},
        {"HTTPS_PROXY": "http://proxy:3128", "https_proxy": ""},
        {**LOCAL, "HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "127.0.0.1:8000"},
        {"RUNSTORE_TRANSPORT": ""},
    ],
    ids=str,
)
def test_it_stays_direct(also: dict[str, str]) -> None:
    """What changes nothing about the way to DynamoDB."""
    assert choose(DYNAMODB, LAMBDA | also).name == "direct"


@pytest.mark.parametrize(
    ("also", "reason"),
    [
        ({"AWS_LAMBDA_RUNTIME_API": ""}, "not a Lambda function"),
        ({"AWS_ACCESS_KEY_ID": ""}, "no credentials"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "no credentials"),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}, "SnapStart"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}, "FULL_URI"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2"}, "RELATIVE_URI"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "HTTPS_PROXY is set"),
        ({"https_proxy": "http://proxy:3128"}, "https_proxy is set"),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "aws.com,amazonaws.com.cn"}, "HTTPS_PROXY is set"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "HTTP_PROXY is set"),
        ({**LOCAL, "HTTP_PROXY": "http://proxy:3128"}, "HTTP_PROXY is set"),
        ({"AWS_CA_BUNDLE": "/etc/ca.pem"}, "AWS_CA_BUNDLE is set"),
        ({"REQUESTS_CA_BUNDLE": "/etc/ca.pem"}, "REQUESTS_CA_BUNDLE is set"),  # botocore follows it
        ({"SSL_CERT_FILE": "/etc/ca.pem"}, "SSL_CERT_FILE is set"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "AWS_USE_FIPS_ENDPOINT"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "TRUE"}, "AWS_USE_DUALSTACK_ENDPOINT"),
        ({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"}, "account-id"),
        ({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "preferred"}, "account-id"),
        ({"AWS_ACCOUNT_ID": "123456789012"}, "account-id"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "AWS_REGION"),
        ({"AWS_DEFAULT_REGION": "us-iso-east-1"}, "known AWS partition"),
        ({"AWS_DEFAULT_REGION": "local"}, "known AWS partition"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "https://example.com/dynamodb"}, "AWS_ENDPOINT_URL_DYNAMODB"),
        ({"AWS_ENDPOINT_URL": "ftp://example.com"}, "AWS_ENDPOINT_URL"),
    ],
    ids=str,
)
def test_the_unusual_is_boto3s(also: dict[str, str], reason: str) -> None:
    """And the reason names it."""
    choice = choose(DYNAMODB, LAMBDA | also)
    assert choice.name == "boto3"
    assert reason in choice.reason


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[default]\nregion = eu-west-1\n", "direct"),
        ("[default]\nendpoint_url = http://localhost:8000\n", "boto3"),
        ("[services local]\ndynamodb =\n  endpoint_url = http://localhost:8000\n", "boto3"),
        ("[default]\nca_bundle = /etc/ca.pem\n", "boto3"),
        ("[default]\nuse_fips_endpoint = true\n", "boto3"),
        ("[default]\nuse_dualstack_endpoint = true\n", "boto3"),
        ("[default]\naccount_id_endpoint_mode = required\n", "boto3"),
    ],
)
def test_a_configuration_file_counts_if_it_says_where_to_go(
    tmp_path: Path, variable: str, text: str, name: str
) -> None:
    """The direct transport reads no such file."""
    path = tmp_path / "config"
    path.write_text(text)
    assert choose(DYNAMODB, LAMBDA | {variable: str(path)}).name == name
    assert choose(DYNAMODB, LAMBDA | {variable: str(tmp_path / "missing")}).name == "direct"
    assert choose(DYNAMODB, LAMBDA | {variable: str(tmp_path)}).name == "boto3"  # cannot be read


def test_the_default_configuration_file_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the home folder, as for boto3."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    environment = {**LAMBDA, "AWS_CONFIG_FILE": ""}
    assert choose(DYNAMODB, environment).name == "direct"
    (tmp_path / ".aws" / "config").write_text("[default]\nendpoint_url = http://localhost:8000\n")
    assert choose(DYNAMODB, environment).name == "boto3"


@pytest.mark.parametrize("name", ["boto3", "direct"])
def test_the_variable_decides(name: str) -> None:
    """Whatever else speaks for the other one."""
    for environment in ({}, LAMBDA, {**LAMBDA, "HTTPS_PROXY": "http://proxy:3128"}):
        choice = choose(DYNAMODB, {**environment, "RUNSTORE_TRANSPORT": name})
        assert choice == (name, f"RUNSTORE_TRANSPORT is {name}")


@pytest.mark.parametrize("value", ["Boto3", "direct ", "http", "1"])
def test_a_bad_variable_is_named(value: str) -> None:
    """With what it must be and what it is."""
    with pytest.raises(ConfigurationError, match=f"RUNSTORE_TRANSPORT must be boto3 or direct; got '{value}'"):
        choose(DYNAMODB, {"RUNSTORE_TRANSPORT": value})


def test_moto_gets_the_requests_while_it_is_active() -> None:
    """And only then; that it is imported says nothing."""
    assert choose(DYNAMODB, LAMBDA).name == "direct"
    with mock_aws():
        assert "moto" in choose(DYNAMODB, LAMBDA).reason
    assert choose(DYNAMODB, LAMBDA).name == "direct"


def _wrapper(wrapped: Any) -> Any:
    """Return what tracers put in place of a method: an object that passes for it in all but its type."""

    class Proxy:
        __class__ = types.FunctionType  # type: ignore[assignment]  # passes for it
        __module__ = wrapped.__module__
        __wrapped__ = wrapped

        def __call__(self, *arguments: object, **named: object) -> object:
            return wrapped(*arguments, **named)

    return Proxy()


def test_whoever_traces_boto3_sees_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Ray's SDK, OpenTelemetry and the like wrap one method of botocore; so do many tests."""
    monkeypatch.setattr(BaseClient, "_make_api_call", _wrapper(vars(BaseClient)["_make_api_call"]))
    assert "traced" in choose(DYNAMODB, LAMBDA).reason
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda *_: {})
    assert choose(DYNAMODB, LAMBDA).name == "boto3"


def test_a_default_session_that_was_set_up_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one that boto3 made by itself for some client."""
    for name, value in LAMBDA.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").close()
    assert choose(DYNAMODB, LAMBDA).name == "direct"
    boto3.setup_default_session(region_name="eu-west-1")
    assert "default session" in choose(DYNAMODB, LAMBDA).reason
    boto3.setup_default_session(aws_access_key_id="other", aws_secret_access_key="other")
    assert "default session" in choose(DYNAMODB, LAMBDA).reason

"""Who cannot prove to be the server is refused, before any request."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import botocore
import pytest

from runstore.aws_api import tls
from runstore.aws_api.client import JsonClient
from runstore.aws_api.endpoint import DYNAMODB, resolve
from runstore.aws_api.errors import ApiError, UnusableError
from tests.transport.answers import ITEM, OK, resets, says, success
from tests.transport.certificates import DAY, NOW, Authority
from tests.transport.servers import HOST, Server, ipv6, serving

if TYPE_CHECKING:
    from pathlib import Path

ClientOf = Callable[[Server], JsonClient]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that nobody trusts yet."""
    return Authority.new(tmp_path)


@pytest.fixture
def trusting(authority: Authority, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> ClientOf:
    """Make a client that trusts the authority."""

    def make(server: Server) -> JsonClient:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
        return client_of(server)

    return make


def test_a_server_with_a_good_certificate_is_believed(authority: Authority, trusting: ClientOf) -> None:
    """And its connection is kept, although TLS brings bytes of its own that nobody asked for."""
    with serving(OK, tls=authority.server()) as server:
        client = trusting(server)
        for idempotent in (False, True, False):
            assert client.call("UpdateItem", {}, idempotent=idempotent) == {"Attributes": ITEM}
        assert server.connections == 1


def test_a_large_answer_arrives_over_tls(authority: Authority, trusting: ClientOf) -> None:
    """In many records."""
    page = {"Items": [{"value": {"S": "x" * 4_000}}] * 300}
    with serving(says(success(page)), tls=authority.server()) as server:
        assert trusting(server).call("Query", {}, idempotent=True) == page


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong host", "not valid for"),
        ("expired", "expired"),
        ("not yet valid", "not yet valid"),
        ("self-signed", "self.signed"),
        ("unknown authority", "unable to get local issuer"),
    ],
)
def test_a_server_that_cannot_prove_who_it_is_gets_no_request(  # noqa: PLR0913 the fixtures of a fault
    *,
    authority: Authority,
    trusting: ClientOf,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    fault: str,
    reason: str,
) -> None:
    """It is not asked again, and nothing has happened."""
    made: dict[str, Callable[[], ssl.SSLContext]] = {
        "wrong host": lambda: authority.server("dynamodb.eu-central-1.amazonaws.com"),
        "expired": lambda: authority.server(valid=(NOW - 2 * DAY, NOW - DAY)),
        "not yet valid": lambda: authority.server(valid=(NOW + DAY, NOW + 2 * DAY)),
        "self-signed": lambda: authority.server(self_signed=True),
        "unknown authority": authority.server,
    }
    context = made[fault]()
    with serving(OK, tls=context) as server:
        client = trusting(server)
        if fault == "unknown authority":
            monkeypatch.setenv("AWS_CA_BUNDLE", "")
            client = client_of(server)
        with pytest.raises(ApiError, match=reason) as caught:
            client.call("UpdateItem", {}, idempotent=True)
        assert caught.value.unusable
        assert not caught.value.may_have_happened
        assert server.connections == 1
        assert not server.requests
    assert not pauses


def test_a_server_without_tls_gets_no_request(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it answers is no handshake."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    with serving(OK) as server:
        url = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": f"https://{HOST}:{server.port}"}
        client = JsonClient(DYNAMODB, resolve(DYNAMODB, url))
        monkeypatch.setattr("runstore.aws_api.connections._HANDSHAKE_SECONDS", 0.1)
        with pytest.raises(ApiError, match="no TLS connection") as caught:
            client.call("UpdateItem", {}, idempotent=False)
        assert not caught.value.may_have_happened
        assert not server.requests


def test_bytes_that_tls_holds_back_are_nobodys_answer(authority: Authority, trusting: ClientOf) -> None:
    """They came in one record with the end of an answer, so the socket itself has nothing to read."""
    page, stray = {"Items": [{"value": {"S": "x" * 20_000}}]}, success({"stray": 1})
    with serving(says(success(page) + stray), OK, tls=authority.server()) as server:
        client = trusting(server)
        assert client.call("Query", {}, idempotent=True) == page
        assert client.call("UpdateItem", {}, idempotent=False) == {"Attributes": ITEM}
        assert server.connections == 2


def test_an_address_of_ipv6_has_a_certificate_too(authority: Authority, trusting: ClientOf) -> None:
    """For the address itself."""
    host = ipv6()
    with serving(OK, tls=authority.server(host), host=host) as server:
        assert trusting(server).call("UpdateItem", {}, idempotent=False) == {"Attributes": ITEM}
    with serving(OK, tls=authority.server("::2"), host=host) as server:
        with pytest.raises(ApiError, match="not valid for"):
            trusting(server).call("UpdateItem", {}, idempotent=False)
        assert not server.requests


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_fork_says_no_good_bye_for_its_parent(authority: Authority, trusting: ClientOf) -> None:
    """It closes its copy of the parent's connection without TLS's last message, and opens its own."""
    with serving(OK, tls=authority.server()) as server:
        client = trusting(server)
        client.call("UpdateItem", {}, idempotent=False)
        child = os.fork()
        if child == 0:
            try:
                client.call("UpdateItem", {}, idempotent=False)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        client.call("UpdateItem", {}, idempotent=False)
        assert [request.connection for request in server.requests] == [1, 2, 1]


@pytest.mark.parametrize("length", [0, 1, 17, 60, 120, -1])
def test_an_answer_cut_inside_tls_is_no_success(authority: Authority, trusting: ClientOf, length: int) -> None:
    """The connection ends without TLS's own good-bye: an attacker could do that."""
    with serving(says(success()[:length], stays=False), tls=authority.server()) as server:
        with pytest.raises(ApiError) as caught:
            trusting(server).call("UpdateItem", {}, idempotent=False)
        assert caught.value.may_have_happened
        assert len(server.requests) == 1


def test_a_reset_inside_tls_is_repeated(authority: Authority, trusting: ClientOf) -> None:
    """Where that is safe."""
    with serving(resets(success()[:50]), OK, tls=authority.server()) as server:
        assert trusting(server).call("UpdateItem", {}, idempotent=True) == {"Attributes": ITEM}
        assert len(server.requests) == 2


def test_old_protocols_are_refused(authority: Authority, trusting: ClientOf) -> None:
    """TLS 1.2 at the least."""
    context = authority.server()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(OK, tls=context) as server:
        with pytest.raises(ApiError, match="no TLS connection"):
            trusting(server).call("UpdateItem", {}, idempotent=True)
        assert not server.requests


def test_without_a_system_store_botocores_bundle_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its path; and without botocore there is nobody to trust, which is an error."""
    nowhere = ssl.DefaultVerifyPaths("", "", "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: pytest.fail("the system has no store"))
    trusted = {tuple(map(str, each["subject"])) for each in tls.new_context().get_ca_certs()}
    expected = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    expected.load_verify_locations(os.path.join(os.path.dirname(botocore.__file__), "cacert.pem"))  # noqa: PTH118, PTH120 as a text
    assert trusted
    assert trusted == {tuple(map(str, each["subject"])) for each in expected.get_ca_certs()}
    monkeypatch.setattr(tls, "find_spec", lambda _: None)
    with pytest.raises(UnusableError, match="certificate authorities"):
        tls.new_context()
    with pytest.raises(UnusableError, match=r"missing\.pem"):
        tls.new_context(str(tmp_path / "missing.pem"))

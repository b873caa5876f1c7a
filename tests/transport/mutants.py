"""Breaks of the direct transport and of the choice, made on purpose: each must be found by a test beside this file.

python -m tests.transport.mutants NAME     1 when its tests find the break, 0 when they do not
"""

# ruff: noqa: E501 what is replaced stands here as it stands in the package

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import mutation


@dataclass(frozen=True)
class Mutant(mutation.Mutant):
    """A break, and the tests that should find it."""

    tests: str


_FINAL = "_RETRY_PAUSE if code in _IN_PROGRESS else None"
_UNUSUAL = "        if environment.get(variable):\n            return f"

MUTANTS: dict[str, Mutant] = {
    # ------------------------------------------------------------------ the signature
    "headers are signed in any order": Mutant("aws_api.signing", "names = sorted(signed)", "names = list(signed)", "signing"),
    "an empty session token is sent": Mutant("aws_api.signing", "if credentials.session_token:", "if True:", "signing"),
    "a session token is not signed": Mutant("aws_api.signing", "names = sorted(signed)", 'names = sorted(signed.keys() - {"x-amz-security-token"})', "signing"),
    "the canonical request has no query": Mutant("aws_api.signing", 'f"POST\\n/\\n\\n{', 'f"POST\\n/\\n{', "signing"),
    "the payload is not signed": Mutant("aws_api.signing", "{sha256(body).hexdigest()}", "UNSIGNED-PAYLOAD", "signing"),
    "spaces in a header are signed": Mutant("aws_api.signing", "{' '.join(signed[name].split())}", "{signed[name]}", "signing"),
    "a key outlives its day": Mutant("aws_api.signing", "known[:2] == (secret_key, date)", "known[0] == secret_key", "signing"),
    "a key outlives its secret": Mutant("aws_api.signing", "known[:2] == (secret_key, date)", "known[1] == date", "signing"),
    "the time is local": Mutant("aws_api.signing", "time.gmtime(now)", "time.localtime(now)", "signing"),
    # ------------------------------------------------------------------ credentials
    "credentials are read once": Mutant("aws_api.client", "Credentials.from_environment()", 'self.__dict__.setdefault("kept", Credentials.from_environment())', "retries"),
    "a secret may break a header": Mutant("aws_api.credentials", "value.isascii() and value.isprintable()", "value.isascii()", "retries"),
    "a secret may hold a space": Mutant("aws_api.credentials", ' and " " not in value', "", "retries"),
    "a trace may break a header": Mutant("aws_api.client", " and trace.isprintable()", "", "retries"),
    "a trace is sent from anywhere": Mutant("aws_api.client", ' or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ', "", "retries"),
    # ------------------------------------------------------------------ idle connections
    "the monotonic clock does not count": Mutant("aws_api.connections", "max(clock.elapsed() - self._monotonic, wall if", "max(0.0, wall if", "connections"),
    "the wall clock does not count": Mutant("aws_api.connections", 'wall if wall >= 0 else float("inf"))', "0.0)", "connections"),
    "a clock that was set back is believed": Mutant("aws_api.connections", 'wall if wall >= 0 else float("inf"))', "wall)", "connections"),
    "an increment uses an old connection": Mutant("aws_api.connections", "_MAX_IDLE_SECONDS if repeatable else _MAX_IDLE_SECONDS_UNREPEATABLE", "_MAX_IDLE_SECONDS", "connections"),
    "a read uses no old connection": Mutant("aws_api.connections", "_MAX_IDLE_SECONDS if repeatable else _MAX_IDLE_SECONDS_UNREPEATABLE", "_MAX_IDLE_SECONDS_UNREPEATABLE", "connections"),
    "an increment closes what a read could use": Mutant("aws_api.connections", "if max_idle <= age < _MAX_IDLE_SECONDS:", "if False:", "connections"),
    "a good-bye is not noticed": Mutant("aws_api.connections", " and not connection.is_readable()", "", "connections"),
    "bytes inside TLS are not noticed": Mutant("aws_api.connections", "isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()", "False", "tls"),
    "a failed connection is kept": Mutant("aws_api.connections", "        keep = False\n", "        keep = True\n", "sharing"),
    "the other idle connections are believed": Mutant("aws_api.connections", "if reused:", "if False:", "connections"),
    "idle connections have no limit": Mutant("aws_api.connections", "_MAX_IDLE_CONNECTIONS = 16", "_MAX_IDLE_CONNECTIONS = 1_000", "connections"),
    "the newest connection is closed first": Mutant("aws_api.connections", "self._pop(0)", "self._pop()", "connections"),
    "a connection that ends is kept": Mutant("aws_api.exchange", '"close" in head.headers.get("connection", "").lower() or ', "", "connections"),
    "a connection of HTTP/1.0 is kept": Mutant("aws_api.exchange", 'head.version == "HTTP/1.0" or ', "", "connections"),
    "bytes after an answer are forgotten": Mutant("aws_api.exchange", " or reader.has_more()", "", "broken_answers"),
    "a broken connection stays open": Mutant("aws_api.connections", "            else:\n                connection.close()", "            else:\n                pass", "connections"),
    "a refused connection leaves its socket": Mutant("aws_api.connections", "                sock.close()\n                if not", "                if not", "connecting"),
    "a fork shares connections": Mutant("aws_api.connections", "os.register_at_fork(after_in_child=_after_fork)", "pass", "sharing"),
    # ------------------------------------------------------------------ who the server is
    "any certificate is believed": Mutant("aws_api.tls", '    context.set_alpn_protocols(["http/1.1"])\n', "    context.check_hostname = False\n    context.verify_mode = ssl.CERT_NONE\n", "tls"),
    "any host name is believed": Mutant("aws_api.tls", '    context.set_alpn_protocols(["http/1.1"])\n', "    context.check_hostname = False\n", "tls"),
    "an untrusted server is asked again": Mutant("aws_api.client", "        except UntrustedServerError as failure:\n            return _Failure(str(failure), None", "        except UntrustedServerError as failure:\n            return _Failure(str(failure), _RETRY_PAUSE", "tls"),
    "an image without a store trusts nobody": Mutant("aws_api.tls", "if not bundle and not _has_system_store():", "if False:", "tls"),
    "AWS_CA_BUNDLE does not count": Mutant("aws_api.connections", 'os.environ.get("AWS_CA_BUNDLE", "")', '""', "tls"),
    # ------------------------------------------------------------------ whether an answer is whole
    "cut headers are whole": Mutant(
        "aws_api.exchange",
        "            if not received:\n                raise _cut()\n            self._data += received",
        "            if not received:\n                found, self._data = self._data, b''\n                return found\n            self._data += received",
        "broken_answers",
    ),
    "a cut body is whole": Mutant("aws_api.exchange", "                if not received:\n                    raise _cut()", "                if not received:\n                    return bytes(view[:filled])", "broken_answers"),
    "a wrong checksum is believed": Mutant("aws_api.client", "if expected is not None and expected != str(crc32(answer.body)):", "if False:", "broken_answers"),
    "lengths may differ": Mutant("aws_api.exchange", " or (differs and name in _FRAMING)", "", "broken_answers"),
    "a space may hide a header": Mutant("aws_api.exchange", "or name != name.strip() ", "", "broken_answers"),
    "a length beside chunks is believed": Mutant("aws_api.exchange", ' or "content-length" in headers', "", "broken_answers"),
    "any transfer encoding is chunked": Mutant("aws_api.exchange", 'encoding.lower() != "chunked" or', "", "broken_answers"),
    "a chunk may be longer than it says": Mutant("aws_api.exchange", 'reader.exactly(2) != b"\\r\\n" or', 'reader.exactly(2) == b"" or', "broken_answers"),
    "trailers stay behind": Mutant("aws_api.exchange", 'while reader.until(b"\\r\\n"):', "while False:", "broken_answers"),
    "a body ends with its connection": Mutant("aws_api.exchange", 'headers.get("content-length", "")', 'headers.get("content-length", "2")', "broken_answers"),
    "a length may have a sign": Mutant("aws_api.exchange", " if text.isalnum() and text.isascii() else -1", "", "broken_answers"),
    "a length has no limit": Mutant("aws_api.exchange", "if not 0 <= size <= _MAX_BODY_BYTES:", "if not 0 <= size:", "broken_answers"),
    "headers have no limit": Mutant("aws_api.exchange", "if len(self._data) > _MAX_HEAD_BYTES:", "if False:", "broken_answers"),
    "any version is HTTP": Mutant("aws_api.exchange", 'version not in {"HTTP/1.1", "HTTP/1.0"} or ', "", "broken_answers"),
    "a status has any length": Mutant("aws_api.exchange", ' and rest[3:4] in {"", " "}', "", "broken_answers"),
    "an interim answer is the answer": Mutant("aws_api.exchange", "while head.status < _FIRST_FINAL_STATUS:", "while False:", "broken_answers"),
    "a compressed answer is parsed": Mutant("aws_api.client", 'if answer.headers.get("content-encoding", "identity") != "identity":', "if False:", "broken_answers"),
    "any JSON is an answer": Mutant("aws_api.client", "return body if isinstance(body, dict) else None", "return body", "broken_answers"),
    "any success is a success": Mutant("aws_api.client", "if answer.status == _OK and", "if answer.status < 300 and", "broken_answers"),
    "a refusal needs no code": Mutant("aws_api.client", "if body is None or not code:", "if body is None:", "broken_answers"),
    "an answer may lack what it always has": Mutant("aws_api.client", "if accept(outcome):", "if True:", "direct"),
    # ------------------------------------------------------------------ what may have happened, and is it sent again
    "an increment is sent again": Mutant("aws_api.client", "or (outcome.doubtful and not idempotent) or", "or", "broken_answers"),
    "a failing server had no effect": Mutant("aws_api.client", "answer.status, body, doubtful=True)", "answer.status, body)", "broken_answers"),
    "a lost answer had no effect": Mutant("aws_api.client", "_Failure(str(failure), _RETRY_PAUSE, doubtful=True)", "_Failure(str(failure), _RETRY_PAUSE)", "broken_answers"),
    "an earlier doubt is forgotten": Mutant("aws_api.client", "doubtful |= outcome.doubtful", "doubtful = outcome.doubtful", "retries"),
    "an earlier doubt is unusable": Mutant("aws_api.client", "unusable=outcome.unusable and not doubtful", "unusable=outcome.unusable", "retries"),
    "what was never sent may have happened": Mutant("aws_api.client", "_Failure(str(failure), _RETRY_PAUSE)\n", "_Failure(str(failure), _RETRY_PAUSE, doubtful=True)\n", "retries"),
    "what was never sent is not sent again": Mutant("aws_api.client", "_Failure(str(failure), _RETRY_PAUSE)\n", "_Failure(str(failure), None)\n", "retries"),
    "a refusal is sent again": Mutant("aws_api.client", _FINAL, "_RETRY_PAUSE", "retries"),
    "a transaction under way is refused": Mutant("aws_api.client", _FINAL, "None", "direct"),
    **{
        f"{code} is final": Mutant("aws_api.errors", f'        "{code}",\n', "", "retries")
        for code in (
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottledException",
            "Throttling",
            "ThrottlingError",
            "ThrottlingException",
            "TooManyRequestsException",
        )
    },
    "there is a fifth attempt": Mutant("aws_api.client", "_MAX_ATTEMPTS = 4", "_MAX_ATTEMPTS = 5", "retries"),
    "pauses have no jitter": Mutant("aws_api.client", "random.uniform(0, failure.pause * 2 ** (attempt - 1))", "failure.pause * 2 ** (attempt - 1) + random.uniform(0, 0)", "retries"),
    "pauses do not grow": Mutant("aws_api.client", "failure.pause * 2 ** (attempt - 1)", "failure.pause", "retries"),
    "throttling pauses are short": Mutant("aws_api.client", "_THROTTLE_PAUSE if code in THROTTLED", "_RETRY_PAUSE if code in THROTTLED", "retries"),
    # ------------------------------------------------------------------ time
    "a pause outlasts the caller": Mutant("aws_api.client", "if seconds >= seconds_left():", "if False:", "retries"),
    "an answer outlasts the caller": Mutant("aws_api.client", "min(_ATTEMPT_SECONDS, seconds_left())", "_ATTEMPT_SECONDS", "broken_answers"),
    "an attempt has no limit": Mutant("aws_api.client", "min(_ATTEMPT_SECONDS, seconds_left())", "seconds_left()", "broken_answers"),
    "each byte begins the time anew": Mutant("aws_api.exchange", "seconds = min(_READ_SECONDS, self._deadline - clock.elapsed())", "seconds = _READ_SECONDS", "broken_answers"),
    "silence has no limit": Mutant("aws_api.exchange", "seconds = min(_READ_SECONDS, self._deadline - clock.elapsed())", "seconds = self._deadline - clock.elapsed()", "connecting"),
    "each part of a request begins the time anew": Mutant("aws_api.exchange", "        rest = rest[sock.send(rest) :]", "        rest = sock.sendall(rest)", "connecting"),
    "without time something is sent": Mutant("aws_api.exchange", "    try:\n        reader.limit()\n    except", "    try:\n        pass\n    except", "retries"),
    "connecting outlasts the caller": Mutant("aws_api.connections", "seconds = min(longest, deadline - clock.elapsed())", "seconds = longest", "connecting"),
    "only the first address is tried": Mutant("aws_api.connections", "                last = failure\n            else:", "                break\n            else:", "connecting"),
    "a limit is lengthened inside": Mutant("aws_api.time_limit", "_deadline.set(min(_deadline.get(), clock.elapsed() + seconds))", "_deadline.set(clock.elapsed() + seconds)", "retries"),
    "a thread has no limit": Mutant("aws_api.time_limit", "token = _deadline.set(deadline)", "token = _deadline.set(math.inf)", "retries"),
    # ------------------------------------------------------------------ transactions and errors of DynamoDB
    "a transaction has no token": Mutant("dynamodb.direct", '{"ClientRequestToken": os.urandom(16).hex(), **request}', "request", "direct"),
    "a transaction is not sent again": Mutant("dynamodb.direct", "**request}, True", "**request}, idempotent", "direct"),
    "a read may have happened": Mutant("dynamodb.direct", "may_have_happened=write and failure", "may_have_happened=failure", "direct"),
    "a refusal loses its item": Mutant("dynamodb.direct", 'item=failure.body.get("Item")', "item=None", "direct"),
    "a cancellation loses its reasons": Mutant("dynamodb.direct", "reasons=tuple(codes)", "reasons=()", "direct"),
    "missing credentials are an outage": Mutant("dynamodb.direct", "unusable=failure.unusable", "unusable=False", "direct"),
    # ------------------------------------------------------------------ the endpoint
    "FIPS endpoints are the usual ones": Mutant("aws_api.endpoint", '"AWS_USE_FIPS_ENDPOINT", ', "", "choice"),
    "dual-stack endpoints are the usual ones": Mutant("aws_api.endpoint", '("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")', '("AWS_USE_FIPS_ENDPOINT",)', "choice"),
    "account-id endpoints are the usual ones": Mutant("aws_api.endpoint", ' or (mode != "disabled" and environment.get("AWS_ACCOUNT_ID"))', "", "choice"),
    "a mode of account-id endpoints does not count": Mutant("aws_api.endpoint", 'mode not in {"", "disabled"} or ', "", "choice"),
    "an unknown partition has the usual address": Mutant("aws_api.endpoint", '    raise UnusableError(f"AWS_REGION must be a region', '    return Endpoint("https", f"{service.name}.{region}.amazonaws.com", 443, region)\n    raise UnusableError(f"AWS_REGION must be a region', "choice"),
    "China has the usual address": Mutant("aws_api.endpoint", '"amazonaws.com.cn"', '"amazonaws.com"', "endpoint"),
    "a path of an endpoint is dropped": Mutant("aws_api.endpoint", 'parts.path in {"", "/"} and ', "", "choice"),
    "the service's endpoint does not go first": Mutant("aws_api.endpoint", 'return service.endpoint_variable, "AWS_ENDPOINT_URL"', 'return "AWS_ENDPOINT_URL", service.endpoint_variable', "endpoint"),
    "configured endpoints cannot be ignored": Mutant("aws_api.endpoint", 'if is_true(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):', "if False:", "endpoint"),
    "the Host header has the usual port": Mutant("aws_api.endpoint", "return host if self.port == _PORTS[self.scheme] else ", "return ", "endpoint"),
    # ------------------------------------------------------------------ the choice
    "RUNSTORE_TRANSPORT does not count": Mutant("aws_api.choice", "if wanted == name:", "if False:", "choice"),
    "a bad RUNSTORE_TRANSPORT is ignored": Mutant("aws_api.choice", "    if wanted:\n", "    if False:\n", "choice"),
    "every process is a function": Mutant("aws_api.choice", "if not environment.get(_IN_LAMBDA):", "if False:", "choice"),
    "SnapStart is direct": Mutant("aws_api.choice", '== "snap-start"', '== "never"', "choice"),
    "container credentials by URL are direct": Mutant("aws_api.choice", '"AWS_CONTAINER_CREDENTIALS_FULL_URI", ', "", "choice"),
    "container credentials by path are direct": Mutant("aws_api.choice", ', "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")', ",)", "choice"),
    "missing credentials are direct": Mutant("aws_api.choice", "if not (environment.get(ACCESS_KEY) and environment.get(SECRET_KEY)):", "if False:", "choice"),
    "a missing secret is direct": Mutant("aws_api.choice", "environment.get(ACCESS_KEY) and environment.get(SECRET_KEY)", "environment.get(ACCESS_KEY)", "choice"),
    **{
        f"{name} is direct": Mutant("aws_api.choice", f'"{name}"', '"NEVER_SET"', "choice")
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    },
    **{
        f"the setting {name} is direct": Mutant("aws_api.choice", f'b"{name}"', 'b"never_set"', "choice")
        for name in ("account_id_endpoint_mode", "ca_bundle", "endpoint_url", "use_dualstack_endpoint", "use_fips_endpoint")
    },
    "the configuration file is not read": Mutant("aws_api.choice", '"AWS_CONFIG_FILE": "~/.aws/config", ', "", "choice"),
    "the credentials file is not read": Mutant("aws_api.choice", ', "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"', "", "choice"),
    "the default file is not read": Mutant("aws_api.choice", "environment.get(variable) or default", 'environment.get(variable) or "/dev/null"', "choice"),
    "an unreadable file is direct": Mutant("aws_api.choice", "    except FileNotFoundError:", "    except OSError:", "choice"),
    "a proxy of HTTPS is direct": Mutant("aws_api.choice", '("https_proxy", "http_proxy")', '("http_proxy",)', "choice"),
    "a proxy of HTTP is direct": Mutant("aws_api.choice", '("https_proxy", "http_proxy")', '("https_proxy",)', "choice"),
    "a proxy in lower case is direct": Mutant("aws_api.choice", "name if name in environment else name.upper()", "name.upper()", "choice"),
    "NO_PROXY does not count": Mutant("aws_api.choice", 'environment.get("no_proxy", environment.get("NO_PROXY", ""))', '""', "choice"),
    "NO_PROXY excludes what ends alike": Mutant("aws_api.choice", 'f".{endpoint.host}".endswith(f".{suffix}")', "endpoint.host.endswith(suffix)", "choice"),
    "an active moto is bypassed": Mutant("aws_api.choice", 'if getattr(moto, "enabled", False):', "if False:", "choice"),
    "an imported moto counts": Mutant("aws_api.choice", 'if getattr(moto, "enabled", False):', "if moto is not None:", "choice"),
    "a wrapper that passes for a function is bypassed": Mutant("aws_api.choice", "type(call) is not FunctionType or", "not isinstance(call, FunctionType) or", "choice"),
    "a replacement is bypassed": Mutant("aws_api.choice", " or call.__module__ != client.__module__", "", "choice"),
    "a session with settings is bypassed": Mutant("aws_api.choice", "return bool(variables) or ", "return ", "choice"),
    "a session with credentials is bypassed": Mutant("aws_api.choice", ' or getattr(credentials, "method", None) == "explicit"', "", "choice"),
    "any session counts": Mutant("aws_api.choice", "if session is not None and _was_set_up(session):", "if session is not None:", "choice"),
    "what starts later does not count": Mutant("dynamodb.defaults", 'self.choice.name == "direct" and unusual_process()', "False", "default"),
    "a forced transport is left": Mutant("dynamodb.defaults", "choice = choose(DYNAMODB)", "choice = choose(DYNAMODB, {})", "default"),
}  # fmt: skip


class _Quick:
    """Plug-in for pytest: nobody reads the counterexamples, so they need not be small."""

    @staticmethod
    def pytest_configure() -> None:
        """Replace the profile of `tests/conftest.py`."""
        from hypothesis import Phase, settings  # noqa: PLC0415 pytest wants to import it first

        settings.register_profile("quick", deadline=None, database=None, phases=[Phase.generate])
        settings.load_profile("quick")


def search(name: str) -> int:
    """Run a break's tests until one fails; return 1 if one does."""
    mutant = MUTANTS[name]
    mutation.install(mutant)
    test = Path(__file__).with_name(f"test_{mutant.tests}.py")
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly"]
    return int(pytest.main([*options, str(test)], [_Quick()]) == pytest.ExitCode.TESTS_FAILED)


if __name__ == "__main__":
    sys.exit(search(sys.argv[1]))

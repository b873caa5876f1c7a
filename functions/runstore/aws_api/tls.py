"""The TLS context: which certificate authorities may vouch for a server."""

from __future__ import annotations

import functools
import os
import ssl
from importlib.util import find_spec

from runstore.aws_api.errors import UnusableError


@functools.cache
def shared_context(bundle: str) -> ssl.SSLContext:
    """Return the process's context for an AWS_CA_BUNDLE ("" for none): all clients share it."""
    return new_context(bundle)


def new_context(bundle: str = "") -> ssl.SSLContext:
    """Return a context that verifies certificates and host names.

    Reading a system's authorities takes long on a small function: make it while Lambda initialises. An image without
    a system store gets the bundle that botocore brings, without importing botocore. A `bundle` goes before both, and
    OpenSSL itself reads SSL_CERT_FILE and SSL_CERT_DIR.

    Raises:
        UnusableError: There are no certificate authorities.
    """
    if not bundle and not _has_system_store():
        bundle = _botocore_bundle()
    try:
        context = ssl.create_default_context(cafile=bundle or None)
    except (OSError, ssl.SSLError) as failure:
        raise UnusableError(f"{bundle} must hold certificate authorities; reading it failed: {failure}") from failure
    context.set_alpn_protocols(["http/1.1"])
    return context


def _has_system_store() -> bool:
    paths = ssl.get_default_verify_paths()  # each is None if it does not exist
    return bool(paths.cafile) or (bool(paths.capath) and any(os.scandir(paths.capath)))


def _botocore_bundle() -> str:
    spec = find_spec("botocore")  # of a top-level package, this imports nothing
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in () if folders is None else folders:
        path = os.path.join(folder, "cacert.pem")  # noqa: PTH118 pathlib would be imported for this alone
        if os.path.exists(path):  # noqa: PTH110 the same
            return path
    raise UnusableError("this machine must have certificate authorities; there is neither a system store nor botocore")

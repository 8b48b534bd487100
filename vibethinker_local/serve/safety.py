"""Who may come in: the key, and what browsers say about where a request comes from.

A server on loopback can be reached by every page in the user's browser: by a script of any site, which says so in
Origin, and by a site whose name suddenly leads to 127.0.0.1 (DNS rebinding), which shows in Host. So both are looked
at. With a key, Host may be anything: such a page does not know it.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from vibethinker_local.serve.wire import ApiError

OPEN_PATHS = ("/health",)  # without a key: for whoever looks after processes; it tells nothing


def is_loopback(host: str) -> bool:
    """Whether a host names this machine, to itself alone."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Guard:
    """Lets a request in or raises ApiError."""

    key: str | None = None
    origins: tuple[str, ...] = ()  # of pages elsewhere that may ask, as browsers write them: https://chat.example

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """`headers` by their names in lower case."""
        if self.key is None and not self._host_is_ours(headers.get("host", "")):
            raise ApiError("Host: this server answers to localhost only.", status=403, code="host_not_allowed")
        origin = headers.get("origin")
        if origin is not None and not self.allows(origin):
            raise ApiError(
                "Origin: pages from elsewhere may not ask here: start the server with --allow-origin, if one should.",
                status=403,
                code="origin_not_allowed",
            )
        if self.key is not None and path not in OPEN_PATHS and not self._key_fits(headers.get("authorization", "")):
            raise ApiError(
                "The API key is missing or wrong: send it as `Authorization: Bearer KEY`.",
                status=401,
                code="invalid_api_key",
            )

    def allows(self, origin: str) -> bool:
        """Whether a page from there may ask: from this machine itself, or as the user said."""
        if origin in self.origins:
            return True
        try:
            return is_loopback(urlsplit(origin).hostname or "")
        except ValueError:
            return False

    def _host_is_ours(self, host: str) -> bool:
        try:
            return is_loopback(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False

    def _key_fits(self, authorization: str) -> bool:
        """In the same time wherever it differs, and however long it is."""
        assert self.key is not None
        scheme, _, given = authorization.partition(" ")
        digests = (hashlib.sha256(text.strip().encode("utf-8", "replace")).digest() for text in (given, self.key))
        return hmac.compare_digest(*digests) and scheme.lower() == "bearer"


def cors(origin: str, headers: str) -> dict[str, str]:
    """What a browser needs to hear for a page that may ask, and that wants to send these headers."""
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": headers or "authorization, content-type",
        "access-control-max-age": "600",
        "vary": "Origin",
    }

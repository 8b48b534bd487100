"""The way to the network: proxies and certificates as the user's variables name them, and what goes wrong, in words.

The variables are those that curl, pip and requests read: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either
case; SSL_CERT_FILE with SSL_CERT_DIR, else REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE. One that cannot be used is named.
"""

import functools
import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import getproxies

import httpx2
from socksio import SOCKSError

from vibethinker_local.errors import ModelError
from vibethinker_local.system.terminal import printable

CERTIFICATES = (("SSL_CERT_FILE", "SSL_CERT_DIR"), ("REQUESTS_CA_BUNDLE",), ("CURL_CA_BUNDLE",))
HASHED = re.compile(r"[0-9a-f]{8}\.\d+")  # how OpenSSL looks for a certificate in a folder
LOCAL = ("all://localhost", "all://127.0.0.1", "all://[::1]")
GLANCE = 2048  # bytes of a page that are read to see what it says
WORDS = 120  # characters of it that are shown
# What a request may raise; OverflowError is a name or password that is too long for SOCKS.
ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, SOCKSError, OverflowError, ValueError)


def make_client(before: Callable[[httpx2.Request], None]) -> httpx2.Client:
    """A client that follows redirects and calls `before` with every request. Raises ModelError, naming a variable.

    Each request has a connection of its own: of one that is kept, nobody can tell in time that the other end, or a
    proxy on the way, has just closed it.
    """
    with _named():
        return httpx2.Client(
            verify=_certificates(),
            event_hooks={"request": [before]},
            follow_redirects=True,
            timeout=None,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )


def make_engine_client(timeout: httpx2.Timeout) -> httpx2.Client:
    """A client for servers of models. One on this machine is spoken to without a proxy. Raises as `make_client`."""
    with _named():
        return httpx2.Client(verify=_certificates(), mounts=dict.fromkeys(LOCAL), timeout=timeout)


def make_async_engine_client(timeout: httpx2.Timeout) -> httpx2.AsyncClient:
    """The same for an event loop, with as many connections as are wanted. Raises as `make_client`."""
    with _named():
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64)
        return httpx2.AsyncClient(verify=_certificates(), mounts=dict.fromkeys(LOCAL), timeout=timeout, limits=limits)


@contextmanager
def _named() -> Iterator[None]:
    """Inside the block, a setting of the system that cannot be used becomes a ModelError that names it."""
    _check_proxies()
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"The certificates of this system cannot be read ({error}): set SSL_CERT_FILE to a file of certificates."
        ) from error


def _check_proxies() -> None:
    for scheme, address in getproxies().items():
        if scheme not in ("http", "https", "all"):
            continue
        name = _set_variable(f"{scheme}_proxy")
        if name and address.lower().startswith("socks://"):  # as desktops write it; they mean version 5
            address = os.environ[name] = f"socks5h{address[5:]}"
        try:
            url = httpx2.Proxy(address if "://" in address else f"http://{address}").url
            usable = bool(url.host) and 0 < (url.port or 1) < 1 << 16
        except (httpx2.InvalidURL, ValueError):
            usable = False
        if not usable:
            shown = printable(re.sub(r"//[^/]*@", "//…@", address))  # it may hold a password
            raise ModelError(
                f"{name or 'The system'} names a proxy that cannot be used ({shown!r}): "
                "give http://HOST:PORT or socks5h://HOST:PORT, or unset it."
            )


def _certificates() -> ssl.SSLContext:
    """The certificates that a variable names, else the system's own. Raises ModelError."""
    return _trusting(tuple((name, os.environ[name]) for name in _certificate_variables()))


@functools.cache  # reading them takes longer than many a request
def _trusting(named: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    if not named:
        return httpx2.create_ssl_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, value in named:
        _load(context, name, value)
    return context


def _load(context: ssl.SSLContext, name: str, value: str) -> None:
    """Add what `value` names to the trusted certificates: a file of them, or folders. Raises ModelError."""
    try:
        folders = [Path(folder) for folder in value.split(os.pathsep) if folder and Path(folder).is_dir()]
        if folders:
            if not any(HASHED.fullmatch(path.name) for folder in folders for path in folder.iterdir()):
                raise ValueError("no file in it is named as `openssl rehash` names them")
            context.load_verify_locations(capath=os.pathsep.join(map(str, folders)))
        elif Path(value).exists() and not Path(value).is_file():
            raise ValueError("it is a pipe or a device")
        else:
            context.load_verify_locations(cafile=value)
    except ssl.SSLError as error:
        raise _without_certificates(name, value, "it holds none") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _without_certificates(name, value, reason) from error


def _without_certificates(name: str, value: str, reason: str) -> ModelError:
    shown = printable(value)[:200]
    return ModelError(f"{name} names no certificates ({shown!r}: {reason}): give a file in PEM form, or unset it.")


def proxy_variable(scheme: str) -> str | None:
    """The variable that names the proxy for addresses of this scheme, if one does."""
    return _set_variable(f"{scheme}_proxy") or _set_variable("all_proxy")


def _set_variable(name: str) -> str | None:
    """The spelling under which a variable is set and not empty; the lower-case one is the one that counts."""
    if name in os.environ:
        return name if os.environ[name] else None
    return next((each for each in os.environ if each.lower() == name and os.environ[each]), None)


def _certificate_variables() -> list[str]:
    """The variables that name certificates, of the first group in which one is set."""
    given = ([name for name in group if os.environ.get(name)] for group in CERTIFICATES)
    return next(filter(None, given), [])


class Failure(NamedTuple):
    """Why a request brought no answer, what to do, and whether the next request would bring none either."""

    reason: str
    advice: str
    lasting: bool


def failure(error: Exception, scheme: str, *, also: str | None = None) -> Failure:
    """What one of ERRORS means, for an address of this scheme; `also` is what else may be the cause."""
    proxy = proxy_variable(scheme)
    check_proxy = f"check the proxy in {proxy or 'the system settings'}"
    root: BaseException = error
    while inner := root.__cause__ or next((each for each in root.args if isinstance(each, BaseException)), None):
        root = inner
    reason = printable(re.sub(r"^\[Errno -?\d+\] ", "", str(error))).rstrip(".") or type(error).__name__
    if isinstance(root, ssl.SSLCertVerificationError):
        named = next(iter(_certificate_variables()), None)
        advice = f"check {named}" if named else "set SSL_CERT_FILE to a file with the certificates of your network"
        return Failure(f"its certificate is not trusted, {root.verify_message}", advice, lasting=True)
    if isinstance(root, SOCKSError | OverflowError):
        return Failure("the proxy does not answer as SOCKS 5 proxies do", check_proxy, lasting=True)
    if isinstance(error, httpx2.ProxyError):
        login = any(word in reason.lower() for word in ("407", "authentication", "password"))
        advice = f"{check_proxy}, which asks for NAME:PASSWORD@ before its host" if login else check_proxy
        return Failure(f"the proxy refuses, {reason}", advice, lasting=login or reason.startswith("4"))
    if isinstance(error, httpx2.TimeoutException):
        reason = "it does not answer"
    elif isinstance(error, httpx2.TooManyRedirects):
        reason = "it sends us round in circles, by redirects"
    never = (httpx2.TooManyRedirects, httpx2.UnsupportedProtocol, httpx2.InvalidURL, ValueError)
    causes = ["the network", *([also] if also else []), *([f"the proxy in {proxy}"] if proxy else [])]
    advice = "check " + " and ".join(filter(None, (", ".join(causes[:-1]), causes[-1])))
    return Failure(reason, advice, lasting=isinstance(error, never))


def what_came(response: httpx2.Response) -> str:
    """Status, type and first words of an answer, of which a little is read."""
    headers = response.headers
    parts = [f"{response.status_code} {response.reason_phrase}".strip(), headers.get("Content-Type", "")]
    if (length := headers.get("Content-Length", "")).isdigit():
        parts.append(f"{int(length):,} bytes")
    if encoding := headers.get("Content-Encoding", ""):
        parts.append(f"encoded as {encoding}")
    if place := headers.get("Content-Range", ""):
        parts.append(f"range {place!r}")
    words = "" if encoding else first_words(_beginning(response))
    return printable(", ".join(filter(None, parts)) + (f": “{words}”" if words else ""))


def _beginning(response: httpx2.Response) -> bytes:
    page = b""
    try:
        if response.is_closed:
            return response.content
        for piece in response.iter_raw():
            page += piece
            if len(page) >= GLANCE:
                break
    except (*ERRORS, httpx2.StreamError):
        pass  # it broke off, or was read before: what there is is shown
    return page


def first_words(page: bytes) -> str:
    """The beginning of a page without its markup; nothing if it is no text."""
    page = page[:GLANCE]
    if b"\0" in page:
        return ""
    text = re.sub(r"(?s)<(script|style)\b.*?(</\1>|$)|<[^>]*(>|$)", " ", page.decode("utf-8", errors="replace"))
    text = " ".join(printable(text).split())
    return text if len(text) <= WORDS else f"{text[:WORDS]}…"

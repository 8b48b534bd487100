"""The Hugging Face hub: what it says about a repository and its files, and a file's bytes from any place on.

The only file that imports huggingface_hub: its client, token, endpoint and offline mode are used. Its downloader is
not: since version 2 that begins anew after an interruption, where download.py goes on. Plain HTTP is used also for what
the hub stores in chunks (xet): such a file has an HTTP address too, and the xet client keeps nothing of one cut off.
"""

import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from urllib.parse import quote, urlsplit

from vibethinker_local import __version__
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.models import network
from vibethinker_local.models.cache import Repository
from vibethinker_local.system.terminal import printable


def check_variables() -> None:
    """See that the hub's client, which reads them when it is imported, can: it would end there.

    Raises UsageError or ModelError.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # without it, a list of programs is fetched as well
    os.environ["HF_HUB_VERBOSITY"] = "critical"  # it would write its warnings to stderr
    for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_ENDPOINT"):
        if not os.environ.get(name, "").strip():
            os.environ.pop(name, None)  # empty is not set
        elif name == "HF_ENDPOINT":
            _check_endpoint(os.environ[name])
        elif not re.fullmatch("[0-9]{1,6}", os.environ[name].strip()):
            raise UsageError(f"{name} is {printable(os.environ[name])!r}: give a number of seconds, or unset it.")


def _check_endpoint(address: str) -> None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # of the port, or brackets
        usable = False
    if not usable:
        raise ModelError(f"HF_ENDPOINT is no address of a hub ({printable(address)!r}): give http://HOST, or unset it.")


check_variables()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of variables that have gone out of use
    import_module("huggingface_hub.constants")  # by itself: the package would print what goes wrong
    import httpx2
    from huggingface_hub import constants, get_hf_file_metadata, get_session, get_token, hf_hub_url, set_client_factory
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OIDCError

MAIN = "main"
LATER = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses of a hub that may answer the next time
COMMIT = re.compile("[0-9a-f]{40}")
HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")  # git's sha1 of a small file, sha256 of a large one
NAME = re.compile(r"[\w-][\w.-]*")  # what may become a folder's name
RANGE = re.compile(r"\s*bytes\s+(\d+)-(\d+)/(\d+|\*)\s*", re.IGNORECASE)
INFORMATION = 1 << 26  # bytes; what a hub says about a repository is less


def _refuse_offline(request: httpx2.Request) -> None:
    if constants.HF_HUB_OFFLINE:
        raise OfflineModeIsEnabled(str(request.url))


set_client_factory(lambda: network.make_client(_refuse_offline))


class Missing(ModelError):
    """The hub does not have the file, or not the one that was meant, or does not give it: another place may have it."""


class Unreachable(ModelError):
    """No hub can be asked: what is in the cache may do."""


class NotTheFile(ModelError):
    """Something else comes instead of the file, such as a page that asks for a password."""


class ConnectionBroke(Exception):
    """The connection broke, or the hub is busy: another attempt may go on. `str(error)` says why."""


@dataclass(frozen=True)
class RemoteFile:
    """One version of a file on the hub."""

    repository: str
    file: str
    revision: str  # as it was asked for
    commit: str
    etag: str  # sha256 of a large file, git's sha1 of a small one
    size: int  # bytes

    @property
    def blob(self) -> Path:
        """Where its bytes lie in the cache."""
        return Repository(self.repository).blob(self.etag)

    @property
    def partial(self) -> Path:
        """Where they lie as long as some are missing."""
        return Repository(self.repository).partial(self.etag)

    @property
    def snapshot(self) -> Path:
        """Where the file is found by its name."""
        return Repository(self.repository).snapshot(self.commit) / self.file


def look_up(
    repository: str, file: str, revision: str | None = None, *, sha256: str | None = None, size: int | None = None
) -> RemoteFile:
    """Ask the hub about a file. What is known of it need not be said again: mirrors leave headers out.

    Raises ModelError; Missing also if the file's sha256 or its size in bytes is another one.
    """
    what, revision = f"{repository}/{file}", revision or MAIN
    with _explained(what):
        url = hf_hub_url(repository, file, revision=revision)
        found = get_hf_file_metadata(url, headers=_headers(), timeout=constants.HF_HUB_ETAG_TIMEOUT)
    # Commit and hash become names of files.
    commit = next((name for name in (found.commit_hash or "", revision) if COMMIT.fullmatch(name)), None)
    etag = found.etag if found.etag and HASH.fullmatch(found.etag) else None
    if etag and sha256 and len(etag) == 64 and etag != sha256:
        raise Missing(_another(what, "sha256", etag, sha256))
    if size is not None and found.size not in (None, size):
        if etag is None:
            raise _no_hub(url)
        raise Missing(_another(what, "size", found.size, size))
    if commit is None and sha256 and NAME.fullmatch(revision):
        commit = revision
    etag, size = etag or sha256, found.size if size is None else size
    if etag is None or commit is None or (size is not None and size < 0):
        raise _no_hub(url)
    if size is None:
        size = _ask_for_size(url, what)
    return RemoteFile(repository, file, revision, commit, etag, size)


def _another(what: str, name: str, found: object, wanted: object) -> str:
    return (
        f"The hub's {what} is not the file that models.toml lists: its {name} is {found}, not {wanted}. "
        "Nothing was downloaded."
    )


def _no_hub(url: str) -> ModelError:
    """What to say of an answer that no hub gives. Asks once more, for its words."""
    with _get(url, _host(url)) as response:
        came = network.what_came(response)
    return ModelError(f"{_host(url)} does not answer as a hub does, but with {came}: check HF_ENDPOINT and proxies.")


def _ask_for_size(url: str, what: str) -> int:
    """The bytes of a file, as the storage tells them with its first byte. Raises ModelError."""
    with _get(url, what, {"Range": "bytes=0-0"}) as response:
        place = RANGE.fullmatch(response.headers.get("Content-Range", ""))
        size = place[3] if place else response.headers.get("Content-Length", "")
        if size.isdigit() and _is_plain(response):
            return int(size)
        came = network.what_came(response)
    raise ModelError(f"The hub does not say how large {what} is, and sends {came}: try again later.")


def list_files(repository: str, revision: str | None = None) -> tuple[str, dict[str, int | None]]:
    """The commit that a revision stands for, and its files with their bytes, where the hub tells them.

    Raises ModelError.
    """
    revision = revision or MAIN
    url = f"{constants.ENDPOINT}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
    content = bytearray()
    with _get(url, repository) as response:
        for piece in response.iter_bytes():
            content += piece
            if len(content) > INFORMATION:
                break
    try:
        told = json.loads(content)
        files = {entry["rfilename"]: entry.get("size") for entry in told["siblings"]}
        commit = told.get("sha")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):  # no JSON, or of another form
        raise _no_hub(url) from None
    if not all(isinstance(name, str) for name in files):
        raise _no_hub(url)
    sizes = {name: size if type(size) is int and size > 0 else None for name, size in files.items()}
    return commit if isinstance(commit, str) and COMMIT.fullmatch(commit) else revision, sizes


def pieces(remote: RemoteFile, begin: int) -> Iterator[tuple[int, bytes]]:
    """A file's bytes from `begin` on, or from further ahead if the server gives no others, each piece with its place.

    Raises ConnectionBroke, where another attempt may go on, or ModelError: NotTheFile for something else, also when
    that shows only at its end.
    """
    what = f"{remote.repository}/{remote.file}"
    url = hf_hub_url(remote.repository, remote.file, revision=remote.commit)  # which sends us on to where they are
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
    try:
        with _stream(url, headers) as response:
            if response.status_code in LATER:
                raise ConnectionBroke(f"{_host(str(response.url))} answers {response.status_code}")
            if response.is_error and response.status_code != 416:
                raise _refusal(response, what)
            place, end = _span(response, remote, begin)
            for piece in response.iter_raw():
                if place + len(piece) > end:
                    raise _not_the_file(response, remote, f", and more than {end:,} bytes of that")
                yield place, piece
                place += len(piece)
            if place != end:
                raise _not_the_file(response, remote, f", and {place:,} bytes of that")
    except network.ERRORS as error:
        host = _host(_address(error) or url)
        failed = network.failure(error, urlsplit(host).scheme)
        if failed.lasting:
            raise ModelError(f"{host} cannot be reached ({failed.reason}): {failed.advice}.") from error
        raise ConnectionBroke(f"the connection to {host} breaks ({failed.reason}): {failed.advice}") from error


def _span(response: httpx2.Response, remote: RemoteFile, begin: int) -> tuple[int, int]:
    """The place of the first byte of a body in the file, and the place behind its last one. Raises NotTheFile."""
    headers = response.headers
    length = int(headers["Content-Length"]) if headers.get("Content-Length", "").isdigit() else None
    match response.status_code:
        case 200:
            first, end, total = 0, remote.size, str(remote.size)
        case 206 if place := RANGE.fullmatch(headers.get("Content-Range", "")):
            first, end, total = int(place[1]), int(place[2]) + 1, place[3]
        case _:
            raise _not_the_file(response, remote)
    fits = first <= begin < end <= remote.size and total in ("*", str(remote.size)) and length in (None, end - first)
    if not fits or not _is_plain(response):
        raise _not_the_file(response, remote)
    return first, end


def _is_plain(response: httpx2.Response) -> bool:
    """Whether the body is the bytes of a file as they are, as far as its headers tell."""
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    return encoding in ("", "identity") and kind != "text/html" and not kind.startswith("multipart/")


def _not_the_file(response: httpx2.Response, remote: RemoteFile, more: str = "") -> NotTheFile:
    host, came = _host(str(response.url)), network.what_came(response)
    return NotTheFile(f"Instead of {remote.file}, {remote.size:,} bytes, {host} sends {came}{more}.")


@contextmanager
def _stream(url: str, headers: dict[str, str] | None = None) -> Iterator[httpx2.Response]:
    """The answer to a GET, its body still to come. Raises ModelError, and what httpx2 raises."""
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=_headers() | (headers or {}), timeout=timeout) as response:
        yield response


@contextmanager
def _get(url: str, what: str, headers: dict[str, str] | None = None) -> Iterator[httpx2.Response]:
    """The same where every error is one about `what`: ModelError."""
    with _explained(what), _stream(url, headers) as response:
        if response.is_error:
            raise _refusal(response, what)
        yield response


def _headers() -> dict[str, str]:
    """Who asks, with the user's token if there is one (HF_TOKEN, or `hf auth login`). Raises ModelError."""
    headers = {"user-agent": f"vibethinker-local/{__version__}"}
    try:
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    except (OIDCError, httpx2.HTTPError) as error:
        said = " ".join(str(error).split())
        raise ModelError(f"HF_OIDC_RESOURCE asks for a token that cannot be had ({said}): unset it.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        where = printable(constants.HF_TOKEN_PATH)
        raise ModelError(f"The token in {where} cannot be read ({reason}): check HF_TOKEN_PATH and HF_HOME.") from error
    if token is None:
        return headers
    if not re.fullmatch("[!-~]{1,4096}", token):
        named = [name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)]
        where = named[0] if named else printable(constants.HF_TOKEN_PATH)
        raise ModelError(f"{where} does not hold what a token may look like: set it anew.")
    return headers | {"authorization": f"Bearer {token}"}


def _what_came(response: httpx2.Response) -> str:
    """What an answer says; one to a HEAD has no words, so they are asked for."""
    if response.request.method == "HEAD":
        with suppress(*network.ERRORS), _stream(str(response.url)) as again:
            return network.what_came(again)
    return network.what_came(response)


def _host(url: str) -> str:
    """The part of an address that says where, as clients write it: in small letters, without a name, a password and
    the port that goes without saying."""
    try:
        parts = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):  # what no client takes, only the user has written
        return url.rpartition("@")[2]
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


def _address(error: Exception) -> str | None:
    """Which address a request failed at, after redirects."""
    try:
        return str(error.request.url) if isinstance(error, httpx2.HTTPError) else None
    except RuntimeError:  # it has none
        return None


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Inside the block, errors of the hub's client become sentences about `what`: ModelError."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise Unreachable(f"{what} is not here, and HF_HUB_OFFLINE forbids fetching it: unset that.") from error
    except HfHubHTTPError as error:
        raise _refusal(error.response, what) from error
    except HFValidationError as error:
        raise Missing(f"{what} is no name that a hub gives: check the name.") from error
    except network.ERRORS as error:
        host = _host(_address(error) or constants.ENDPOINT)
        also = "HF_ENDPOINT" if "HF_ENDPOINT" in os.environ else None
        failed = network.failure(error, urlsplit(host).scheme, also=also)
        raise Unreachable(f"{host} cannot be reached ({failed.reason}): {failed.advice}.") from error


def _refusal(response: httpx2.Response, what: str) -> ModelError:
    """What an answer with an error status means: of the hub, of a storage that it sends us to, or of a proxy."""
    status, headers, host = response.status_code, response.headers, _host(str(response.url))
    proxy = network.proxy_variable(response.url.scheme)
    code, said = headers.get("X-Error-Code", ""), printable(headers.get("X-Error-Message", ""))
    if status == 407:
        return ModelError(
            f"The proxy in {proxy or 'the system settings'} refuses (407): it asks for NAME:PASSWORD@ before its host."
        )
    if host != _host(constants.ENDPOINT):
        return ModelError(
            f"{host}, where the hub stores {what}, answers {network.what_came(response)}. No token is asked for there: "
            "try again later, or check what proxies and firewalls let through."
        )
    match code or status:
        case "GatedRepo":
            page = "/".join([host, *what.split("/")[:2]])
            return Missing(
                f"{what} is given only to those who accept its conditions: do so at {page}, "
                "then set HF_TOKEN or run `hf auth login`."
            )
        case "RevisionNotFound":
            return Missing(f"The hub has no such revision of {what}: check it, as you or models.toml give it.")
        case "EntryNotFound":
            return Missing(f"The hub has no file {what}: check its name, as you or models.toml give it.")
        case "RepoNotFound":
            return Missing(f"The hub has no {what}, or shows it to some only: check its name, or set HF_TOKEN.")
        case 404 | 410:
            return Missing(f"The hub has no {what} ({status}): check its name, and HF_ENDPOINT.")
        case 429:
            wait = headers.get("Retry-After", "")
            when = f"in {wait} seconds" if wait.isdigit() else "later"
            return ModelError(f"The hub asks to slow down (429): try again {when}.")
    if status >= 500:
        return Unreachable(f"The hub is out of order ({status}): try again later.")
    if status in (401, 403):
        advice = "check HF_TOKEN, or run `hf auth login`."
        if not said:  # the hub itself says why
            between = f"the proxy in {proxy}" if proxy else "a proxy or a firewall"
            advice += f" Or {between} forbids it: {_what_came(response)} was sent."
        return Missing(f"The hub refuses {what} ({status}{said and f', {said}'}): {advice}")
    return ModelError(f"The hub answers {network.what_came(response)} for {what}: check its name, and HF_ENDPOINT.")

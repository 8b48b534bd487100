"""The Hugging Face hub: what it says about a file, and the file's bytes from any place on.

The only file that imports huggingface_hub: its client, token, endpoint and offline mode are used. Its downloader is
not: since version 2 that begins anew after an interruption, where download.py goes on. Plain HTTP is used also for what
the hub stores in chunks (xet): such a file has an HTTP address too, and the xet client keeps nothing of one cut off.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from vibethinker_local import __version__
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.models.installed import hub_folder

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read by the import: without it, a list of programs is fetched as well
os.environ["HF_HUB_VERBOSITY"] = "critical"  # it would write its warnings to stderr
try:
    import_module("huggingface_hub.constants")  # by itself: the package would print what goes wrong
    import httpx2
    from huggingface_hub import HfApi, constants, get_hf_file_metadata, get_session, hf_hub_url
    from huggingface_hub.errors import (
        FileMetadataError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._http import hf_raise_for_status
except ValueError as wrong:  # it reads numbers from its variables
    raise UsageError(f"A variable of the Hugging Face client (HF_…) cannot be used: {wrong}.") from wrong

MAIN = "main"
LATER = frozenset({408, 429, 500, 502, 503, 504})  # statuses of a hub that may answer the next time


class Missing(ModelError):
    """The hub does not have the file, or not the one that was meant, or does not give it: another place may have it."""


class Interrupted(Exception):
    """The connection broke, or the hub is busy: another attempt may go on. `str(error)` says why."""


class StartsOver(Exception):
    """The server sends a file from its beginning, although it was asked for the rest."""


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
    def sha256(self) -> str | None:
        return self.etag if len(self.etag) == 64 else None

    @property
    def blob(self) -> Path:
        """Where its bytes lie in the cache."""
        return hub_folder(self.repository) / "blobs" / self.etag

    @property
    def partial(self) -> Path:
        """Where they lie as long as some are missing."""
        return self.blob.with_name(f"{self.etag}.incomplete")

    @property
    def snapshot(self) -> Path:
        """Where the file is found by its name."""
        return hub_folder(self.repository) / "snapshots" / self.commit / self.file


def look_up(
    repository: str, file: str, revision: str | None = None, *, sha256: str | None = None, size: int | None = None
) -> RemoteFile:
    """Ask the hub about a file. Raises ModelError; Missing also if its sha256 or its size in bytes is another one."""
    what = f"{repository}/{file}"
    with explained(what):
        url = hf_hub_url(repository, file, revision=revision or MAIN)
        found = get_hf_file_metadata(url, headers=_headers(), timeout=constants.HF_HUB_ETAG_TIMEOUT)
    commit, etag = found.commit_hash or "", found.etag or ""
    # They become names of files.
    if not (re.fullmatch("[0-9a-f]{40}", commit) and re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", etag)):
        raise ModelError(f"{constants.ENDPOINT} does not answer as a hub does: check HF_ENDPOINT and proxies.")
    if found.size is None:
        raise ModelError(f"The hub does not say how large {what} is: try again later.")
    for name, wanted, got in (("sha256", sha256, etag), ("size", size, found.size)):
        if wanted not in (None, got):
            raise Missing(
                f"The hub's {what} is not the file that models.toml lists: its {name} is {got}, not {wanted}. "
                "Nothing was downloaded."
            )
    return RemoteFile(repository, file, revision or MAIN, commit, etag, found.size)


def list_files(repository: str, revision: str | None = None) -> tuple[str, list[str]]:
    """The commit that a revision stands for, and the names of its files. Raises ModelError."""
    try:
        with explained(repository):
            found = HfApi().model_info(repository, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except (TypeError, KeyError, AttributeError) as error:  # JSON of another form
        raise ModelError(f"{constants.ENDPOINT} does not answer as a hub does: check HF_ENDPOINT.") from error
    return str(found.sha or MAIN), [str(entry.rfilename) for entry in found.siblings or []]


def pieces(remote: RemoteFile, begin: int) -> Iterator[bytes]:
    """The bytes of a file from a place on, as they arrive. Raises ModelError, Interrupted or StartsOver."""
    url = hf_hub_url(remote.repository, remote.file, revision=remote.commit)  # which sends us on to where they are
    headers = _headers() | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
    try:
        with get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
            if response.status_code in LATER:
                raise Interrupted(f"the hub answers {response.status_code}")
            if response.status_code == 416:
                raise Interrupted("the hub has no more bytes of it")
            with explained(f"{remote.repository}/{remote.file}"):
                hf_raise_for_status(response)
            if begin and not response.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
                raise StartsOver
            yield from response.iter_raw()
    except httpx2.TimeoutException as error:
        raise Interrupted("the connection stalls") from error
    except httpx2.RequestError as error:  # too many redirects among them
        raise Interrupted(f"the connection breaks ({error})") from error


def _headers() -> dict[str, str]:
    """With the user's token, if there is one (HF_TOKEN, or `hf auth login`)."""
    return build_hf_headers(library_name="vibethinker-local", library_version=__version__)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Inside the block, errors of the hub's client become sentences about `what`: ModelError."""
    hub = constants.ENDPOINT
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise ModelError(f"{what} is not here, and HF_HUB_OFFLINE forbids to fetch it: unset that.") from error
    except GatedRepoError as error:
        where = "/".join(what.split("/")[:2])
        raise Missing(
            f"{what} is given only to those who accept its conditions: do so at {hub}/{where}, "
            "then set HF_TOKEN or run `hf auth login`."
        ) from error
    except RevisionNotFoundError as error:
        raise Missing(f"The hub has no such revision of {what}: check the entry in models.toml.") from error
    except RemoteEntryNotFoundError as error:
        raise Missing(f"The hub has no file {what}: check the entry in models.toml.") from error
    except RepositoryNotFoundError as error:
        raise Missing(
            f"The hub has no {what}, or shows it to some only: check the entry in models.toml, or set HF_TOKEN."
        ) from error
    except HfHubHTTPError as error:
        raise _by_status(error, what) from error
    except FileMetadataError as error:
        raise ModelError(f"{hub} does not answer as a hub does: check HF_ENDPOINT and proxies.") from error
    except httpx2.TimeoutException as error:
        raise ModelError(f"{hub} does not answer: check the network, or try again later.") from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise ModelError(f"{hub} is no address of a hub: check HF_ENDPOINT.") from error
    except HFValidationError as error:
        raise ModelError(f"{what} is no name that a hub gives: check the entry in models.toml.") from error
    except (httpx2.HTTPError, ValueError) as error:  # ValueError: a token or an address that cannot be read
        raise ModelError(
            f"{hub} cannot be reached ({error}): check the network, proxies, HF_ENDPOINT and HF_TOKEN."
        ) from error


def _by_status(error: HfHubHTTPError, what: str) -> ModelError:
    status = error.response.status_code
    match status:
        case 401 | 403:
            return Missing(f"The hub refuses {what} ({status}): check HF_TOKEN, or run `hf auth login`.")
        case 404:
            return Missing(f"The hub has no {what} (404): check the entry in models.toml, and HF_ENDPOINT.")
        case 429:
            wait = error.response.headers.get("Retry-After", "")
            when = f"in {wait} seconds" if wait.isdigit() else "later"
            return ModelError(f"The hub asks to slow down (429): try again {when}.")
        case _ if status >= 500:
            return ModelError(f"The hub is out of order ({status}): try again later.")
        case _:
            return ModelError(f"The hub answers {status} for {what}: check the entry in models.toml, and HF_ENDPOINT.")

"""A checkpoint from the Hugging Face hub, into the Hugging Face cache. The only file here that imports huggingface_hub.

Files that are in the cache already, whoever brought them, are not fetched again.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

from .errors import MachineError, RequestError

PARTS = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "merges.txt", "README.md")


def download(repository: str, revision: str | None, parts: tuple[str, ...] = PARTS) -> Path:
    """The folder with the files of a revision, else of the main one. Raises RequestError or MachineError."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read by the import
    os.environ["HF_HUB_VERBOSITY"] = "critical"
    try:
        import_module("huggingface_hub.constants")  # by itself: the package would print what goes wrong
    except ValueError as error:  # it reads numbers from its variables
        raise RequestError(f"a variable of the Hugging Face client (HF_…) cannot be used: {error}") from error
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    wanted = f"{repository} at {revision}" if revision else repository
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(parts)))
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise RequestError(
            f"there is no folder {repository}, and the hub has no {wanted}, or shows it to some only; "
            "check the name, or set HF_TOKEN"
        ) from error
    except HfHubHTTPError as error:
        raise RequestError(f"the hub answers {error.response.status_code} for {wanted}; try again later") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise RequestError(
            f"there is no folder {repository}, and the hub cannot be asked for it; check the path, or the network, "
            "HF_ENDPOINT and HF_HUB_OFFLINE"
        ) from error
    except OSError as error:
        raise MachineError(f"{wanted} cannot be downloaded ({error}); is there room on the disk?") from error

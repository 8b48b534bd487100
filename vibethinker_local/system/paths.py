"""Where the app keeps its files. VIBE_HOME moves all of them below one folder."""

import os
from pathlib import Path

from platformdirs import PlatformDirs

from vibethinker_local.errors import UsageError

PACKAGE = Path(__file__).parent.parent
MINI = PACKAGE / "mini" / "mini.gguf"
_SYSTEM = PlatformDirs("vibethinker-local", appauthor=False)


def models_toml() -> Path:
    """models.toml: inside the installed package, or at the root of a checkout."""
    installed = PACKAGE / "models.toml"
    return installed if installed.exists() else PACKAGE.parent / "models.toml"


def config() -> Path:
    """The folder of the files that the user writes: config.toml, and a models.toml with entries of their own."""
    return _folder("config")


def data() -> Path:
    """The folder of the app's own data: conversations, checksums, benchmark results, models that were built here."""
    return _folder("data")


def built_models() -> Path:
    """The folder of GGUF files that were built on this machine, with one subfolder per model."""
    return data() / "models"


def runs() -> Path:
    """The folder of interrupted runs: what each had finished."""
    return data() / "runs"


def logs() -> Path:
    """The folder of the log files."""
    return _folder("log", below="logs")


def record_name(facts: str | Path) -> str:
    """The name, without a suffix, of a record about what `facts` identify: the same facts, the same record."""
    import hashlib  # with OpenSSL, which the first lines of a start need not wait for

    return hashlib.sha256(os.fsencode(facts)).hexdigest()[:32]


def hub_cache() -> Path:
    """The Hugging Face cache, where huggingface_hub finds it: HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub."""
    if cache := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return _expanded(cache)
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"))
    return _expanded(home) / "hub"


def _folder(kind: str, below: str | None = None) -> Path:
    """Below VIBE_HOME, or where the system wants it. Raises UsageError for a user without a home."""
    if home := os.environ.get("VIBE_HOME"):
        return _expanded(home) / (below or kind)
    try:
        path: Path = getattr(_SYSTEM, f"user_{kind}_path")
    except RuntimeError as error:  # HOME is not set, and the system does not know the user: a container, for example
        raise UsageError("This user has no home folder: set HOME, or VIBE_HOME to a folder for vibe.") from error
    return path


def _expanded(path: str) -> Path:
    """Expands ~ and $VARIABLES as huggingface_hub does: what cannot be expanded is left as it is."""
    return Path(os.path.expandvars(os.path.expanduser(path)))  # noqa: PTH111

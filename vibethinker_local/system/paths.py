"""Where the app keeps its files. VIBE_HOME moves all of them below one folder."""

import os
from pathlib import Path

from platformdirs import PlatformDirs

PACKAGE = Path(__file__).parent.parent
MINI = PACKAGE / "mini" / "mini.gguf"
_SYSTEM = PlatformDirs("vibethinker-local", appauthor=False)


def models_toml() -> Path:
    """models.toml: inside the installed package, or at the root of a checkout."""
    installed = PACKAGE / "models.toml"
    return installed if installed.exists() else PACKAGE.parent / "models.toml"


def config() -> Path:
    """The folder of the files that the user writes: config.toml, and a models.toml with entries of their own."""
    return _home("config") or _SYSTEM.user_config_path


def data() -> Path:
    """The folder of the app's own data: conversations, checksums, benchmark results, models that were built here."""
    return _home("data") or _SYSTEM.user_data_path


def built_models() -> Path:
    """The folder of GGUF files that were built on this machine, with one subfolder per model."""
    return data() / "models"


def runs() -> Path:
    """The folder of interrupted runs: what each had finished."""
    return data() / "runs"


def logs() -> Path:
    """The folder of the log file."""
    return _home("logs") or _SYSTEM.user_log_path


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


def _home(folder: str) -> Path | None:
    home = os.environ.get("VIBE_HOME")
    return _expanded(home) / folder if home else None


def _expanded(path: str) -> Path:
    """Expands ~ and $VARIABLES as huggingface_hub does: what cannot be expanded is left as it is."""
    return Path(os.path.expandvars(os.path.expanduser(path)))  # noqa: PTH111

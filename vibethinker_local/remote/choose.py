"""Which model answers: on servers that the user names, or else a file on this machine."""

from collections.abc import Callable

from vibethinker_local.models import installed
from vibethinker_local.models.installed import Chosen
from vibethinker_local.remote import address
from vibethinker_local.remote.served import Served


def choose(wanted: str | None, say: Callable[[str], None] = lambda text: None) -> Chosen | Served:
    """The model to load: URL#MODEL, [engines.NAME] of config.toml, or what `installed.choose` takes.

    Servers are asked what they can do. Raises ModelError, and UsageError for an address that cannot be used.
    """
    found = address.find(wanted)
    if found is None:
        return installed.choose(wanted, say)
    from vibethinker_local.remote.server import connect  # only now: it takes a moment to import

    return connect(found)

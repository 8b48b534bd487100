"""Which model answers: on servers that the user names, or else a file on this machine."""

import re
from collections.abc import Callable

from vibethinker_local.errors import ModelError
from vibethinker_local.models import installed
from vibethinker_local.models.installed import Chosen
from vibethinker_local.remote import address
from vibethinker_local.remote.served import Served

_HOST_AND_PORT = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-fA-F:]+\]):\d{4,5}(/[^#]*)?(#.*)?")


def choose(wanted: str | None, say: Callable[[str], None] = lambda text: None) -> Chosen | Served:
    """The model to load: URL#MODEL, [engines.NAME] of config.toml, or what `installed.choose` takes.

    Servers are asked what they can do. Raises ModelError, and UsageError for an address that cannot be used.
    """
    found = address.find(wanted)
    if found is None:
        try:
            return installed.choose(wanted, say)
        except ModelError:
            if wanted and _HOST_AND_PORT.fullmatch(wanted):
                raise ModelError(f"{wanted} is no model here, and a server's address begins with http://.") from None
            raise
    from vibethinker_local.remote.server import connect  # only now: it takes a moment to import

    return connect(found)

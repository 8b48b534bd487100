"""Conversations on disk: SQLite with a write-ahead log and a full-text index. Knows nothing of screens or models."""

from vibethinker_local.tui.store.store import LISTED, Listed, Store
from vibethinker_local.tui.store.turns import Attachment, Turn, TurnStatus, name_of, title

__all__ = ["LISTED", "Attachment", "Listed", "Store", "Turn", "TurnStatus", "name_of", "title"]

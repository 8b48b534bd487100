"""Prints tables on stdout, as aligned lines or as one JSON object. Computes nothing."""

from collections.abc import Sequence
from dataclasses import asdict

from vibethinker_local.cli.render import print_json, print_line
from vibethinker_local.models.listing import ListedModel
from vibethinker_local.system import paths, settings
from vibethinker_local.system.machine import Room
from vibethinker_local.system.settings import Setting
from vibethinker_local.system.units import size


def print_models(rows: Sequence[ListedModel], room: Room, *, as_json: bool) -> None:
    """`vibe models`."""
    if as_json:
        models = [asdict(row) | {"path": str(row.path) if row.path else None, "fits": row.fits} for row in rows]
        print_json({"models": models, "memory": room.memory})
        return
    table = [("MODEL", "SIZE", "STATE", "CONTEXT", "SPEED")]
    for row in rows:
        context = "?" if row.context is None else f"{row.context:,}" if row.context else "does not fit"
        speed = f"{row.tokens_per_second:.1f} tok/s" if row.tokens_per_second else ""
        table.append((f"{row.model}:{row.quant}", size(row.bytes) if row.bytes else "?", row.state, context, speed))
    _print(table)
    print_line(f"Context: tokens that the model gets by default, within the {room}; --ctx asks for more.")


def print_settings(found: Sequence[Setting], *, as_json: bool) -> None:
    """`vibe config`."""
    folders = {
        "config": paths.config(),
        "data": paths.data(),
        "logs": paths.logs(),
        "hub_cache": paths.hub_cache(),
    }
    if as_json:
        told = {
            "file": str(settings.config_toml()),
            "settings": [asdict(setting) for setting in found],
            "folders": {name: str(path) for name, path in folders.items()},
        }
        print_json(told)
        return
    table = [("SETTING", "VALUE", "FROM")]
    table += [(each.name, "-" if each.value in (None, "") else str(each.value), each.source) for each in found]
    _print(table)
    print_line("")
    _print([("FOLDER", "PATH"), *((name, str(path)) for name, path in folders.items())])


def _print(table: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

"""The Hugging Face cache: where a repository's files lie, as the hub's own client lays them out. Fetches nothing.

models--ORG--NAME/blobs/ETAG               the bytes of a file, under the hash that the hub names it by
models--ORG--NAME/blobs/ETAG.incomplete    the same as long as some are missing
models--ORG--NAME/snapshots/COMMIT/FILE    a link to them; where links are forbidden (Windows), the bytes themselves
models--ORG--NAME/refs/REVISION            the commit that a branch or a tag stood for
.locks/models--ORG--NAME/ETAG.lock         held by whoever is fetching the bytes
blobs/HH/HASH                              bytes that repositories share: blobs/ETAG is then a link to these
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from vibethinker_local.system import paths


@dataclass(frozen=True)
class Repository:
    """The part of the cache that belongs to ORG/NAME."""

    name: str

    @property
    def folder(self) -> Path:
        return paths.hub_cache() / f"models--{self.name.replace('/', '--')}"

    def blob(self, etag: str) -> Path:
        return self.folder / "blobs" / etag

    def partial(self, etag: str) -> Path:
        return self.folder / "blobs" / f"{etag}.incomplete"

    def partials(self) -> list[Path]:
        """All files of which some bytes are missing."""
        try:
            return sorted((self.folder / "blobs").glob("*.incomplete"))
        except OSError:
            return []

    def lock(self, etag: str) -> Path:
        return lock_of(self.partial(etag))

    def reference(self, revision: str) -> Path:
        return self.folder / "refs" / revision

    def snapshot(self, commit: str) -> Path:
        """The folder with the files of one commit, by their names."""
        return self.folder / "snapshots" / commit

    def snapshot_of(self, revision: str) -> Path:
        """The same for a branch, a tag or a commit, by what the hub said of it the last time."""
        try:
            commit = self.reference(revision).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            commit = revision
        return self.snapshot(commit)

    def files(self, file: str) -> list[Path]:
        """Where a file lies by its name: one path for each commit that it was fetched of."""
        try:
            return [path for path in (self.folder / "snapshots").glob(f"*/{escape(file)}") if path.is_file()]
        except OSError:  # the cache's name is too long, or lies where nobody may look
            return []

    def ggufs(self) -> list[tuple[str, Path]]:
        """Its GGUF files: their names inside the repository, and where they lie; of several commits, the newest."""
        found = dict[str, Path]()
        try:
            snapshots = sorted((self.folder / "snapshots").iterdir(), key=lambda each: each.stat().st_mtime)
            for path in (each for snapshot in snapshots for each in sorted(snapshot.glob("**/*.gguf"))):
                if path.is_file():
                    found["/".join(path.parts[len(self.folder.parts) + 2 :])] = path
        except OSError:  # not there, or not for us to look at
            pass
        return list(found.items())

    @classmethod
    def all(cls) -> list[str]:
        """The names of the repositories of models in the cache."""
        try:
            folders = sorted(paths.hub_cache().glob("models--*--*"))
        except OSError:
            return []
        return [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders]

    def remove(self, path: Path) -> None:
        """Delete a file that lies at `path` in a snapshot, and its `others`. Raises OSError.

        Bytes that a file of another name has as well stay.
        """
        for name in (path, *self.others(path)):
            self._remove_name(name)

    def others(self, path: Path) -> list[Path]:
        """What other snapshots have by a file's name: the same bytes, or a version that no branch or tag stands for."""
        below = (
            path.relative_to(self.folder / "snapshots").parts[1:] if path.is_relative_to(self.folder) else (path.name,)
        )
        payload, named = path.resolve(), self._named()
        others = [other for other in self.files("/".join(below)) if other != path]
        commit = len(self.folder.parts) + 1
        return [other for other in others if other.resolve() == payload or other.parts[commit] not in named]

    def _named(self) -> set[str]:
        """The commits that a branch or a tag stands for, as far as is known here."""
        found = set[str]()
        for reference in (self.folder / "refs").rglob("*"):
            with suppress(OSError, ValueError):
                found.add(reference.read_text(encoding="ascii").strip())
        return found

    def _remove_name(self, path: Path) -> None:
        """Delete one name of a file, and first its bytes if it is the last one: they would be found by no name."""
        blob = path.parent / path.readlink() if path.is_symlink() else path
        payload = Path(os.path.realpath(blob))
        if not any(_leads_to(each, payload) for each in (self.folder / "snapshots").rglob("*") if each != path):
            links = sum(_leads_to(each, payload) for each in self.folder.parent.glob("*--*/blobs/*"))
            if links <= blob.is_symlink():  # no other repository has the bytes
                payload.unlink(missing_ok=True)
                payload.with_name(f"{payload.name}.refs").unlink(missing_ok=True)
            blob.unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _leads_to(link: Path, payload: Path) -> bool:
    return link.is_symlink() and os.path.realpath(link) == str(payload)


def lock_of(partial: Path) -> Path:
    """What is held by whoever is fetching the bytes that are missing in `partial`."""
    folder = partial.parent.parent
    return folder.parent / ".locks" / folder.name / f"{partial.stem}.lock"


def origin(folder: Path) -> tuple[str, str] | None:
    """The repository and the commit of a snapshot's folder; None for a folder that is none."""
    folder = folder.resolve()
    repository = folder.parent.parent.name
    if folder.parent.name != "snapshots" or not repository.startswith("models--"):
        return None
    return repository.removeprefix("models--").replace("--", "/", 1), folder.name

"""How every command publishes what it wrote, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from upath import UPath

from hatsformat.errors import OutputError
from hatsformat.publishing.lock import locked


class Publication(Protocol):
    """New content of a folder; readers see it when it is complete."""

    root: UPath  # the folder that readers see
    staging: UPath  # the folder that files are written to meanwhile
    scratch: Path  # a local folder for rows that do not fit in memory
    work: Path  # the local folder with the lock; see `hatsformat.publishing.work`

    def stage(self) -> None:
        """Recover or remove what a killed process left; raise `OutputError` if another process works here."""

    def begin(self, added: Sequence[str] = (), replaced: Sequence[str] = ()) -> None:
        """Announce new files and existing ones that will be replaced, relative to `root`.

        Called before they are written to `staging`, and again for more files.
        """

    def commit(self) -> None:
        """Make the new content visible, and clear the work folder."""

    def roll_back(self, error: BaseException) -> None:
        """Restore the old content after an error, which may come from `commit`."""


@contextmanager
def publish(publication: Publication) -> Iterator[None]:
    """Publish what the block writes to `publication.staging`, or nothing if it raises.

    Raises `OutputError` if another process works here, and `StorageError` if publishing fails; then the old
    content is restored.
    """
    busy = OutputError("another process is writing here", path=publication.root, hint="wait for it to finish")
    with locked(publication.work, busy=busy):
        publication.stage()
        try:
            yield
            publication.commit()
        except BaseException as error:
            publication.roll_back(error)
            raise

"""How every command publishes what it wrote: the steps, and the one function that takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from upath import UPath

from hatsformat.errors import OutputError
from hatsformat.publishing.lock import locked


class Publication(Protocol):
    """New content of a folder, that readers see when it is complete.

    Attributes
    ----------
    root : UPath
        The folder that readers see.
    staging : UPath
        Where its files are written meanwhile.
    scratch : Path
        A local folder for rows that do not fit in memory.
    work : Path
        The local folder with the lock; see `hatsformat.publishing.work`.
    """

    root: UPath
    staging: UPath
    scratch: Path
    work: Path

    def stage(self) -> None:
        """Prepare the work folder: recover or remove what a killed process left.

        Raises
        ------
        OutputError
            If other work is under way in the folder.
        """

    def begin(self, added: Sequence[str] = (), replaced: Sequence[str] = ()) -> None:
        """Announce files before they are written to `staging`; may be called again for more.

        Parameters
        ----------
        added, replaced : sequence of str
            Files that will be new, and existing ones that will be written again, relative to `root`.
        """

    def commit(self) -> None:
        """Show the new content, and remove what is in the work folder."""

    def roll_back(self, error: BaseException) -> None:
        """Bring back the old content after an error, also one of `commit`."""


@contextmanager
def publish(publication: Publication) -> Iterator[None]:
    """Publish what the block writes to `publication.staging`, or nothing if it raises.

    Raises
    ------
    OutputError
        If another process works here.
    StorageError
        If the new content cannot be shown; the old content is back then.
    """
    busy = OutputError(
        "another process is writing here", path=publication.root, hint="wait until it has finished"
    )
    with locked(publication.work, busy=busy):
        publication.stage()
        try:
            yield
            publication.commit()
        except BaseException as error:
            publication.roll_back(error)
            raise

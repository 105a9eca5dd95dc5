"""The errors this package raises on purpose.

Every one is a `HatsError`. Its text is a single line that names the file, what was found, what was
expected and what to do about it, so that a program can log it and a person can act on it. ::

    HatsError
    ├── UsageError            the call cannot be carried out (also a ValueError)
    │   ├── RegionError       not a valid region
    │   └── ColumnError       a missing column (also a KeyError)
    ├── FormatError           a file is not what the format says
    │   ├── PropertiesError
    │   ├── PartitionInfoError
    │   ├── LayoutError
    │   ├── LeafError
    │   └── SkymapError
    ├── StorageError          the storage did not deliver
    │   ├── UnavailableError  a server fails, or does not answer
    │   ├── NotFoundError     nothing at this path (also a FileNotFoundError)
    │   ├── ShortFileError
    │   └── ChangedError      a catalog changed after it was opened
    ├── BuildError            a catalog could not be built
    │   ├── InputError
    │   ├── CoordinatesError
    │   ├── SchemaError
    │   ├── ThresholdError
    │   ├── OutputError
    │   └── WorkerError
    └── MissingExtraError     an optional dependency is not installed
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any


class HatsError(Exception):
    """Base of every error raised on purpose.

    Parameters
    ----------
    message : str
        What is wrong, as a clause without the file's name.
    path : object, optional
        The file or directory concerned.
    found, expected : object, optional
        What was there, and what should have been.
    hint : str, optional
        What to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: object = None,
        found: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.found = found
        self.expected = expected
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.message if self.path is None else f"{self.path}: {self.message}"
        if self.found is not None:
            text += f" (found {_one_line(self.found)}"
            text += ")" if self.expected is None else f", expected {_one_line(self.expected)})"
        elif self.expected is not None:
            text += f" (expected {_one_line(self.expected)})"
        if self.hint:
            text += f"; {self.hint}"
        return " ".join(text.split())

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process boundaries; keyword-only arguments need a hand to be rebuilt.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[HatsError], args: tuple[Any, ...], state: dict[str, Any]) -> HatsError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def _one_line(value: object, limit: int = 200) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


class UsageError(HatsError, ValueError):
    """The caller asked for something that cannot be done."""


class RegionError(UsageError):
    """A region of the sky that is not one: a negative radius, a declination of 91 degrees."""


class ColumnError(UsageError, KeyError):
    """A column that the catalog or the input does not have."""


class FormatError(HatsError):
    """A file is there, but is not what the format says it should be."""


class PropertiesError(FormatError):
    """A properties file is wrong; `problems` holds everything that is wrong with it."""

    def __init__(self, message: str, *, problems: Sequence[Any] = (), **context: Any) -> None:
        self.problems = tuple(problems)
        super().__init__(message, **context)


class PartitionInfoError(FormatError):
    """A `partition_info.csv` that does not describe a set of tiles."""


class LayoutError(FormatError):
    """A path that is not one of the format's."""


class LeafError(FormatError):
    """A Parquet file of a catalog that cannot be read as one."""


class SkymapError(FormatError):
    """A sky map that is not a HEALPix map in FITS."""


class StorageError(HatsError):
    """The file system, bucket or server did not do what was asked of it."""


class UnavailableError(StorageError):
    """A server fails, hangs up or does not answer in time: nothing is known of what was asked for."""


class NotFoundError(StorageError, FileNotFoundError):
    """There is nothing at this path."""

    errno = errno.ENOENT

    @property
    def filename(self) -> str | None:
        """The path, under the name that `OSError` has for it."""
        return self.path


class ShortFileError(StorageError):
    """A file ends before the bytes that were asked for."""


class ChangedError(StorageError):
    """A catalog changed after it was opened, and files it was opened with are gone: open it again."""


class BuildError(HatsError):
    """A catalog could not be built; nothing that looks like a catalog is left behind."""


class InputError(BuildError):
    """An input file that is missing, empty, broken or of no known kind."""


class CoordinatesError(BuildError):
    """Rows whose coordinates are not positions on the sky."""


class SchemaError(BuildError):
    """Input files whose columns do not fit into one table."""


class ThresholdError(BuildError):
    """A tile that holds more than the threshold and cannot be split further."""


class OutputError(BuildError):
    """The place for the new catalog is taken or cannot be written."""


class WorkerError(BuildError):
    """A worker died; what it had finished is kept, and the import can be resumed."""


class MissingExtraError(HatsError):
    """An optional dependency is needed and not installed.

    Parameters
    ----------
    what : str
        What was asked for, such as ``"plotting"``.
    extra : str
        The extra of this package that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{what} needs a package that is not installed",
            hint=f"install it with: pip install 'hatsformat[{extra}]'",
        )

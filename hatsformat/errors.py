"""The errors of this package.

All of them are `HatsError`. The message is one line that names the file, what was found, what was expected
and how to fix it. ::

    HatsError
    ├── UsageError            an invalid argument or call (also a ValueError)
    │   ├── RegionError       an invalid region
    │   └── ColumnError       an unknown column (also a KeyError)
    ├── FormatError           a file violates the format
    │   ├── PropertiesError
    │   ├── PartitionInfoError
    │   ├── LayoutError
    │   ├── LeafError
    │   └── SkymapError
    ├── StorageError          the storage failed
    │   ├── UnavailableError  a server fails or does not answer
    │   ├── NotFoundError     a missing file or directory (also a FileNotFoundError)
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
    """Base class of all errors of this package.

    Parameters
    ----------
    message : str
        What is wrong, as a clause without the file's name.
    path : object, optional
        The file or directory.
    found, expected : object, optional
        What was found, and what was expected.
    hint : str, optional
        How to fix it.
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
        # Errors cross process boundaries; by default, pickle cannot pass keyword-only arguments.
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
    """An invalid argument, or a call that this catalog does not support."""


class RegionError(UsageError):
    """An invalid region of the sky, such as a cone with a negative radius."""


class ColumnError(UsageError, KeyError):
    """A column that is missing from the catalog or the input."""


class FormatError(HatsError):
    """A file exists but violates the format."""


class PropertiesError(FormatError):
    """An invalid properties file; `problems` lists everything that is wrong with it."""

    def __init__(self, message: str, *, problems: Sequence[Any] = (), **context: Any) -> None:
        self.problems = tuple(problems)
        super().__init__(message, **context)


class PartitionInfoError(FormatError):
    """An invalid `partition_info.csv`."""


class LayoutError(FormatError):
    """An invalid path of a leaf."""


class LeafError(FormatError):
    """A Parquet file of a catalog that cannot be read."""


class SkymapError(FormatError):
    """A sky map that is not a HEALPix map of counts in FITS."""


class StorageError(HatsError):
    """A file system, bucket or server failed."""


class UnavailableError(StorageError):
    """A server fails, drops the connection or times out. The file may still exist."""


class NotFoundError(StorageError, FileNotFoundError):
    """A missing file or directory."""

    errno = errno.ENOENT

    @property
    def filename(self) -> str | None:
        """The path, as in `OSError`."""
        return self.path


class ShortFileError(StorageError):
    """A file is shorter than expected."""


class ChangedError(StorageError):
    """A catalog changed after it was opened, and some of its files are missing now: open it again."""


class BuildError(HatsError):
    """A catalog could not be built; no partial catalog is left behind."""


class InputError(BuildError):
    """An input file that is missing, empty, broken or in an unknown format."""


class CoordinatesError(BuildError):
    """Rows without a valid position."""


class SchemaError(BuildError):
    """Input files whose columns do not fit together."""


class ThresholdError(BuildError):
    """A tile that is above the threshold and cannot be split further."""


class OutputError(BuildError):
    """The output already exists or cannot be written."""


class WorkerError(BuildError):
    """A worker died; finished work is kept, and the import can be resumed."""


class MissingExtraError(HatsError):
    """An optional dependency is not installed.

    Parameters
    ----------
    what : str
        What needs it, such as ``"plotting"``.
    extra : str
        The extra of this package that installs it.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"{what} needs a package that is not installed",
            hint=f"install it with: pip install 'hatsformat[{extra}]'",
        )

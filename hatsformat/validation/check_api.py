"""What checks say: a departure, or why there is no evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat.errors import UnavailableError

OUTAGE = "the storage failed"
"""How the reason begins why a check was not run that may be run the next time."""


class NoEvidenceError(Exception):
    """Raised by evidence that is asked for and is not there; the check is then not run.

    Parameters
    ----------
    reason : str
        What is missing, as a clause.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def outage(error: UnavailableError) -> NoEvidenceError:
    """Return that evidence is missing because the storage failed, which is no fault of the catalog."""
    return NoEvidenceError(f"{OUTAGE}: {error}")


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What a row check says of a batch of rows.

    Attributes
    ----------
    wrong : ndarray of bool, shape (n,)
        The rows that depart from the requirement.
    column : str or None
        The column concerned.
    actual : sequence, optional
        Values to show, shape (n,).
    expected : object
        What should be there, or a sequence of shape (n,).
    """

    wrong: npt.NDArray[np.bool_]
    column: str | None = None
    actual: Any = None
    expected: Any = None


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check of rows: its message, and the function that judges a batch."""

    message: str
    judge: Callable[[Any], RowVerdict]

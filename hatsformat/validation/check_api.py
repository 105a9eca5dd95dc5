"""The results of checks: a verdict about rows, or why there is no evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hatsformat.errors import UnavailableError

OUTAGE = "the storage failed"
"""First words of the reason of a check that did not run because of the storage, and may run the next time."""


class NoEvidenceError(Exception):
    """Raised if the evidence for a check is missing; the check is then not run.

    Parameters
    ----------
    reason : str
        What is missing, as a clause.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def outage(error: UnavailableError) -> NoEvidenceError:
    """Return the error for evidence that is missing because the storage failed."""
    return NoEvidenceError(f"{OUTAGE}: {error}")


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """The result of a row check for a batch of rows.

    Attributes
    ----------
    wrong : ndarray of bool, shape (n,)
        The rows that depart from the requirement.
    column : str or None
        The checked column.
    actual : sequence, optional
        The values to report, shape (n,).
    expected : object
        The expected value, or a sequence of shape (n,).
    """

    wrong: npt.NDArray[np.bool_]
    column: str | None = None
    actual: Any = None
    expected: Any = None


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check of rows: its message, and the function that checks a batch."""

    message: str
    judge: Callable[[Any], RowVerdict]

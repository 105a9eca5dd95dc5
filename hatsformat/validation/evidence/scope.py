"""How a validation was asked for, as the evidence needs to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hatsformat.validation.check_api import NoEvidenceError, RowCheck
from hatsformat.validation.requirements import LEVELS


@dataclass(frozen=True, slots=True)
class Scope:
    """How a validation was asked for.

    Attributes
    ----------
    edition, level : str
    row_checks : mapping of str to RowCheck
        The checks that see every row, by the requirement's id.
    """

    edition: str
    level: str
    row_checks: Mapping[str, RowCheck] = field(default_factory=dict)

    def reaches(self, level: str) -> bool:
        """Whether the validation goes as deep as `level`."""
        return LEVELS.index(self.level) >= LEVELS.index(level)

    def require(self, level: str) -> None:
        """Raise `NoEvidenceError` where the validation does not go that deep."""
        if not self.reaches(level):
            raise NoEvidenceError(f"not checked at level {self.level}; needs level {level}")

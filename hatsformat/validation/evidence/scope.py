"""The parts of the settings that the evidence needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hatsformat.validation.check_api import NoEvidenceError, RowCheck
from hatsformat.validation.requirements import LEVELS


@dataclass(frozen=True, slots=True)
class Scope:
    """The level, edition and row checks of a validation.

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
        """Return whether the validation includes `level`."""
        return LEVELS.index(self.level) >= LEVELS.index(level)

    def require(self, level: str) -> None:
        """Raise `NoEvidenceError` if the validation does not include `level`."""
        if not self.reaches(level):
            raise NoEvidenceError(f"not checked at level {self.level}; needs level {level}")

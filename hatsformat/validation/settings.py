"""The settings of a validation: level, edition, rules and severities."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, cast

from hatsformat import storage
from hatsformat.errors import NotFoundError, UsageError
from hatsformat.validation.requirements import EDITIONS, LEVELS, Requirement, Severity, requirements

CONFIG_NAME = "hatsformat.toml"
"""The settings file that the command line reads from the current directory."""

SEVERITIES = ("error", "warning", "info")
"""The severities, the worst first."""

FAIL_ON = ("error", "warning")
"""The severities to fail on."""

_LIMIT = 1 << 20
_KEYS = ("level", "edition", "fail-on", "disable", "severity")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a validation.

    Attributes
    ----------
    level : {"rows", "footers", "metadata"}
    edition : {"1.0", "draft-2025-04"}
    disabled : frozenset of str
        The ids of the rules that are skipped.
    severities : mapping of str to str
        The changed severities, by rule id.
    fail_on : {"error", "warning"}
        The lowest severity on which a program should fail.
    """

    level: str = "rows"
    edition: str = "1.0"
    disabled: frozenset[str] = frozenset()
    severities: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    fail_on: str = "error"

    def changed(
        self,
        *,
        level: str | None = None,
        edition: str | None = None,
        disable: str | Iterable[str] = (),
        severities: Mapping[str, str] | None = None,
        fail_on: str | None = None,
    ) -> Settings:
        """Return the settings with the given values changed; disabled rules are added.

        Raises
        ------
        UsageError
            If a level, edition, severity or rule is unknown.
        """
        selectors = (disable,) if isinstance(disable, str) else tuple(disable)
        return replace(
            self,
            level=self.level if level is None else _one_of(LEVELS, level, "level"),
            edition=self.edition if edition is None else _one_of(EDITIONS, edition, "edition of the note"),
            disabled=self.disabled | select_rules(selectors),
            severities=MappingProxyType({**self.severities, **_expand(severities or {})}),
            fail_on=self.fail_on if fail_on is None else _one_of(FAIL_ON, fail_on, "severity to fail on"),
        )

    @property
    def rules(self) -> Mapping[str, Requirement]:
        """The requirements by id, with their severities in these settings."""
        return {
            rule.id: replace(rule, severity=self.severities[rule.id]) if rule.id in self.severities else rule
            for rule in requirements().values()
        }

    @classmethod
    def read(cls, path: storage.PathLike) -> Settings:
        """Read a settings file.

        Parameters
        ----------
        path : str, path or UPath
            A file in TOML with a table ``validate``: ``level``, ``edition``, ``fail-on``, a list ``disable``
            of rules, and a table ``severity`` of severities by rule.

        Raises
        ------
        UsageError
            If the file is invalid or has an unknown setting, which may be misspelled.
        NotFoundError
            If the file does not exist.
        """
        import tomllib

        source = storage.resolve(path)
        try:
            content = tomllib.loads(storage.read_bytes(source, limit=_LIMIT).decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"invalid TOML in the settings file: {error}", path=source) from error
        except NotFoundError as error:
            raise NotFoundError("settings file not found", path=source) from error
        try:
            return cls._from_tables(content)
        except UsageError as error:
            raise UsageError(
                error.message, path=source, found=error.found, expected=error.expected, hint=error.hint
            ) from error

    @classmethod
    def _from_tables(cls, content: Mapping[str, Any]) -> Settings:
        _known(content, ("validate",), "table")
        table = _typed(content, "validate", dict, "a table")
        _known(table, _KEYS, "setting")
        disable = _typed(table, "disable", list, "a list of rules")
        severities = _typed(table, "severity", dict, "a table of severities by rule")
        if not all(isinstance(item, str) for item in [*disable, *severities.values()]):
            raise UsageError("rules and severities must be strings", expected="a string in quotation marks")
        return cls().changed(
            level=_typed(table, "level", str, "a string", None),
            edition=_typed(table, "edition", str, "a string in quotation marks", None),
            disable=disable,
            severities=severities,
            fail_on=_typed(table, "fail-on", str, "a string", None),
        )


def select_rules(selectors: Iterable[str]) -> frozenset[str]:
    """Return the ids of rules selected by id or by a prefix such as ``HATS-AUX``.

    Parameters
    ----------
    selectors : iterable of str
        Ids, or ids without their last parts; upper or lower case.

    Raises
    ------
    UsageError
        If a selector matches no rule; the error suggests similar ones.

    Examples
    --------
    >>> sorted(select_rules(["HATS-EVID", "hats-leaf-001"]))
    ['HATS-EVID-001', 'HATS-LEAF-001']
    """
    known = requirements()
    chosen: set[str] = set()
    for selector in selectors:
        wanted = selector.strip().upper()
        found = {rule for rule in known if rule == wanted or rule.startswith(f"{wanted}-")}
        if not found or not wanted:
            raise UsageError("unknown rule", found=selector, hint=_near(wanted, known))
        chosen |= found
    return frozenset(chosen)


def _near(wanted: str, known: Iterable[str]) -> str:
    ids = list(known)
    areas = sorted({rule.rpartition("-")[0] for rule in ids})
    near = difflib.get_close_matches(wanted, [*areas, *ids], 3, 0.7)
    listing = "`hatsformat rules` lists them"
    return f"did you mean {' or '.join(near)}? {listing}" if near else listing


def _expand(severities: Mapping[str, str]) -> dict[str, Severity]:
    """Return severities by id; if two selectors match a rule, the longer one counts."""
    found: dict[str, Severity] = {}
    for selector in sorted(severities, key=len):
        severity = cast(Severity, _one_of(SEVERITIES, severities[selector], "severity"))
        found |= dict.fromkeys(select_rules([selector]), severity)
    return found


def _one_of(choices: Iterable[str], value: str, what: str) -> str:
    if value not in choices:
        raise UsageError(f"unknown {what}", found=value, expected=" or ".join(choices))
    return value


def _known(table: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    for name in table:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise UsageError(
                f"unknown {what}",
                found=name,
                expected=" or ".join(names),
                hint=f"did you mean {near[0]}?" if near else None,
            )


def _typed(table: Mapping[str, Any], name: str, kind: type, expected: str, default: Any = ()) -> Any:
    value = table.get(name, default if default != () else kind())
    if value is not None and not isinstance(value, kind):
        raise UsageError(f"{name} has the wrong type", found=value, expected=expected)
    return value


@dataclass(frozen=True, slots=True)
class NearbyFile:
    """The settings file of the current directory, and whether it is trusted."""

    path: str
    trusted: bool


def settings_nearby(path: storage.PathLike) -> NearbyFile | None:
    """Return the settings file of the current directory, or None.

    A catalog must not control its own validation. The file is not trusted if it is inside the catalog, is a
    link into it, or if the current directory is inside the catalog.

    Parameters
    ----------
    path : str, path or UPath
        The validated path.
    """
    if not os.path.lexists(CONFIG_NAME):
        return None
    validated = storage.resolve(path)
    if not storage.is_local(validated):
        return NearbyFile(CONFIG_NAME, True)
    root = os.path.realpath(validated.path)
    inside = [os.path.realpath(name) for name in (".", CONFIG_NAME)]
    return NearbyFile(CONFIG_NAME, all(os.path.commonpath([root, real]) != root for real in inside))

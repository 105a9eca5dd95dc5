"""The base class of properties: reading, writing and changing, driven by the keyword table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from hatsformat.errors import PropertiesError, UsageError
from hatsformat.properties.document import PropertiesDocument
from hatsformat.properties.keyword import Keyword
from hatsformat.properties.keywords import ALIASES, FileKind, find_text
from hatsformat.properties.problems import Problem
from hatsformat.properties.rules import find_problems
from hatsformat.properties.text import format_properties_text, parse_properties_text
from hatsformat.properties.values import Pairs


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BaseProperties:
    """The keywords that every properties file may have, and the methods for all of them.

    Each keyword is an attribute of the same name. It is None if the keyword is missing, empty, or has a value
    that cannot be read; that text is kept and written again. Objects are equal if their attributes are equal:
    comments, the order of lines and the spelling of numbers are ignored.

    Attributes
    ----------
    extra : Mapping of str to str
        Unknown keywords with their texts, in the order of the file.
    """

    file_kind: ClassVar[FileKind]
    """The keywords of this kind of file."""

    obs_collection: str | None = None
    hats_primary_table_url: str | None = None
    hats_coordinate_epoch: str | None = None
    hats_frame: str | None = None
    hats_max_rows: int | None = None
    hats_max_bytes: int | None = None
    hats_order: int | None = None
    moc_sky_fraction: float | None = None
    hats_builder: str | None = None
    hats_creation_date: datetime | None = None
    hats_release_date: datetime | None = None
    hats_estsize: int | None = None
    hats_version: str | None = None
    hats_data_semver: str | None = None
    hats_creator: str | None = None
    hats_copyright: str | None = None
    hats_status: tuple[str, ...] | None = None
    hats_service_url: str | None = None
    hats_progenitor_url: str | None = None
    hats_successor_url: str | None = None
    hats_successor_description: str | None = None
    creator_did: str | None = None
    publisher_id: str | None = None
    addendum_did: str | None = None
    addendum_description: str | None = None
    obs_title: str | None = None
    obs_description: str | None = None
    obs_regime: str | None = None
    obs_ack: str | None = None
    obs_copyright: str | None = None
    obs_copyright_url: str | None = None
    prov_progenitor: str | None = None
    bib_reference: str | None = None
    bib_reference_url: str | None = None
    data_ucd: str | None = None
    t_min: float | None = None
    t_max: float | None = None
    extra: Mapping[str, str] = field(default_factory=Pairs)
    _document: PropertiesDocument = field(init=False, compare=False, default=PropertiesDocument())

    def __post_init__(self) -> None:
        texts: dict[str, str] = {}
        for name, keyword in self.file_kind.keywords.items():
            value = getattr(self, name)
            if value is not None:
                clean, text = keyword.format(value)
                object.__setattr__(self, name, clean)
                if clean is not None:
                    texts[name] = text
        texts.update(self._check_extra(self.extra))
        object.__setattr__(self, "extra", Pairs(self.extra))
        object.__setattr__(self, "_document", PropertiesDocument.of(texts, title=self.file_kind.title))

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in (*self.file_kind.keywords, "extra")}
        shown = (f"{name}={value!r}" for name, value in values.items() if value not in (None, {}))
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def parse(cls, source: str | bytes, path: object = None, *, strict: bool = False) -> Self:
        """Read the content of a properties file.

        Reading is lenient: all common spellings of lists, dates, Booleans and versions are accepted, as are
        empty values, keywords of other editions and unknown keywords. It only raises for problems that make
        the data unusable: a missing or unknown type of table, a collection or extension without a table, or
        an invalid value of a keyword that readers depend on. The ``validate_*`` functions report all
        problems, including those that only affect other readers.

        Parameters
        ----------
        source : str or bytes
            The content of the file.
        path : object, optional
            The path of the file, for messages.
        strict : bool
            Also raise for errors that readers can handle, such as a missing keyword.

        Returns
        -------
        Self
            An object of this class.

        Raises
        ------
        PropertiesError
            With all problems of the file in ``problems``.
        """
        document, _ = parse_properties_text(source)
        problems = find_problems(document, cls.file_kind)
        limit = ("fatal", "error") if strict else ("fatal",)
        failures = [problem for problem in problems if problem.severity in limit]
        if failures:
            raise _failure(cls.file_kind.name, failures, problems, path)
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: PropertiesDocument) -> Self:
        """Read a document as far as possible; never raises.

        Parameters
        ----------
        document : PropertiesDocument
            From `parse_properties_text`.

        Returns
        -------
        Self
            An object of this class. Attributes whose values cannot be read are None; their texts are kept.
        """
        texts = document.to_dict()
        known = cls.file_kind.keywords
        values = {name: _read(keyword, texts) for name, keyword in known.items()}
        properties = cls(**values)
        others = {name: text for name, text in texts.items() if ALIASES.get(name, name) not in known}
        names = {alias: name for alias, name in ALIASES.items() if name in known}
        object.__setattr__(properties, "extra", Pairs(others))
        object.__setattr__(properties, "_document", document.merged(names))
        return properties

    def validate(self) -> list[Problem]:
        """Return all problems of what `format` would write, the worst first."""
        return find_problems(self._document, self.file_kind)

    def format(self) -> str:
        """Write the properties as text, to be encoded as UTF-8.

        Returns
        -------
        str
            Order, comments and the spelling of values are kept. Every keyword is written once, under its
            current name. A canonical file does not change.
        """
        return format_properties_text(self._document)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some values changed; order, comments and unknown keywords are kept.

        Parameters
        ----------
        **changes
            New values by keyword, of the attribute's type; None or an empty value removes the keyword. The
            value of an unknown keyword is a string. ``extra`` replaces all unknown keywords.

        Returns
        -------
        Self
            A new object.

        Raises
        ------
        UsageError
            If a value has the wrong type, or readers could not read it back.
        """
        texts: dict[str, str | None] = {}
        if "extra" in changes:
            texts.update(dict.fromkeys(self.extra))
            texts.update(self._check_extra(changes.pop("extra")))
        for name, value in changes.items():
            keyword = self.file_kind.keywords.get(ALIASES.get(name, name))
            if value is None:
                texts[keyword.name if keyword else name] = None
            elif keyword is None:
                texts.update(self._check_extra({name: value}))
            else:
                clean, text = keyword.format(value)
                texts[keyword.name] = None if clean is None else text
        return self.from_document(self._document.with_values(texts, ALIASES))

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return a value by its keyword.

        Parameters
        ----------
        keyword : str
            A known keyword, an alias, or an unknown keyword.
        default : object
            Returned if there is no value.

        Returns
        -------
        object
            Of the attribute's type; a string for an unknown keyword.
        """
        name = ALIASES.get(keyword, keyword)
        value = getattr(self, name) if name in self.file_kind.keywords else self.extra.get(keyword)
        return default if value is None else value

    def to_dict(self) -> dict[str, str]:
        """Return the texts of all values by keyword, in the order of `format`."""
        return self._document.to_dict()

    @property
    def comments(self) -> tuple[str, ...]:
        """The comment lines, each with its ``#`` or ``!``."""
        return self._document.comments

    @classmethod
    def _check_extra(cls, extra: Mapping[str, Any]) -> Mapping[str, str]:
        for name, text in extra.items():
            if not isinstance(text, str):
                raise UsageError("the value of an unknown keyword must be a string", found={name: text})
            if not name or ALIASES.get(name, name) in cls.file_kind.keywords:
                raise UsageError(
                    "extra cannot contain a keyword of the format" if name else "a keyword must not be empty",
                    found=name,
                    hint=f"pass {ALIASES.get(name, name)} as its own argument" if name else None,
                )
        return extra


def _read(keyword: Keyword, texts: Mapping[str, str]) -> Any:
    found = find_text(texts, keyword)
    if found is None:
        return None
    try:
        return keyword.parse(found[1])
    except (ValueError, OverflowError):
        # The validation reports invalid values; the document keeps the text.
        return None


def _failure(what: str, failures: list[Problem], problems: list[Problem], path: object) -> PropertiesError:
    first = failures[0]
    message = f"the properties of this {what} cannot be used"
    if len(failures) > 1:
        message += f" ({len(failures)} problems)"
    message += f": {first.message}" if first.line is None else f": line {first.line}: {first.message}"
    return PropertiesError(
        message, problems=problems, path=path, found=first.found, expected=first.expected, hint=first.fix
    )

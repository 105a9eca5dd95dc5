"""The lines of a properties file, in order, as a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hatsformat.properties.problems import Problem


@dataclass(frozen=True, slots=True)
class Entry:
    """A keyword and its value, both without escapes.

    Attributes
    ----------
    keyword, value : str
        The texts, exactly as a Java reader returns them.
    line : int or None
        The line of the file on which the entry begins, from 1; None if it was not read from a file.
    """

    keyword: str
    value: str
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment line with its ``#`` or ``!``, or an empty line."""

    text: str


@dataclass(frozen=True, slots=True)
class PropertiesDocument:
    """The lines of a properties file, in order.

    Attributes
    ----------
    lines : tuple of Entry or Comment
        Entries, comments and empty lines as in the file. A keyword may occur more than once.
    problems : tuple of Problem
        What is wrong with the text; ignored in comparisons.
    """

    lines: tuple[Entry | Comment, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, texts: Mapping[str, str], *, title: str | None = None) -> PropertiesDocument:
        """Create a document from keywords and texts, with an optional title as its first line.

        Parameters
        ----------
        texts : mapping of str to str
            The value texts by keyword, in the order to write them.
        title : str, optional
            The text of the first line, a comment.

        Returns
        -------
        PropertiesDocument
        """
        head: tuple[Comment, ...] = () if title is None else (Comment(f"#{title}"),)
        return cls((*head, *(Entry(keyword, value) for keyword, value in texts.items())))

    @property
    def entries(self) -> Iterator[Entry]:
        """The entries, including duplicates."""
        return (line for line in self.lines if isinstance(line, Entry))

    @property
    def comments(self) -> tuple[str, ...]:
        """The comment lines, each with its ``#`` or ``!``."""
        return tuple(line.text for line in self.lines if isinstance(line, Comment) and line.text)

    def to_dict(self) -> dict[str, str]:
        """Return texts by keyword; of duplicates the last one, as in Java."""
        return {entry.keyword: entry.value for entry in self.entries}

    def last_entries(self) -> dict[str, Entry]:
        """Return the last entry of each keyword, which is the one that readers use."""
        return {entry.keyword: entry for entry in self.entries}

    def with_values(
        self, changes: Mapping[str, str | None], aliases: Mapping[str, str] | None = None
    ) -> PropertiesDocument:
        """Change, add or remove values; existing keywords keep their lines.

        Parameters
        ----------
        changes : mapping of str to (str or None)
            New value texts by keyword; None removes the keyword. A new keyword goes to the end.
        aliases : mapping of str to str, optional
            Other names of keywords: a change replaces their lines, too.

        Returns
        -------
        PropertiesDocument
        """
        aliases = aliases or {}
        lines: list[Entry | Comment] = []
        waiting = {keyword: value for keyword, value in changes.items() if value is not None}
        for line in self.lines:
            keyword = aliases.get(line.keyword, line.keyword) if isinstance(line, Entry) else None
            if keyword is None or keyword not in changes:
                lines.append(line)
            elif keyword in waiting:
                lines.append(Entry(keyword, waiting.pop(keyword)))
        lines.extend(Entry(keyword, value) for keyword, value in waiting.items())
        return replace(self, lines=tuple(lines), problems=())

    def merged(self, aliases: Mapping[str, str] | None = None) -> PropertiesDocument:
        """Put every keyword on one line, with the value that readers use, under its current name.

        Parameters
        ----------
        aliases : mapping of str to str, optional
            Other names of keywords. A line with such a name is renamed, unless the keyword has its own line.

        Returns
        -------
        PropertiesDocument
            A duplicate keeps its first line and its last value.
        """
        aliases = aliases or {}
        last = self.last_entries()
        taken = set(last)
        lines: list[Entry | Comment] = []
        done: set[str] = set()
        for line in self.lines:
            if not isinstance(line, Entry):
                lines.append(line)
            elif line.keyword not in done:
                done.add(line.keyword)
                present = aliases.get(line.keyword, line.keyword)
                name = line.keyword if present in taken else present
                taken.add(name)
                lines.append(replace(last[line.keyword], keyword=name))
        return replace(self, lines=tuple(lines))

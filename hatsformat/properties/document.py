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
        The texts, exactly as a Java reader has them.
    line : int or None
        The line of the file on which the entry begins, from 1; None for one that was not read.
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
        Entries, comments and empty lines as they stand. A keyword may be there more than once.
    problems : tuple of Problem
        What was wrong with the text; not part of the comparison.
    """

    lines: tuple[Entry | Comment, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, texts: Mapping[str, str], *, title: str | None = None) -> PropertiesDocument:
        """Make a document of keywords and value texts, after a comment line with a title.

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
        """The entries alone, duplicates included."""
        return (line for line in self.lines if isinstance(line, Entry))

    @property
    def comments(self) -> tuple[str, ...]:
        """The comment lines, each with its ``#`` or ``!``."""
        return tuple(line.text for line in self.lines if isinstance(line, Comment) and line.text)

    def to_dict(self) -> dict[str, str]:
        """Return value texts by keyword; the last one of a keyword that is there twice, as in Java."""
        return {entry.keyword: entry.value for entry in self.entries}

    def last_entries(self) -> dict[str, Entry]:
        """Return the entry that counts for each keyword."""
        return {entry.keyword: entry for entry in self.entries}

    def with_values(
        self, changes: Mapping[str, str | None], aliases: Mapping[str, str] | None = None
    ) -> PropertiesDocument:
        """Change, add or remove values, keeping the place of what is there already.

        Parameters
        ----------
        changes : mapping of str to (str or None)
            New value texts by keyword; None removes the keyword. A new keyword goes to the end.
        aliases : mapping of str to str, optional
            Other names and the keyword each stands for: lines under such a name give way to a change.

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
        """Put every keyword on one line, with the value that counts and under its present name.

        Parameters
        ----------
        aliases : mapping of str to str, optional
            Other names and the keyword each stands for. A line under such a name is renamed
            unless the keyword has a line of its own.

        Returns
        -------
        PropertiesDocument
            A duplicate keeps the place of its first line and the value of its last.
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

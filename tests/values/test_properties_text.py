"""Properties text: Java's rules, canonical writing, and no text that breaks the reader."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hatsformat.properties import (
    Comment,
    Entry,
    PropertiesDocument,
    format_properties_text,
    parse_properties_text,
)

# Text that is likely to reach every rule: separators, escapes whole and broken, every line end, odd blanks.
PIECES = [
    "a", "B", "0", "\\", "\\\\", "\n", "\r", "\r\n", " ", "\t", "\f", "=", ":", "#", "!", "\\u0041",
    "\\u00e9", "\\ud83d\\ude00", "\\u12", "\\\n", "\\\r\n", "\\n", "\\t", "\\q", "é", "😀", "\x0b",
    "\x85", "\u2028", "\ufeff", "x=y",
]  # fmt: skip
TRICKY = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
NAMES = st.text(min_size=1, max_size=8)


class SlowReader:
    """Java's rules, one character at a time: the oracle. Only for texts whose escapes are all sound."""

    def __init__(self, text: str) -> None:
        self.rest = text.replace("\r\n", "\n").replace("\r", "\n")

    def take(self) -> str:
        character, self.rest = self.rest[:1], self.rest[1:]
        return character

    def next_is(self, characters: str) -> bool:
        return self.rest != "" and self.rest[0] in characters

    def skip(self, characters: str) -> None:
        while self.next_is(characters):
            self.take()

    def escape(self) -> str:
        letter = self.take()
        if letter == "\n":
            self.skip(" \t\f")
            return ""
        if letter == "u":
            return chr(int("".join(self.take_joined() for _ in range(4)), 16))
        return {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}.get(letter, letter)

    def until(self, stop: str) -> str:
        out = ""
        while self.rest and not self.next_is(stop):
            character = self.take()
            out += self.escape() if character == "\\" else character
        return out.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    def join(self) -> None:
        while self.rest.startswith("\\\n"):
            self.rest = self.rest[2:]
            self.skip(" \t\f")

    def take_joined(self) -> str:
        self.join()
        return self.take()

    def skip_blanks(self) -> None:
        self.skip(" \t\f")
        self.join()

    def entry(self) -> tuple[str, str]:
        keyword = self.until(" \t\f=:\n")
        self.skip_blanks()
        if self.next_is("=:"):
            self.take()
            self.skip_blanks()
        return keyword, self.until("\n")

    def read(self) -> dict[str, str]:
        entries = {}
        while self.rest:
            self.skip(" \t\f\n")
            if self.next_is("#!"):
                while self.rest and not self.next_is("\n"):
                    self.take()
            elif self.rest == "\\" or self.rest.startswith("\\\n"):
                self.rest = self.rest[2:]
            elif self.rest:
                keyword, value = self.entry()
                entries[keyword] = value
        return entries


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = b", {"a": "b"}),
        ("a=b", {"a": "b"}),
        ("a:b", {"a": "b"}),
        ("a b", {"a": "b"}),
        ("  a  \t=\f b ", {"a": "b "}),
        ("a = = b", {"a": "= b"}),
        ("a==b", {"a": "=b"}),
        ("a = x=y:z", {"a": "x=y:z"}),
        ("a\\=b\\ c = d", {"a=b c": "d"}),
        ("hats_creation_date = 2025-04-15T03\\:38UTC", {"hats_creation_date": "2025-04-15T03:38UTC"}),
        ("a = \\u00e9\\t\\n\\\\ \\q\\ ", {"a": "é\t\n\\ q "}),
        ("a = one,\\\n    two\\\r\n\ttwo", {"a": "one,twotwo"}),
        ("a = b\\\\\nc = d", {"a": "b\\", "c": "d"}),
        ("# a = b\n  ! c = d \\\ne = f", {"e": "f"}),
        ("a = b # c", {"a": "b # c"}),
        ("a = 1\r\nb = 2\rc = 3\n\n\n", {"a": "1", "b": "2", "c": "3"}),
        ("a = x\x85y\u2028z\x0b", {"a": "x\x85y\u2028z\x0b"}),
        ("\ufeffa = b", {"a": "b"}),
        ("a", {"a": ""}),
        ("a =", {"a": ""}),
        ("a = b\\", {"a": "b"}),
        ("", {}),
        ("\n \t\n", {}),
    ],
)
def test_java_rules(text, expected):
    document, _ = parse_properties_text(text)
    assert document.to_dict() == expected
    assert parse_properties_text(text.encode())[0] == document


@given(TRICKY)
@example("\\\n#a\n")
@example("a\\\n#b=\\\n  !c")
@example("\\\n\\\r\n  \\\n a=b")
@example("a \\\n=\\\n b")
@example("\\u12a\\\n a")
def test_reading_agrees_with_the_oracle(text):
    document, problems = parse_properties_text(text)
    if any(problem.kind == "bad-escape" for problem in problems):
        return
    assert document.to_dict() == SlowReader(text.removeprefix("\ufeff")).read()


JAVA = """
import java.io.*; import java.nio.charset.*; import java.util.*;
public class Read {
    static String code(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_16LE));
    }
    public static void main(String[] arguments) throws IOException {
        var input = new BufferedReader(new InputStreamReader(System.in));
        String line;
        while ((line = input.readLine()) != null) {
            var properties = new Properties();
            var text = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
            properties.load(new StringReader(text));
            var out = new StringJoiner(",", "{", "}");
            for (var key : properties.stringPropertyNames())
                out.add('"' + code(key) + "\\":\\"" + code(properties.getProperty(key)) + '"');
            System.out.println(out);
        }
    }
}
"""


@pytest.mark.interop
def test_java_reads_what_is_written(tmp_path: Path):
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        pytest.skip("there is no Java here")
    (tmp_path / "Read.java").write_text(JAVA)
    documents = []

    @given(st.dictionaries(NAMES | TRICKY.filter(bool), st.text() | TRICKY, max_size=5))
    def collect(texts):
        documents.append(PropertiesDocument.of(texts, title="HATS catalog"))

    collect()
    lines = [base64.b64encode(format_properties_text(document).encode()).decode() for document in documents]
    run = [java, "-XX:TieredStopAtLevel=1", str(tmp_path / "Read.java")]
    done = subprocess.run(run, input="\n".join(lines), capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(documents)
    for document, answer in zip(documents, answers, strict=True):
        decoded = {decode(key): decode(value) for key, value in answer.items()}
        assert decoded == document.to_dict()


def decode(code: str) -> str:
    return base64.b64decode(code).decode("utf-16-le")


@given(st.binary() | TRICKY.map(str.encode) | st.text().map(lambda text: text.encode("utf-16")))
def test_no_bytes_raise(data):
    document, problems = parse_properties_text(data)
    assert document.problems == tuple(problems)
    try:
        data.decode()
    except UnicodeDecodeError:
        assert "encoding" in {problem.kind for problem in problems}
    text = format_properties_text(document)
    again, _ = parse_properties_text(text.encode())
    assert again.to_dict() == document.to_dict()


@given(TRICKY | st.text() | st.text(st.characters(categories=["Cs", "L", "Zs", "Po"])))
def test_writing_is_canonical(text):
    document, _ = parse_properties_text(text)
    once = format_properties_text(document)
    again, _ = parse_properties_text(once.encode())
    assert again.to_dict() == document.to_dict()
    assert format_properties_text(again) == once
    assert once == "" or once.endswith("\n")
    assert "\r" not in once
    assert len(again.comments) == len(document.comments)


@given(st.lists(st.tuples(NAMES | TRICKY, st.text() | TRICKY)))
def test_any_entries_come_back_in_order(pairs):
    document = PropertiesDocument(tuple(Entry(*pair) for pair in pairs))
    text = format_properties_text(document)
    again, problems = parse_properties_text(text)
    assert list(again.entries) == list(document.entries)
    assert {problem.kind for problem in problems} <= {"duplicate-keyword", "no-keyword"}
    # A reader that takes any of Unicode's line ends still sees a line for an entry.
    assert len(text.splitlines()) == len(pairs)


@given(
    st.dictionaries(
        st.from_regex("[a-z_0-9]+", fullmatch=True), st.from_regex(r"[!-\[\]-~é日]*", fullmatch=True)
    )
)
def test_plain_values_are_written_as_they_are(texts):
    expected = "".join(f"{keyword}={value}\n" for keyword, value in texts.items())
    assert format_properties_text(PropertiesDocument.of(texts)) == expected


def test_characters_that_other_readers_stumble_over_are_escaped():
    document = PropertiesDocument.of({"\ufeffa": "\ufeffb\x00\x0b\x85\u2028\x7f", "#c =": "  \td\\"})
    text = "\\ufeffa=\ufeffb\\u0000\\u000b\\u0085\\u2028\\u007f\n\\#c\\ \\==\\  \\td\\\\\n"
    assert format_properties_text(document) == text


def test_comments_and_empty_lines_are_kept():
    text = "#HATS catalog\n! old\n\na=1\n# about b\nb=2\n"
    document, problems = parse_properties_text(text)
    assert not problems
    assert format_properties_text(document) == text
    assert document.comments == ("#HATS catalog", "! old", "# about b")
    assert [entry.line for entry in document.entries] == [4, 6]


def test_a_comment_cannot_break_the_next_line():
    document = PropertiesDocument(
        (Comment("#:"), Comment("two\r\nlines"), Comment("#\ud800"), Entry("a", "b"))
    )
    text = format_properties_text(document)
    assert text == "# :\n#two lines\n#\ufffd\na=b\n"


def kinds(source: str | bytes) -> list[tuple[str, int | None]]:
    return [(problem.kind, problem.line) for problem in parse_properties_text(source)[1]]


def test_duplicates_are_reported_and_the_last_wins():
    document, problems = parse_properties_text("a=1\nb=2\na=3\n")
    assert document.to_dict() == {"a": "3", "b": "2"}
    (problem,) = problems
    assert (problem.kind, problem.severity, problem.keyword, problem.line) == (
        "duplicate-keyword",
        "error",
        "a",
        3,
    )
    assert parse_properties_text("a=1\na = 1")[1][0].severity == "warning"


def test_bad_utf8_is_located_and_kept_as_latin1():
    data = b"a=1\r\nobs_title = caf\xe9 \xc3\xa9\n"
    document, (problem,) = parse_properties_text(data)
    assert document.to_dict() == {"a": "1", "obs_title": "café é"}
    assert (problem.kind, problem.line, problem.found) == ("encoding", 2, "0xe9")
    assert "byte 20" in problem.message
    assert data[20] == 0xE9


def test_text_problems():
    assert kinds("\ufeffa=1") == [("byte-order-mark", 1)]
    assert kinds("a=1\nb=C:\\users") == [("bad-escape", 2)]
    assert kinds("a=\\ud83d") == [("bad-escape", 1)]
    assert kinds("a=\\ud83d\\ude00") == []
    assert kinds("= 1") == [("no-keyword", 1)]
    assert kinds("a\nb=\n") == [("no-separator", 1)]
    assert kinds("a=\\u00_1") == [("bad-escape", 1)]


def test_what_java_refuses_is_kept():
    document, _ = parse_properties_text("a=C:\\users \\ud83d\n")
    assert document.to_dict() == {"a": "C:\\users \ud83d"}
    text = format_properties_text(document)
    assert text == "a=C:\\\\users \\ud83d\n"
    assert parse_properties_text(text.encode())[0] == document


def test_long_texts_take_linear_work():
    # Each of these takes minutes with a quadratic reader.
    for text in (
        "a=\\\n" * 100_000,
        "a=" + "\\" * 1_000_001,
        "a=" + " " * 1_000_000 + "x",
        "a=" + "\\u00" * 200_000,
    ):
        document, _ = parse_properties_text(text)
        format_properties_text(document)
        assert len(document.to_dict()) == 1


def test_changes_keep_the_place():
    document, _ = parse_properties_text("#c\na=1\nold=2\na=3\nb=4\n")
    changed = document.with_values({"a": "5", "b": None, "new": "6", "c": "7"}, {"old": "new"})
    assert format_properties_text(changed) == "#c\na=5\nnew=6\nc=7\n"
    assert format_properties_text(document.merged({"old": "new"})) == "#c\na=3\nnew=2\nb=4\n"
    assert format_properties_text(document.merged({"old": "a"})) == "#c\na=3\nold=2\nb=4\n"

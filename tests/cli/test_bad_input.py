"""What a new user gets wrong: one line on standard error, exit code 2, nothing that opens as a catalog."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hatsformat.cli import main
from hatsformat.demo import mock_sky

PROPERTIES = {"hats.properties", "properties", "collection.properties"}


@pytest.fixture(scope="module")
def sky():
    return mock_sky(1000)


@pytest.fixture
def stars(tmp_path, sky):
    """A file that imports."""
    file = tmp_path / "stars.parquet"
    pq.write_table(sky, file)
    return file


@pytest.fixture
def catalog(tmp_path, stars):
    """A catalog to ask wrong questions of."""
    folder = tmp_path / "catalog"
    result = CliRunner().invoke(main, ["import", str(stars), "--out", str(folder)])
    assert result.exit_code == 0, result.stderr
    return folder


def refused(*arguments, says):
    """Run a command that must be refused; return its one line."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("hatsformat: error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    line = result.stderr.strip()
    for word in [says] if isinstance(says, str) else says:
        assert word in line
    return line


def half_made(folder):
    """Files below a folder by which a program would take something for a catalog."""
    return [file for file in folder.rglob("*") if file.name in PROPERTIES]


class TestImport:
    def check(self, tmp_path, *arguments, says):
        out = tmp_path / "out"
        refused("import", *arguments, "--out", out, says=says)
        assert half_made(tmp_path) == []
        assert not out.exists() or list(out.iterdir()) == []

    def test_no_such_file(self, tmp_path):
        self.check(tmp_path, tmp_path / "absent.csv", says="absent.csv")

    def test_a_pattern_that_matches_nothing(self, tmp_path):
        self.check(tmp_path, tmp_path / "absent-*.csv", says="absent-*.csv")

    def test_no_such_column(self, tmp_path, stars):
        self.check(tmp_path, stars, "--ra", "RAJ2000", says=["RAJ2000", "stars.parquet"])

    def test_no_such_column_to_sort_by(self, tmp_path, stars):
        self.check(tmp_path, stars, "--sort-by", "nothing", says="nothing")

    def test_an_empty_file(self, tmp_path):
        file = tmp_path / "empty.csv"
        file.touch()
        self.check(tmp_path, file, says="empty.csv")

    def test_an_empty_parquet_file(self, tmp_path):
        file = tmp_path / "empty.parquet"
        file.touch()
        self.check(tmp_path, file, says="empty.parquet")

    def test_a_file_with_a_header_only(self, tmp_path):
        file = tmp_path / "header.csv"
        file.write_text("ra,dec,mag\n")
        self.check(tmp_path, file, says="no rows")

    def test_a_broken_row(self, tmp_path, sky):
        file = tmp_path / "broken.csv"
        pa.csv.write_csv(sky, file)
        file.write_text(file.read_text() + "1,2,3\n")
        self.check(tmp_path, file, says="broken.csv")

    def test_text_where_a_number_should_be(self, tmp_path):
        file = tmp_path / "words.csv"
        file.write_text("ra,dec\n1,2\nnorth,3\n")
        self.check(tmp_path, file, says="words.csv")

    def test_a_declination_beyond_the_pole(self, tmp_path):
        file = tmp_path / "beyond.csv"
        file.write_text("ra,dec\n1,2\n3,91\n")
        self.check(tmp_path, file, says="beyond.csv")

    def test_parquet_cut_in_half(self, tmp_path, stars):
        half = tmp_path / "half.parquet"
        half.write_bytes(stars.read_bytes()[: stars.stat().st_size // 2])
        self.check(tmp_path, stars, half, says="half.parquet")

    def test_a_file_of_no_known_kind(self, tmp_path):
        file = tmp_path / "stars.xlsx"
        file.write_bytes(b"PK\x03\x04")
        self.check(tmp_path, file, says="stars.xlsx")

    def test_a_folder_that_is_in_use(self, tmp_path, stars):
        out = tmp_path / "mine"
        out.mkdir()
        (out / "thesis.tex").write_text("dear reader")
        refused("import", stars, "--out", out, says="mine")
        assert [file.name for file in out.iterdir()] == ["thesis.tex"]

    def test_overwriting_what_is_no_catalog(self, tmp_path, stars):
        out = tmp_path / "mine"
        out.mkdir()
        (out / "thesis.tex").write_text("dear reader")
        refused("import", stars, "--out", out, "--overwrite", says="mine")
        assert (out / "thesis.tex").read_text() == "dear reader"

    def test_a_catalog_that_is_there(self, catalog, stars):
        before = sorted(catalog.rglob("*"))
        refused("import", stars, "--out", catalog, says="--overwrite")
        assert sorted(catalog.rglob("*")) == before
        assert CliRunner().invoke(main, ["info", str(catalog)]).exit_code == 0

    def test_a_file_where_the_folder_should_be(self, tmp_path, stars):
        out = tmp_path / "file"
        out.write_text("mine")
        refused("import", stars, "--out", out, says="file")
        assert out.read_text() == "mine"

    @pytest.mark.parametrize("out", ["/dev/null/catalog", "/proc/catalog"])
    def test_a_folder_that_cannot_be_written(self, stars, out):
        refused("import", stars, "--out", out, says=out)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_without_permission(self, tmp_path, stars):
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        refused("import", stars, "--out", locked / "catalog", says="locked")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--max-rows", "0"], "--max-rows"),
            (["--lowest-order", "30"], "--lowest-order"),
            (["--lowest-order", "5", "--highest-order", "3"], "order"),
            (["--memory", "lots"], "--memory"),
            (["--ra-unit", "parsec"], "--ra-unit"),
            (["--wrong"], "--wrong"),
            (["--workers", "0"], "--workers"),
            (["--max-rows", "1", "--highest-order", "0"], "threshold"),
        ],
    )
    def test_a_wrong_flag(self, tmp_path, stars, arguments, says):
        self.check(tmp_path, stars, *arguments, says=says)

    def test_an_import_over_itself_keeps_its_input(self, catalog):
        leaves = [file for file in catalog.rglob("*.parquet") if "Npix" in file.name]
        assert leaves
        before = {file: file.read_bytes() for file in leaves}
        refused("import", *leaves, "--out", catalog, says="catalog")
        assert {file: file.read_bytes() for file in leaves} == before


class TestQuery:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--cone", "10", "10", "-1"], "radius"),
            (["--cone", "10", "91", "1"], "-90 to 90"),
            (["--cone", "10", "ten", "1"], "--cone"),
            (["--cone", "10", "10"], "--cone"),
            (["--cone", "1", "1", "1", "--box", "1", "2", "1", "2"], "more than one region"),
            (["--box", "0", "10", "5", "-5"], "dec"),
            (["--polygon", "1 2, 3 4"], "--polygon"),
            (["--moc", "absent.fits"], "absent.fits"),
            (["--columns", "ra,nothing"], "nothing"),
            (["--where", "nothing < 1"], "nothing"),
            (["--where", "ra <"], "ra <"),
            (["--limit", "-1"], "--limit"),
            (["-o", "rows.xlsx"], "rows.xlsx"),
            (["-o", "/dev/null/rows.csv"], "/dev/null/rows.csv"),
            (["--json"], "--plan"),
            (["--wrong"], "--wrong"),
        ],
    )
    def test_a_wrong_question(self, catalog, arguments, says):
        refused("query", catalog, *arguments, says=says)

    def test_a_file_that_is_there_is_kept(self, catalog, tmp_path):
        out = tmp_path / "rows.csv"
        out.write_text("mine")
        refused("query", catalog, "-o", out, says=["rows.csv", "--overwrite"])
        assert out.read_text() == "mine"

    def test_a_failed_query_leaves_no_file(self, catalog, tmp_path):
        leaf = next(file for file in catalog.rglob("Npix=*.parquet"))
        leaf.write_bytes(leaf.read_bytes()[:100])
        for name in ("rows.csv", "rows.parquet", "rows.fits"):
            refused("query", catalog, "-o", tmp_path / name, says="Npix=")
        assert [file.name for file in tmp_path.glob("*rows*")] == []


class TestOthers:
    @pytest.mark.parametrize("command", ["info", "query", "plot"])
    def test_no_such_catalog(self, tmp_path, command):
        output = ["-o", tmp_path / "sky.png"] if command == "plot" else []
        refused(command, tmp_path / "absent", *output, says="absent")
        refused(command, tmp_path, *output, says=tmp_path.name)
        assert list(tmp_path.iterdir()) == []

    def test_validating_what_is_not_there(self, tmp_path):
        refused("validate", tmp_path / "absent", says="absent")

    def test_validating_with_a_wrong_flag(self, catalog):
        refused("validate", catalog, "--level", "deepest", says="--level")
        refused("validate", catalog, "--edition", "0.5", says="0.5")

    def test_a_picture_of_no_known_kind(self, catalog, tmp_path):
        refused("plot", catalog, "-o", tmp_path / "sky.bmp", says="sky.bmp")
        refused("plot", catalog, says="--output")

    def test_a_demo_where_something_else_is(self, catalog):
        before = sorted(catalog.rglob("*"))
        refused("demo", catalog, says="not from a demo")
        assert sorted(catalog.rglob("*")) == before


def test_in_a_shell_as_well(tmp_path):
    for arguments in (["info", "absent"], ["import", "absent.csv", "--out", "out"], ["query", "--wrong"]):
        done = subprocess.run(
            [sys.executable, "-m", "hatsformat", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("hatsformat: error: ")
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []

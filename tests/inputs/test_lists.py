"""Lists of inputs in a text file."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hatsformat import storage
from hatsformat.cli import main
from hatsformat.errors import HatsError, InputError, NotFoundError
from hatsformat.importing import import_catalog, run_import
from tests.support import skies
from tests.support.imports import refused


@pytest.fixture
def folder(tmp_path):
    """Three files, two of them in a subfolder."""
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    table = skies.stars(30)
    for number, name in enumerate(("a.parquet", "deep/b.parquet", "deep/c.parquet")):
        pq.write_table(table.slice(number * 10, 10), folder / name)
    return folder


def ids(root):
    return sorted(skies.read_rows(root)["id"].to_pylist())


def test_paths_relative_to_the_list(folder, tmp_path, monkeypatch):
    """From any working directory; with comments, blank lines, and any line ends."""
    text = "\ufeff# the files of a survey\r\n\r\na.parquet\r\n  deep/b.parquet  \n# deep/c.parquet\n"
    (folder / "files.txt").write_bytes(text.encode())
    monkeypatch.chdir(tmp_path)
    for name in ("@in/files.txt", f"@{folder / 'files.txt'}", [f"@{folder}/../in/files.txt"]):
        import_catalog(name, tmp_path / "sky", overwrite=True)
        assert ids(tmp_path / "sky") == list(range(20))


@pytest.mark.parametrize("lines", ["deep/*.parquet", "deep", "deep/b.parquet\n{folder}/deep/c.parquet"])
def test_patterns_and_folders(folder, tmp_path, lines):
    (folder / "files.lst").write_text(lines.format(folder=folder))
    import_catalog([f"@{folder / 'files.lst'}", folder / "a.parquet"], tmp_path / "sky")
    assert ids(tmp_path / "sky") == list(range(30))


def test_on_the_command_line(folder, tmp_path):
    (folder / "files").write_text("a.parquet\ndeep\n")
    result = CliRunner().invoke(main, ["import", f"@{folder / 'files'}", "--out", str(tmp_path / "sky")])
    assert result.exit_code == 0, result.stderr
    assert "30 rows" in result.stdout


def test_in_memory():
    """Relative to a list in memory, as in a bucket; other paths by their URLs."""
    for name, row in (("lists/deep/a.csv", "1,1,1"), ("elsewhere/b.csv", "2,2,2")):
        storage.write_bytes(storage.resolve(f"memory://{name}"), f"id,ra,dec\n{row}\n".encode())
    storage.write_bytes(
        storage.resolve("memory://lists/files.txt"), b"deep/a.csv\nmemory://elsewhere/*.csv\n"
    )
    catalog = import_catalog("@memory://lists/files.txt", "memory://lists-sky/sky", overwrite=True)
    assert sorted(catalog.scan(["id"]).to_table()["id"].to_pylist()) == [1, 2]


@pytest.mark.server
def test_over_http(folder, tmp_path, http):
    (folder / "files.txt").write_text("a.parquet\ndeep/b.parquet\n")
    target = http.root / "lists"
    target.symlink_to(folder)
    try:
        import_catalog(f"@{http.url}/lists/files.txt", tmp_path / "sky")
    finally:
        target.unlink()
    assert ids(tmp_path / "sky") == list(range(20))


def test_the_log_counts_files(folder, tmp_path):
    """The log counts the files, not the list."""
    (folder / "files.txt").write_text("a.parquet\n")
    log = run_import(f"@{folder / 'files.txt'}", tmp_path / "sky")
    assert (log.inputs, log.rows_written) == (1, 10)


class TestRefused:
    """Empty lists, and lists of missing files."""

    @pytest.mark.parametrize("name", ["absent.parquet", "none-*.parquet", "deep/absent/"])
    def test_a_line_without_a_file(self, folder, tmp_path, name):
        (folder / "files.txt").write_text(f"# two\na.parquet\n\n{name}\n")
        text = refused(tmp_path, f"@{folder / 'files.txt'}", error=HatsError)
        assert "line 4" in text
        assert "files.txt" in text
        assert name.rstrip("/") in text

    @pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
    def test_an_empty_list(self, tmp_path, content):
        (tmp_path / "files.txt").write_text(content)
        text = refused(tmp_path, f"@{tmp_path / 'files.txt'}")
        assert "the list is empty" in text
        assert "files.txt" in text

    def test_no_list(self, tmp_path):
        assert "absent.txt" in refused(tmp_path, f"@{tmp_path / 'absent.txt'}", error=NotFoundError)

    def test_no_text(self, folder, tmp_path):
        text = refused(tmp_path, f"@{folder / 'a.parquet'}", error=InputError)
        assert "UTF-8" in text
        assert "a.parquet" in text

    def test_a_list_in_a_list(self, folder, tmp_path):
        (folder / "files.txt").write_text("@more.txt\n")
        (folder / "more.txt").write_text("a.parquet\n")
        assert "line 1" in refused(tmp_path, f"@{folder / 'files.txt'}")

    def test_a_file_name_with_the_prefix(self, folder, tmp_path, monkeypatch):
        (folder / "a.parquet").rename(tmp_path / "@a.parquet")
        monkeypatch.chdir(tmp_path)
        import_catalog("@a.parquet", tmp_path / "sky")
        assert ids(tmp_path / "sky") == list(range(10))

    def test_the_output_among_the_files(self, folder, tmp_path):
        import_catalog(folder, tmp_path / "sky")
        (folder / "files.txt").write_text("a.parquet\n../sky\n")
        with pytest.raises(HatsError, match="output folder"):
            import_catalog(f"@{folder / 'files.txt'}", tmp_path / "sky", overwrite=True)
        assert ids(tmp_path / "sky") == list(range(30))

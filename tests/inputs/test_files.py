"""The files of an input."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import storage
from hatsformat.errors import HatsError, InputError, NotFoundError, UsageError
from hatsformat.importing import import_catalog, run_import
from hatsformat.inputs import CsvSource, InputOptions, open_inputs
from tests.support import skies
from tests.support.imports import refused


class TestFiles:
    """The files of an input."""

    def write(self, folder, name, first):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({"id": [first, first + 1], "ra": [1.0, 2.0], "dec": [3.0, 4.0]})
        if name.endswith(".csv"):
            file.write_text(
                "id,ra,dec\n" + "".join(f"{r['id']},{r['ra']},{r['dec']}\n" for r in table.to_pylist())
            )
        else:
            pq.write_table(table, file)
        return file

    def ids(self, tmp_path, inputs, **options):
        import_catalog(inputs, tmp_path / "sky", overwrite=True, **options)
        return sorted(skies.read_rows(tmp_path / "sky")["id"].to_pylist())

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "in"
        self.write(folder, "a.parquet", 1)
        self.write(folder, "deep/b.parquet", 3)
        self.write(folder, "c.csv", 5)
        self.write(folder, ".hidden.csv", 90)
        self.write(folder, "_temporary.csv", 92)
        (folder / "README.md").write_text("about these files")
        return folder

    def test_one_file_as_text_or_path(self, tmp_path, folder):
        assert self.ids(tmp_path, folder / "c.csv") == self.ids(tmp_path, str(folder / "c.csv")) == [5, 6]

    def test_several(self, tmp_path, folder):
        files = [folder / "c.csv", str(folder / "a.parquet")]
        assert (
            self.ids(tmp_path, files)
            == self.ids(tmp_path, tuple(files))
            == self.ids(tmp_path, iter(files))
            == [1, 2, 5, 6]
        )

    def test_a_folder(self, tmp_path, folder):
        assert self.ids(tmp_path, folder) == [1, 2, 3, 4, 5, 6]
        assert self.ids(tmp_path, folder, format="csv") == [5, 6]

    def test_a_column_in_folder_names_is_not_lost(self, tmp_path):
        for number, band in enumerate("gr"):
            self.write(tmp_path / "in", f"band={band}/a.parquet", 10 * number)
        with pytest.raises(InputError, match=r"band.*would be lost.*band=g"):
            self.ids(tmp_path, tmp_path / "in")
        assert self.ids(tmp_path, str(tmp_path / "in" / "**" / "*.parquet")) == [0, 1, 10, 11]

    def test_patterns(self, tmp_path, folder):
        assert self.ids(tmp_path, str(folder / "?.parquet")) == [1, 2]
        assert self.ids(tmp_path, str(folder / "**" / "*.parquet")) == [1, 2, 3, 4]
        assert self.ids(tmp_path, [str(folder / "[ac].*")]) == [1, 2, 5, 6]

    def test_pattern_characters_in_a_name(self, tmp_path):
        file = self.write(tmp_path, "field[1].csv", 7)
        assert self.ids(tmp_path, str(file)) == [7, 8]

    def test_names_with_special_characters(self, tmp_path):
        file = self.write(tmp_path, "in put/α =% #1.csv", 7)
        assert self.ids(tmp_path, file) == [7, 8]
        assert self.ids(tmp_path, file.parent) == [7, 8]

    def test_in_memory(self):
        for name, text in (("a", "id,ra,dec\n1,1,1\n"), ("b", "id,ra,dec\n2,2,2\n")):
            storage.write_bytes(storage.resolve(f"memory://inputs-test/{name}.csv"), text.encode())
        for inputs in (
            "memory://inputs-test/*.csv",
            "memory://inputs-test",
            ["memory://inputs-test/a.csv", "memory://inputs-test/b.csv"],
        ):
            catalog = import_catalog(inputs, "memory://inputs-test-sky/sky", overwrite=True)
            assert sorted(catalog.scan(columns=["id"]).to_table()["id"].to_pylist()) == [1, 2]

    def test_a_catalog_is_read_from_its_leaves(self, tmp_path):
        table = skies.stars(300)
        import_catalog(table, tmp_path / "one", max_rows=50, thumbnail=True)
        log = run_import(tmp_path / "one", tmp_path / "two", max_rows=100)
        assert log.rows_read == 300
        skies.assert_same_rows(skies.read_rows(tmp_path / "two"), table)

    @pytest.mark.parametrize("name", ["absent.csv", "absent.parquet", "absent.fits", "absent/"])
    def test_missing_file(self, tmp_path, name):
        assert "absent" in refused(tmp_path, tmp_path / name, error=(InputError, NotFoundError))

    def test_a_pattern_without_files(self, tmp_path):
        assert "none-*.csv" in refused(tmp_path, str(tmp_path / "none-*.csv"))

    def test_a_folder_without_files(self, tmp_path):
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "README.md").touch()
        assert "in" in refused(tmp_path, tmp_path / "in")

    @pytest.mark.parametrize("nothing", [[], (), iter([])])
    def test_nothing(self, tmp_path, nothing):
        with pytest.raises(InputError, match="nothing"):
            import_catalog(nothing, tmp_path / "sky")

    @pytest.mark.parametrize(
        "unsupported", [5, None, 1.5, [5], [None], [["a.csv"]], {"ra": [1.0], "dec": [2.0]}]
    )
    def test_unsupported(self, tmp_path, unsupported):
        with pytest.raises(HatsError):
            import_catalog(unsupported, tmp_path / "sky")
        assert list(tmp_path.iterdir()) == []

    def test_files_mixed_with_tables(self, tmp_path, folder):
        with pytest.raises(UsageError, match="mixed"):
            import_catalog([folder / "a.parquet", skies.stars(3)], tmp_path / "sky")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"format": "xlsx"}, "unknown input format .*xlsx"),
            ({"delimiter": "::"}, "invalid delimiter .*'::'"),
            ({"delimiter": '"'}, "invalid delimiter"),
            ({"comment": " "}, "invalid comment prefix"),
        ],
    )
    def test_invalid_options(self, tmp_path, options, message):
        with pytest.raises(UsageError, match=message):
            open_inputs(tmp_path, InputOptions(**options))


@pytest.mark.parametrize("path", ["{folder}/gone.csv", "memory://inputs/gone.csv"])
def test_a_csv_file_that_disappears_is_not_found(tmp_path, path):
    source = CsvSource(storage.resolve(path.format(folder=tmp_path)))
    with pytest.raises(NotFoundError, match=r"gone\.csv: no such file"):
        list(source.chunks(1 << 20))

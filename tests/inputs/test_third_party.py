"""Input files of another project's tests: each is imported, or refused with a clear reason."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from hatsformat.errors import HatsError, InputError, SchemaError
from hatsformat.importing import import_catalog, run_import
from tests.support import skies
from tests.support.imports import refused


class TestThirdParty:
    """Input files of another project's tests."""

    @pytest.fixture
    def inputs(self, shared):
        return shared / "third_party" / "inputs"

    def objects(self, inputs):
        """The 131 objects in most of these files."""
        parts = sorted((inputs / "small_sky_parts").glob("catalog_0[0-4]*.csv"))
        return pd.concat([pd.read_csv(part) for part in parts]).sort_values("id")

    def check_objects(self, root, wanted, **names):
        found = skies.read_rows(root).to_pandas().sort_values(names.get("id", "id"))
        for name in ("id", "ra", "dec", "ra_error", "dec_error"):
            assert found[names.get(name, name)].tolist() == wanted[name].tolist()
        keywords = skies.read_properties(root)
        assert keywords["hats_nrows"] == str(len(wanted))

    @pytest.mark.parametrize(
        "name",
        [
            "catalog.csv.gz",
            "small_sky.fits",
            "multi_row_group.parquet",
            "small_sky_lumpy.csv",
            "small_sky_healpix13.csv",
        ],
    )
    def test_small_sky(self, inputs, tmp_path, name):
        import_catalog(inputs / "test_formats" / name, tmp_path / "sky", max_rows=50)
        self.check_objects(tmp_path / "sky", self.objects(inputs))

    def test_parts(self, inputs, tmp_path):
        import_catalog(
            str(inputs / "small_sky_parts" / "catalog_0?_of_05.csv"), tmp_path / "sky", max_rows=50
        )
        self.check_objects(tmp_path / "sky", self.objects(inputs))

    def test_another_suffix(self, inputs, tmp_path):
        file = inputs / "test_formats" / "catalog.starr"
        import_catalog(file, tmp_path / "sky", format="csv")
        self.check_objects(tmp_path / "sky", self.objects(inputs))

    def test_other_names(self, inputs, tmp_path):
        import_catalog(
            inputs / "test_formats" / "headers.csv", tmp_path / "sky", ra="ra_mean", dec="dec_mean"
        )
        wanted = pd.read_csv(inputs / "test_formats" / "headers.csv")
        found = skies.read_rows(tmp_path / "sky").to_pandas().sort_values("object_id")
        assert found["object_id"].tolist() == sorted(wanted["object_id"])
        assert skies.read_properties(tmp_path / "sky")["hats_col_ra"] == "ra_mean"

    def test_sources(self, inputs, tmp_path):
        file = inputs / "small_sky_source" / "small_sky_source.csv"
        log = run_import(
            file, tmp_path / "sky", ra="source_ra", dec="source_dec", catalog_type="source", max_rows=3000
        )
        # As text: pandas 2 rounds the last digit of a float in its own way.
        wanted = pd.read_csv(file, dtype=str).sort_values("source_id", key=lambda ids: ids.astype(int))
        assert log.rows_written == len(wanted) == 17161
        found = skies.read_rows(tmp_path / "sky").to_pandas().sort_values("source_id")
        for name in wanted.columns:
            values = found[name].tolist()
            assert values == [type(values[0])(text) for text in wanted[name]]
        assert skies.read_properties(tmp_path / "sky")["dataproduct_type"] == "source"

    def test_mixed_schema(self, inputs, tmp_path):
        """Integers in one file and text in the next; a column that is empty in the first; a bare header."""
        files = sorted((inputs / "mixed_schema").glob("*.csv"))
        assert len(files) == 3
        for name, order in (("a", files), ("b", files[::-1])):
            import_catalog(order, tmp_path / name)
            found = skies.read_rows(tmp_path / name).sort_by("id").to_pydict()
            assert found["id"] == list(range(700, 708))
            assert found["code"] == ["1", "2", "3", "4", "good", "bad", "just-ok", "unknown"]
            assert found["comment"] == [None] * 4 + ["star", "galaxy", "satellite", "comet"]

    def test_nested_light_curves(self, inputs, tmp_path):
        file = inputs / "test_formats" / "lightcurve.parquet"
        import_catalog(file, tmp_path / "sky", ra="objra", dec="objdec")
        wanted = pq.read_table(file).drop_columns([skies.INDEX])
        found = skies.read_rows(tmp_path / "sky")
        assert found.schema.types == wanted.schema.types
        assert sorted(skies.plain(found)) == sorted(skies.plain(wanted))

    def test_pandas_index(self, inputs, tmp_path):
        file = inputs / "test_formats" / "pandasindex.parquet"
        import_catalog(file, tmp_path / "sky")
        wanted = pq.read_table(file)
        assert sorted(skies.plain(skies.read_rows(tmp_path / "sky"))) == sorted(skies.plain(wanted))

    def test_desi_redshifts(self, inputs, tmp_path):
        """160 columns, strings, vectors, in big-endian."""
        file = inputs / "test_formats" / "zall-pix-iron_10rows.fits"
        import_catalog(file, tmp_path / "sky", ra="TARGET_RA", dec="TARGET_DEC")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nanomaggies are not in the FITS standard
            wanted = Table.read(file)
        found = skies.read_rows(tmp_path / "sky").sort_by("TARGETID")
        wanted.sort("TARGETID")
        assert found.column_names == wanted.colnames
        for name in ("TARGET_RA", "Z", "COEFF", "FLUX_G", "MAIN_PRIMARY", "TARGETID"):
            assert np.array_equal(np.array(found[name].to_pylist()), np.asarray(wanted[name]), equal_nan=True)
        assert found["PROGRAM"].to_pylist() == [str(text).strip() for text in wanted["PROGRAM"]]
        assert found.schema.field("FLUX_G").metadata[b"unit"].decode() == str(wanted["FLUX_G"].unit)

    def test_gaia_epoch_photometry(self, inputs, tmp_path):
        """ECSV with lists of any length."""
        file = inputs / "test_formats" / "gaia_epoch.ecsv"
        import_catalog(file, tmp_path / "sky")
        wanted = Table.read(file, format="ascii.ecsv")
        wanted.sort("source_id")
        found = skies.read_rows(tmp_path / "sky").sort_by("source_id")
        assert found["source_id"].to_pylist() == wanted["source_id"].tolist()
        for row in range(3):
            assert found["transit_id"][row].as_py() == np.asarray(wanted["transit_id"][row]).tolist()
            mags = np.array(found["g_transit_mag"][row].as_py(), dtype=float)
            assert np.array_equal(
                mags,
                np.ma.filled(np.ma.asarray(wanted["g_transit_mag"][row], dtype=float), np.nan),
                equal_nan=True,
            )
        assert found.schema.field("g_transit_mag").metadata[b"unit"] == b"mag"

    def test_gaia_with_comments(self, inputs, tmp_path):
        """Lines that start with a hash before the header."""
        import_catalog(inputs / "test_formats" / "gaia_minimum.csv", tmp_path / "sky")
        wanted = pd.read_csv(inputs / "test_formats" / "gaia_minimum.csv", comment="#")
        found = skies.read_rows(tmp_path / "sky").to_pandas().sort_values("designation")
        assert found["solution_id"].tolist() == wanted.sort_values("designation")["solution_id"].tolist()

    @pytest.mark.parametrize(
        ("name", "missing"),
        [
            ("spatial_index.csv", "ra"),
            ("healpix_29_index.parquet", "ra"),
            ("pipe_delimited.csv", ""),
            ("tess_gam02_10rows.fits", "ra"),
            ("gaia_minimum_schema.parquet", ""),
            ("catalog.zip", ""),
            ("macauff_metadata.yaml", ""),
        ],
    )
    def test_files_that_cannot_be_imported(self, inputs, tmp_path, name, missing):
        """Files without coordinates, without a header, without rows, or without a table."""
        file = tmp_path / name
        shutil.copy(inputs / "test_formats" / name, file)
        text = refused(tmp_path, file, error=HatsError)
        assert name in text
        assert missing in text

    def test_an_empty_list(self, inputs, tmp_path):
        shutil.copy(inputs / "indexed_files" / "csv_list_empty.txt", tmp_path)
        assert "empty" in refused(tmp_path, tmp_path / "csv_list_empty.txt", error=InputError)

    @pytest.mark.parametrize(
        ("name", "files"),
        [("csv_list_double_1_of_2", 2), ("csv_list_double_2_of_2", 3), ("csv_list_single", 5)],
    )
    def test_lists(self, inputs, tmp_path, name, files):
        """Paths are relative to the list."""
        shutil.copy(inputs / "indexed_files" / f"{name}.txt", tmp_path)
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "data").symlink_to(inputs)
        log = run_import(f"@{tmp_path / name}.txt", tmp_path / "sky")
        assert log.inputs == files
        if files == 5:
            self.check_objects(tmp_path / "sky", self.objects(inputs))

    @pytest.mark.parametrize(
        "name", ["parquet_list_single", "parquet_list_multi_row_groups", "csv_list_single"]
    )
    def test_lists_of_missing_files(self, inputs, tmp_path, name):
        text = refused(tmp_path, f"@{inputs / 'indexed_files' / name}.txt", error=HatsError)
        assert "line 1" in text
        assert f"{name}.txt" in text

    def test_an_empty_list_of_files(self, inputs, tmp_path):
        assert "the list is empty" in refused(tmp_path, f"@{inputs / 'indexed_files' / 'csv_list_empty.txt'}")

    def test_a_header_among_parts(self, inputs, tmp_path):
        """One of the six parts has no rows."""
        log = run_import(inputs / "small_sky_parts", tmp_path / "sky", max_rows=50)
        assert log.inputs == 6
        self.check_objects(tmp_path / "sky", self.objects(inputs))

    def test_parquet_without_rows_among_csv(self, inputs, tmp_path):
        """The Parquet file has an extra column."""
        text = refused(tmp_path, inputs / "mixed_schema", error=HatsError)
        assert "__index_level_0__" in text

    @pytest.mark.parametrize("name", ["wrong_files_and_rows", "bad_schemas"])
    def test_catalogs_with_files_that_are_not_leaves(self, inputs, tmp_path, name):
        """The leaf's folder has other files, which are not part of the format."""
        import_catalog(inputs / name, tmp_path / "sky")
        leaf = inputs / name / "dataset" / "Norder=0" / "Dir=0" / "Npix=11.parquet"
        wanted = pq.read_table(leaf, partitioning=None)
        assert sorted(skies.plain(skies.read_rows(tmp_path / "sky"))) == sorted(
            skies.plain(wanted.drop_columns([skies.INDEX]))
        )

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("extra_column", ["'extra'", "Npix=11.parquet"]),
            ("missing_column", ["'dec_error'", "Npix=11.parquet"]),
            ("wrong_dtypes", ["does not match", "Npix=11.parquet"]),
        ],
    )
    def test_files_with_different_schemas(self, inputs, tmp_path, name, words):
        folder = inputs / "bad_schemas" / "dataset" / "Norder=0" / "Dir=0"
        files = [folder / "Npix=11.parquet", folder / f"Npix=11.{name}.parquet"]
        text = refused(tmp_path, *files, error=SchemaError)
        for word in (*words, f"Npix=11.{name}.parquet"):
            assert word in text

    @pytest.mark.parametrize(
        ("folder", "name", "rows"),
        [
            ("bad_schemas", "wrong_metadata", 131),
            ("wrong_files_and_rows", "extra_file", 131),
            ("wrong_files_and_rows", "extra_rows", 135),
        ],
    )
    def test_files_with_compatible_schemas(self, inputs, tmp_path, folder, name, rows):
        leaves = inputs / folder / "dataset" / "Norder=0" / "Dir=0"
        files = [leaves / "Npix=11.parquet", leaves / f"Npix=11.{name}.parquet"]
        assert run_import(files, tmp_path / "sky").rows_written == 131 + rows

    def test_all_files_are_in_these_tests(self, inputs):
        with open(__file__, encoding="utf-8") as stream:
            text = stream.read()
        wholes = ("small_sky_parts", "mixed_schema", "wrong_files_and_rows", "bad_schemas")
        for path in inputs.rglob("*"):
            known = any(whole in path.parts for whole in wholes) or path.stem in text
            assert path.is_dir() or known, path

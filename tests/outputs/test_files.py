from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from hatsformat.errors import ColumnError, LeafError, OutputError, UsageError
from hatsformat.outputs.files import FORMATS, check_format, check_output, write_rows

TABLE = pa.table({"id": [1, 2, 3], "name": ["a", None, "c"], "mag": [1.5, 2.5, None]})


def reader(table=TABLE, error=None):
    """The rows in batches of two, and then an error."""

    def batches():
        yield from table.to_batches(2)
        if error is not None:
            raise error

    return pa.RecordBatchReader.from_batches(table.schema, batches())


def read(file):
    if file.suffix == ".parquet":
        return pq.read_table(file)["id"].to_pylist()
    if file.suffix == ".csv":
        return pa.csv.read_csv(file)["id"].to_pylist()
    from astropy.table import Table

    return Table.read(file)["id"].tolist()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_reader_is_written_in_every_format(tmp_path, suffix):
    file = tmp_path / f"rows{suffix.upper()}"
    write_rows(reader(), str(file))
    assert read(file.rename(tmp_path / f"rows{suffix}")) == [1, 2, 3]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_is_whole_or_not_there(tmp_path, suffix):
    with pytest.raises(LeafError, match="cut off"):
        write_rows(reader(error=LeafError("cut off")), str(tmp_path / f"rows{suffix}"))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"rows\.hdf5.*expected \.parquet, \.csv, \.fits"):
        write_rows(reader(), str(tmp_path / "rows.hdf5"))
    with pytest.raises(ColumnError, match=r"lists.*found flux"):
        write_rows(reader(pa.table({"flux": [[1.0], [2.0]]})), str(tmp_path / "rows.csv"))
    with pytest.raises(OutputError, match="this is a folder"):
        check_output(str(tmp_path), overwrite=True)
    (tmp_path / "rows.csv").touch()
    with pytest.raises(OutputError, match="the file exists"):
        check_output(str(tmp_path / "rows.csv"), overwrite=False)
    check_output(str(tmp_path / "rows.csv"), overwrite=True)
    assert check_format("memory://rows.VOT") == ".vot"


def test_the_formats_can_be_named_without_loading_their_writers():
    code = "import hatsformat.outputs.files, sys; print({'pyarrow', 'fsspec', 'astropy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

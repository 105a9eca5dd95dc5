"""One schema for inputs whose schemas differ."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat.errors import SchemaError, WorkerError
from hatsformat.importing import import_catalog
from hatsformat.partitioner import mapping
from hatsformat.partitioner.executors import open_workers
from hatsformat.partitioner.memory import MemoryBudget
from tests.support import skies

# The same column of two or three text files, and how it comes out.
COLUMNS = [
    (["0.50", "2e3"], ["red"], str),
    (["1", "-0"], ["red"], str),
    (["2020-01-01"], ["?"], str),
    (["2020-01-01"], ["2020-01-01 10:00:00"], str),
    (["12:00:01"], ["noon"], str),
    (["true", "FALSE"], ["maybe"], str),
    (["true"], ["5"], str),
    (["5"], ["18446744073709551615"], int),
    (["-5"], ["18446744073709551615"], str),
    (["9007199254740993"], ["0.5"], str),
    (["9007199254740992"], ["0.5"], float),
    (["18446744073709551615"], ["0.5"], str),
    (["007"], ["1.50"], str),
    (["5"], ["1.5"], float),
    (["5"], [""], int),
]


def test_files_of_different_types(tmp_path):
    a = skies.stars(20)
    b = a.set_column(0, "id", a["id"].cast(pa.int16())).set_column(5, "band", a["band"].dictionary_encode())
    b = b.select(b.column_names[::-1])
    pq.write_table(a.slice(0, 10), tmp_path / "a.parquet")
    pq.write_table(b.slice(10), tmp_path / "b.parquet")
    import_catalog([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "sky", max_rows=5)
    skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), a)


def test_a_clash(tmp_path):
    a = skies.stars(20)
    pq.write_table(a, tmp_path / "a.parquet")
    pq.write_table(a.set_column(0, "id", a["id"].cast(pa.string())), tmp_path / "b.parquet")
    with pytest.raises(SchemaError) as raised:
        import_catalog([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "sky")
    for word in ("a.parquet", "b.parquet", "'id'"):
        assert word in str(raised.value)
    assert skies.files(tmp_path) == {"a.parquet", "b.parquet"}


def test_text_files(tmp_path):
    (tmp_path / "a.csv").write_text("id,ra,dec,x,y,z\n1,1,1,5,,7\n")
    (tmp_path / "b.csv").write_text("id,ra,dec,x,y,z\n2,2.5,2,5.5,abc,\n")
    import_catalog([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "sky")
    found = skies.read_rows(tmp_path / "sky").sort_by("id")
    assert found.to_pydict() == {
        "id": [1, 2],
        "ra": [1.0, 2.5],
        "dec": [1, 2],
        "x": [5.0, 5.5],
        "y": [None, "abc"],
        "z": [7, None],
    }


@pytest.mark.parametrize(("left", "right", "kind"), COLUMNS, ids=str)
@pytest.mark.parametrize("spilled", [False, True])
def test_guesses_of_several_files(tmp_path, monkeypatch, left, right, kind, spilled):
    """The type of a column in another file does not change a value."""
    if spilled:
        monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
    files = []
    for name, values in (("a", left), ("b", right), ("c", ["", ""])):
        files.append(tmp_path / f"{name}.csv")
        lines = [f"{name}{row},1,2,{value}" for row, value in enumerate(values)]
        files[-1].write_text("id,ra,dec,x\n" + "\n".join(lines) + "\n")
    for turn in (1, -1):
        root = tmp_path / f"sky{turn}"
        import_catalog(files[::turn], root)
        found = skies.read_rows(root).sort_by("id")["x"].to_pylist()
        assert found == [kind(value) if value else None for value in [*left, *right, "", ""]]
        assert not (root / ".import").exists()


def test_guessed_types_next_to_files_with_types(tmp_path):
    known = pa.table(
        {"id": ["p"], "ra": [1.5], "dec": [2.5], "x": pa.array([0.5], pa.float32()), "code": ["a"]}
    )
    pq.write_table(known, tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("id,ra,dec,x,code\nc,3,4,0.1,0.70\n")
    import_catalog([tmp_path / "a.parquet", tmp_path / "b.csv"], tmp_path / "sky")
    found = skies.read_rows(tmp_path / "sky").sort_by("id")
    assert found["x"].to_pylist() == [0.1, 0.5]
    assert found["code"].to_pylist() == ["0.70", "a"]


def test_coordinates_that_are_text_in_one_file(tmp_path):
    """One file has a word where others have numbers only."""
    (tmp_path / "a.csv").write_text("id,ra,dec\n1,10.25,20\n")
    (tmp_path / "b.csv").write_text("id,ra,dec\n2,--,20\n3,30.5,40\n")
    (tmp_path / "c.csv").write_text("id,ra,dec\n")
    files = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]
    import_catalog(files, tmp_path / "sky", bad_coordinates="quarantine")
    found = skies.read_rows(tmp_path / "sky").sort_by("id")
    assert found.select(["id", "ra", "ra_deg"]).to_pydict() == {
        "id": [1, 3],
        "ra": ["10.25", "30.5"],
        "ra_deg": [10.25, 30.5],
    }
    aside = pq.read_table(tmp_path / "sky.quarantine.parquet")
    assert aside.select(["id", "ra"]).to_pydict() == {"id": [2], "ra": ["--"]}


def test_in_processes(tmp_path):
    (tmp_path / "a.csv").write_text("id,ra,dec,x\n1,1,2,0.50\n")
    (tmp_path / "b.csv").write_text("id,ra,dec,x\n2,1,2,red\n")
    with open_workers(2, processes=True) as team:
        import_catalog([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "sky", executor=team.executor)
    assert skies.read_rows(tmp_path / "sky").sort_by("id")["x"].to_pylist() == ["0.50", "red"]


def test_interrupted_between_two_readings(tmp_path, monkeypatch):
    """Results of the first reading are not confused with those of the second."""
    monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
    files = [tmp_path / f"{name}.csv" for name in "abc"]
    for number, file in enumerate(files):
        word = "red" if number == 2 else f"{number}.50"
        file.write_text(f"id,ra,dec,x\n{number},{number},2,{word}\n")
    plain, calls = mapping.map_source, []

    def failing(index, source, *more):
        calls.append(index)
        if len(calls) == 5:
            raise WorkerError("a worker died")
        return plain(index, source, *more)

    monkeypatch.setattr(mapping, "map_source", failing)
    with pytest.raises(WorkerError):
        import_catalog(files, tmp_path / "sky", workers=1)
    import_catalog(files, tmp_path / "sky", workers=1, resume=True)
    assert skies.read_rows(tmp_path / "sky").sort_by("id")["x"].to_pylist() == ["0.50", "1.50", "red"]
    assert calls[:3] == [0, 1, 2]
    assert sorted(calls[3:5]) == [0, 1]
    assert 2 not in calls[3:]


def test_units_that_differ(tmp_path):
    for name, unit in (("a", "mJy"), ("b", "Jy")):
        field = pa.field("flux", pa.float64(), metadata={"unit": unit})
        schema = pa.schema([("ra", pa.float64()), ("dec", pa.float64()), field])
        pq.write_table(pa.table([[1.0], [2.0], [3.0]], schema=schema), tmp_path / f"{name}.parquet")
    with pytest.raises(SchemaError) as raised:
        import_catalog([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "sky")
    for word in ("a.parquet", "b.parquet", "'flux'", "mJy", "Jy"):
        assert word in str(raised.value)
    assert not (tmp_path / "sky").exists()

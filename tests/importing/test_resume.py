"""A killed import resumes where it stopped and gives the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hatsformat import open_catalog
from hatsformat.errors import HatsError, InputError, OutputError
from hatsformat.importing import run_import
from hatsformat.partitioner import mapping, memory
from tests.support import skies
from tests.support.interrupted_imports import FILES, OPTIONS, ROWS_A_FILE, killed, write_inputs
from tests.support.killing import EPOCH, run_python

FAULTS = {
    "before any input": "die_at(mapping, 'map_source', 0)",
    "between inputs": "die_at(mapping, 'map_source', 2)",
    "within the rows of an input": "die_at(runs.SpillWriter, 'write', 1)",
    "between runs that are merged": "few_runs(); die_at(merging.MergeTask, '_pieces', 1)",
    "before binning": "die_at(tables, 'choose_tiles', 0)",
    "before splitting": "die_at(building, 'split', 0)",
    "before the first leaf": "die_at(reducing, 'reduce_tile', 0)",
    "between leaves": "die_at(reducing, 'reduce_tile', 5)",
    "before the metadata": "die_at(finishing, 'write_common_metadata', 0)",
    "before the properties": "die_at(finishing, 'write_properties', 0)",
    "before it is published": "die_at(new_folder, '_move', 0)",
    "while it is published": "die_at(new_folder, '_move', 1)",
    "before the last file is published": "die_at(new_folder, '_move', 3)",
    "after it is published": "die_at(new_folder, 'clear', 1)",
    "after the second name of the properties": "die_after(finishing, 'write_properties')",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def undisturbed(inputs: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "sky"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        run_import(inputs, out, **OPTIONS)
    return skies.contents(out)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_killed_import_is_not_a_catalog_and_resumes_to_the_same_bytes(
    fault: str,
    inputs: list[str],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "sky"
    killed(inputs, out, fault)
    if "new_folder" not in fault:
        with pytest.raises(HatsError):
            open_catalog(out)
    with pytest.raises(OutputError, match="--resume"):
        run_import(inputs, out, **OPTIONS)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")  # the date is that of the first attempt
    run_import(inputs, out, resume=True, **OPTIONS)
    assert skies.contents(out) == undisturbed


def test_finished_work_is_not_repeated(
    inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatsformat.partitioner import mapping, reducing

    out = tmp_path / "sky"
    killed(inputs, out, "die_at(reducing, 'reduce_tile', 5)")
    monkeypatch.setattr(mapping, "map_source", lambda *_: pytest.fail("an input was mapped again"))
    reduced = []
    reduce_tile = reducing.reduce_tile
    monkeypatch.setattr(
        reducing, "reduce_tile", lambda tile, *rest: reduced.append(tile) or reduce_tile(tile, *rest)
    )
    log = run_import(inputs, out, resume=True, **OPTIONS)
    assert len(reduced) == log.tiles - 5


def test_rows_in_memory_are_read_again(
    inputs: list[str], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "sky"
    killed(inputs, out, "die_at(reducing, 'reduce_tile', 3)", spill=False)
    run_import(inputs, out, resume=True, **OPTIONS)
    assert skies.contents(out) == undisturbed


def test_a_replaced_catalog_stays_until_the_new_one_is_complete(inputs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "sky"
    run_import(inputs[:1], out, **OPTIONS)
    killed(inputs, out, "die_at(finishing, 'write_properties', 0)", overwrite=True)
    assert open_catalog(out).scan().count_rows() == ROWS_A_FILE
    run_import(inputs, out, resume=True, **OPTIONS)
    assert open_catalog(out).scan().count_rows() == ROWS_A_FILE * FILES
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def test_resuming_with_other_options_or_inputs_is_refused(inputs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "sky"
    killed(inputs, out, "die_at(tables, 'choose_tiles', 0)")
    with pytest.raises(OutputError, match=r"'max_rows' differs.*99.*150"):
        run_import(inputs, out, resume=True, **{**OPTIONS, "max_rows": 99})
    with pytest.raises(OutputError, match=r"part-3\.parquet differs"):
        run_import(inputs[:3], out, resume=True, **OPTIONS)
    run_import(inputs, out, resume=True, workers=2, **OPTIONS)  # the number of workers may differ


def test_a_changed_input_is_refused(inputs: list[str], tmp_path: Path) -> None:
    copies = []
    for path in inputs:
        copies.append(str(tmp_path / Path(path).name))
        Path(copies[-1]).write_bytes(Path(path).read_bytes())
    out = tmp_path / "sky"
    killed(copies, out, "die_at(tables, 'choose_tiles', 0)")
    pq.write_table(pq.read_table(copies[1]).slice(1), copies[1])
    with pytest.raises(OutputError, match=r"part-1\.parquet differs"):
        run_import(copies, out, resume=True, **OPTIONS)


def test_resume_without_an_interrupted_import_starts_one(inputs: list[str], tmp_path: Path) -> None:
    log = run_import(inputs, tmp_path / "sky", resume=True, **OPTIONS)
    assert log.rows_written == FILES * ROWS_A_FILE


@pytest.mark.parametrize("spill", [False, True])
def test_a_full_disk_is_a_clear_error_that_can_be_resumed(
    spill: bool, inputs: list[str], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "sky"
    # A limit on the size of files simulates a full disk: runs on scratch are the first that are larger, or
    # the sky map.
    code = """
        import json, resource, signal, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY))
        from hatsformat.cli import main
        from hatsformat.partitioner import memory
        inputs, out, spill = json.loads(sys.argv[1])
        if spill:
            memory.MemoryBudget.runs_bytes = property(lambda self: 0)
        sys.argv = ["hatsformat", "import", *inputs, "--out", out, "--max-rows", "150"]
        sys.argv += ["--highest-order", "6", "--name", "sky"]
        main()
        """
    done = run_python(code, inputs, str(out), spill)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "File too large" in done.stderr
    assert ("scratch" in done.stderr) == spill
    assert "--resume" in done.stderr
    run_import(inputs, out, resume=True, **OPTIONS)
    assert skies.contents(out) == undisturbed


def test_an_input_that_is_temporarily_unreadable(
    inputs: list[str], undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatsformat.artefacts import leaf_reading
    from hatsformat.partitioner import mapping
    from hatsformat.partitioner.memory import MemoryBudget

    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
    plain = leaf_reading.pq.ParquetFile

    def failing(source: object, **options: object) -> object:
        if "part-2" in str(source):
            raise OSError(5, "Input/output error")
        return plain(source, **options)

    out = tmp_path / "sky"
    with monkeypatch.context() as patch:
        patch.setattr(leaf_reading.pq, "ParquetFile", failing)
        with pytest.raises(HatsError, match=r"part-2.*Input/output error.*--resume"):
            run_import(inputs, out, workers=1, **OPTIONS)
    assert not (out / "hats.properties").exists()
    read = []
    real = mapping.map_source
    monkeypatch.setattr(mapping, "map_source", lambda index, *rest: read.append(index) or real(index, *rest))
    run_import(inputs, out, resume=True, workers=1, **OPTIONS)
    assert 2 in read
    assert 0 not in read
    assert skies.contents(out) == undisturbed


@pytest.mark.parametrize("given", [{}, {"overwrite": True}, {"resume": True}])
def test_a_second_import_into_the_same_folder_is_refused(
    given: dict[str, bool],
    inputs: list[str],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "sky"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    refused = []

    def progress(stage: str, done: int, _: int) -> None:
        with pytest.raises(OutputError, match="another process"):
            run_import(inputs, out, **OPTIONS, **given)
        refused.append(stage)

    run_import(inputs, out, progress=progress, **OPTIONS)
    assert set(refused) == {"mapping", "reducing"}
    assert skies.contents(out) == undisturbed


def test_inputs_in_another_order_are_refused(inputs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "sky"
    killed(inputs, out, "die_at(tables, 'choose_tiles', 0)")
    with pytest.raises(OutputError, match=r"part-1\.parquet differs.*same order"):
        run_import([inputs[1], inputs[0], *inputs[2:]], out, resume=True, **OPTIONS)


def test_a_broken_input_may_be_fixed(
    inputs: list[str], undisturbed: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    monkeypatch.setattr(memory.MemoryBudget, "runs_bytes", property(lambda self: 0))
    copies = [shutil.copy(name, tmp_path) for name in inputs]
    whole = Path(copies[2]).read_bytes()
    pages = whole.index(b"PAR1", 1) if b"PAR1" in whole[1:-4] else len(whole) // 2
    Path(copies[2]).write_bytes(whole[:4] + b"\xff" * (pages - 4) + whole[pages:])
    out = tmp_path / "sky"
    with pytest.raises(InputError, match=r"part-2\.parquet.*--resume"):
        run_import(copies, out, workers=1, **OPTIONS)
    Path(copies[2]).write_bytes(whole)
    read = []
    real = mapping.map_source
    monkeypatch.setattr(mapping, "map_source", lambda index, *rest: read.append(index) or real(index, *rest))
    run_import(copies, out, workers=1, resume=True, **OPTIONS)
    assert read[0] == 2, "what was read before is not read again"
    assert skies.contents(out) == undisturbed

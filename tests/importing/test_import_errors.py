"""Imports that fail: a clear error, nothing that opens as a catalog, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pyarrow.parquet as pq
import pytest

import hatsformat
from hatsformat import build_collection, build_margin
from hatsformat.errors import ColumnError, HatsError, InputError, NotFoundError, OutputError, UsageError
from hatsformat.importing import import_catalog, run_import
from tests.support import skies

WAIT = 60


@pytest.fixture
def stars(tmp_path):
    """A valid file."""
    file = tmp_path / "in" / "stars.parquet"
    file.parent.mkdir()
    pq.write_table(skies.stars(300), file)
    return file


@pytest.fixture
def broken(tmp_path):
    """A file that fails after half of it is read."""
    file = tmp_path / "in" / "broken.csv"
    file.parent.mkdir(exist_ok=True)
    good = "".join(f"{row},{row % 360},{row % 90},1.5,0.5,g,true\n" for row in range(1000))
    file.write_text("id,ra,dec,mag,flux,band,good\n" + good + "1000,nan,5,1.5,0.5,g,true\n" + good)
    return file


def content(root):
    return {path: (root / path).read_bytes() for path in skies.files(root)}


def refused(inputs, out, error, *words, **options):
    with pytest.raises(error) as raised:
        import_catalog(inputs, out, **options)
    text = str(raised.value)
    assert "\n" not in text
    for word in words:
        assert word in text
    return text


class TestArguments:
    """Invalid arguments."""

    def test_no_such_file(self, tmp_path):
        refused(tmp_path / "absent.csv", tmp_path / "sky", (InputError, NotFoundError), "absent.csv")
        assert list(tmp_path.iterdir()) == []

    def test_scratch_in_a_bucket(self, stars, tmp_path):
        refused(stars, tmp_path / "sky", UsageError, "scratch", "memory://", scratch="memory://scratch")
        assert not (tmp_path / "sky").exists()

    @pytest.mark.parametrize("role", ["ra", "dec"])
    def test_no_such_column(self, stars, tmp_path, role):
        refused(stars, tmp_path / "sky", ColumnError, "stars.parquet", "NOPE", "band", **{role: "NOPE"})
        assert not (tmp_path / "sky").exists()

    def test_a_column_that_is_close(self, stars, tmp_path):
        text = refused(stars, tmp_path / "sky", ColumnError, ra="RA")
        assert "ra?" in text

    def test_no_such_column_to_sort_by(self, stars, tmp_path):
        refused(stars, tmp_path / "sky", ColumnError, "NOPE", sort_by=["NOPE"])
        assert not (tmp_path / "sky").exists()

    def test_no_such_option(self, stars, tmp_path):
        refused(stars, tmp_path / "sky", UsageError, "thresold", "max_rows", thresold=5)

    @pytest.mark.parametrize(
        "options",
        [
            {"max_rows": 0},
            {"max_rows": -5},
            {"lowest_order": 5, "highest_order": 4},
            {"highest_order": 30},
            {"lowest_order": -1},
            {"row_group_rows": 0},
            {"row_group_bytes": 0},
            {"subtile_order_delta": -1},
            {"subtile_order_delta": 30},
            {"workers": 0},
            {"memory": 1000},
            {"leaf": "folder"},
            {"bad_coordinates": "ignore"},
            {"catalog_type": "margin"},
            {"ra": "dec"},
            {"format": "xlsx"},
            {"ra_unit": "parsec"},
            {"delimiter": ",,"},
        ],
    )
    def test_invalid_options(self, stars, tmp_path, options):
        refused(stars, tmp_path / "sky", UsageError, **options)
        assert not (tmp_path / "sky").exists()


class TestOutput:
    """The output path is in use or invalid."""

    def test_an_existing_catalog(self, stars, tmp_path):
        import_catalog(skies.stars(10), tmp_path / "sky")
        before = content(tmp_path / "sky")
        refused(stars, tmp_path / "sky", OutputError, "sky", "overwrite")
        assert content(tmp_path / "sky") == before

    def test_an_existing_file(self, stars, tmp_path):
        (tmp_path / "sky").write_text("mine")
        for overwrite in (False, True):
            refused(stars, tmp_path / "sky", OutputError, "sky", "file", overwrite=overwrite)
            assert (tmp_path / "sky").read_text() == "mine"

    @pytest.mark.parametrize("name", ["thesis.tex", ".hidden", "dataset/notes.txt", "partition_info.csv"])
    def test_other_files_in_the_folder(self, stars, tmp_path, name):
        """Never deleted, not even with overwrite."""
        (tmp_path / "sky" / name).parent.mkdir(parents=True)
        (tmp_path / "sky" / name).write_text("mine")
        for overwrite in (False, True):
            refused(stars, tmp_path / "sky", OutputError, "sky", overwrite=overwrite)
            assert skies.files(tmp_path / "sky") == {name}
            assert (tmp_path / "sky" / name).read_text() == "mine"

    def test_an_empty_folder_is_used(self, stars, tmp_path):
        (tmp_path / "sky").mkdir()
        assert len(import_catalog(stars, tmp_path / "sky").scan().to_table()) == 300

    def test_parent_folders_are_created(self, stars, tmp_path):
        import_catalog(stars, tmp_path / "a" / "b" / "sky")
        assert skies.looks_like_a_catalog(tmp_path / "a" / "b" / "sky")

    @pytest.mark.parametrize("out", ["/dev/null/sky", "/proc/sky"])
    def test_a_path_that_cannot_be_written(self, stars, out):
        refused(stars, out, HatsError, out)

    def test_the_root_of_a_file_system(self, stars):
        refused(stars, "/", OutputError, overwrite=True)

    def test_a_relative_path(self, stars, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        import_catalog("in/stars.parquet", "sky")
        assert hatsformat.open_catalog(tmp_path / "sky").properties.obs_collection == "sky"

    def test_a_link(self, stars, tmp_path):
        """A link to a catalog stays a link."""
        import_catalog(skies.stars(10), tmp_path / "real")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        import_catalog(stars, tmp_path / "link", overwrite=True)
        assert len(skies.read_rows(tmp_path / "link")) == 300


class TestOverwrite:
    """A catalog is replaced by a complete one, or stays."""

    def test_replaced(self, stars, tmp_path):
        import_catalog(skies.stars(5000), tmp_path / "sky", max_rows=50, thumbnail=True)
        import_catalog(stars, tmp_path / "sky", overwrite=True, leaf="directory")
        import_catalog(stars, tmp_path / "fresh", leaf="directory")
        assert skies.files(tmp_path / "sky") == skies.files(tmp_path / "fresh")
        assert len(skies.read_rows(tmp_path / "sky")) == 300

    def test_a_failed_one_leaves_the_old_catalog(self, stars, broken, tmp_path):
        import_catalog(skies.stars(500), tmp_path / "sky", max_rows=50)
        before = content(tmp_path / "sky")
        refused([stars, broken], tmp_path / "sky", HatsError, "broken.csv", overwrite=True)
        assert content(tmp_path / "sky") == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "sky"]

    @pytest.mark.parametrize("stage", ["reduce_tile", "finish"])
    def test_a_failure_late(self, stars, tmp_path, monkeypatch, stage):
        """While leaves are written, or after."""
        from hatsformat.importing import tables
        from hatsformat.partitioner import reducing

        module = tables if stage == "finish" else reducing
        import_catalog(skies.stars(500), tmp_path / "sky", max_rows=50)
        before = content(tmp_path / "sky")
        plain, calls = getattr(module, stage), []

        def failing(*arguments, **options):
            calls.append(1)
            if stage == "finish":
                plain(*arguments, **options)
            if len(calls) == (1 if stage == "finish" else 3):
                raise ZeroDivisionError("a bug")
            return plain(*arguments, **options)

        monkeypatch.setattr(module, stage, failing)
        with pytest.raises(ZeroDivisionError):
            import_catalog(stars, tmp_path / "sky", max_rows=20, overwrite=True)
        found = content(tmp_path / "sky")
        assert {name: data for name, data in found.items() if not name.startswith(".")} == before
        assert len(hatsformat.open_catalog(tmp_path / "sky").scan().to_table()) == 500

    def test_an_input_from_inside_the_output(self, tmp_path):
        import_catalog(skies.stars(500), tmp_path / "sky", max_rows=50)
        before = content(tmp_path / "sky")
        leaves = [tmp_path / "sky" / leaf.path for leaf in skies.read_leaves(tmp_path / "sky")]
        for inputs in (leaves[0], leaves, tmp_path / "sky", str(tmp_path / "sky" / "**" / "Npix*")):
            refused(inputs, tmp_path / "sky", OutputError, overwrite=True)
            assert content(tmp_path / "sky") == before

    def test_an_input_from_inside_by_another_path(self, tmp_path, monkeypatch):
        import_catalog(skies.stars(500), tmp_path / "sky", max_rows=50)
        before = content(tmp_path / "sky")
        (tmp_path / "link").symlink_to(tmp_path / "sky")
        monkeypatch.chdir(tmp_path)
        for inputs in ("sky", tmp_path / "link", tmp_path / "in" / ".." / "sky"):
            refused(inputs, tmp_path / "sky", OutputError, overwrite=True)
            assert content(tmp_path / "sky") == before

    def test_a_sibling_with_a_longer_name_is_not_inside(self, tmp_path):
        import_catalog(skies.stars(50), tmp_path / "sky")
        import_catalog(skies.stars(60), tmp_path / "sky2")
        import_catalog(tmp_path / "sky2", tmp_path / "sky", overwrite=True)
        assert len(skies.read_rows(tmp_path / "sky")) == 60


class TestNothingIsLeft:
    """After a failure everything is as it was before."""

    def test_a_bad_row(self, stars, broken, tmp_path):
        refused([stars, broken], tmp_path / "sky", HatsError, "row 1001")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]

    def test_an_empty_folder_stays(self, broken, tmp_path):
        (tmp_path / "sky").mkdir()
        refused(broken, tmp_path / "sky", HatsError)
        assert not (tmp_path / "sky").exists() or list((tmp_path / "sky").iterdir()) == []

    def test_a_scratch_folder_of_the_user(self, stars, broken, tmp_path, monkeypatch):
        from hatsformat.partitioner.memory import MemoryBudget

        monkeypatch.setattr(MemoryBudget, "runs_bytes", property(lambda self: 0))
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        (scratch / "mine.txt").write_text("mine")
        refused([stars, broken], tmp_path / "sky", HatsError, scratch=str(scratch))
        assert skies.files(scratch) == {"mine.txt"}
        log = run_import(stars, tmp_path / "sky", scratch=str(scratch))
        assert log.spilled_bytes > 0
        assert sorted(path.name for path in scratch.iterdir()) == ["mine.txt"]
        assert not any("import" in path.name for path in tmp_path.iterdir())

    def test_a_threshold_that_cannot_be_met(self, stars, tmp_path):
        refused(stars, tmp_path / "sky", HatsError, "threshold", max_rows=1, highest_order=0)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]

    def test_in_memory(self, broken):
        refused(broken, "memory://import-errors/sky", HatsError)
        with pytest.raises(HatsError):
            hatsformat.open_catalog("memory://import-errors/sky")


def program(tmp_path, body):
    """A Python program that imports its own sky to ``out``."""
    file = tmp_path / "program.py"
    start = textwrap.dedent(
        """
        import sys, time, hatsformat, pyarrow as pa, numpy as np
        from hatsformat.importing import import_catalog
        out = sys.argv[1]
        rng = np.random.default_rng(0)
        rows = 200_000
        ra, dec = rng.uniform(0, 360, rows), rng.uniform(-90, 90, rows)
        table = pa.table({"id": range(rows), "ra": ra, "dec": dec})
        """
    )
    file.write_text(start + textwrap.dedent(body))
    return [sys.executable, str(file)]


SLOW = """
def batches():
    yield from table.to_batches(10_000)[:3]
    print("started", flush=True)
    time.sleep(600)
import_catalog(batches(), out)
"""


def start(command, out):
    process = subprocess.Popen(
        [*command, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "started", process.stderr.read()
    return process


def stop(process, how=signal.SIGKILL):
    process.send_signal(how)
    process.wait(WAIT)
    process.stdout.close()
    process.stderr.close()


class TestOtherProcesses:
    """Two imports at the same time, and killed imports."""

    def test_two_imports_into_one_folder(self, stars, tmp_path):
        process = start(program(tmp_path, SLOW), tmp_path / "sky")
        try:
            for overwrite in (False, True):
                refused(stars, tmp_path / "sky", OutputError, "sky", overwrite=overwrite)
            # Another folder works.
            import_catalog(stars, tmp_path / "sky2")
        finally:
            stop(process)

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
    def test_killed_while_mapping(self, stars, tmp_path, how):
        process = start(program(tmp_path, SLOW), tmp_path / "sky")
        stop(process, how)
        assert not skies.looks_like_a_catalog(tmp_path / "sky")
        with pytest.raises(HatsError):
            hatsformat.open_catalog(tmp_path / "sky")
        # The next import replaces what was left.
        import_catalog(stars, tmp_path / "sky", overwrite=True)
        assert len(skies.read_rows(tmp_path / "sky")) == 300
        assert not any(path.startswith(".") for path in skies.files(tmp_path / "sky"))

    @pytest.mark.parametrize("old", [False, True])
    def test_killed_while_leaves_are_written(self, stars, tmp_path, old):
        body = """
        def progress(stage, done, total):
            if stage == "reducing" and done == 5:
                print("started", flush=True)
                time.sleep(600)
        import_catalog(table, out, max_rows=5000, overwrite=True, progress=progress)
        """
        if old:
            import_catalog(skies.stars(500), tmp_path / "sky", max_rows=50)
        process = start(program(tmp_path, body), tmp_path / "sky")
        time.sleep(0.2)
        stop(process)
        if old:
            # The old catalog is complete, or nothing opens.
            assert len(hatsformat.open_catalog(tmp_path / "sky").scan().to_table()) == 500
        else:
            with pytest.raises(HatsError):
                hatsformat.open_catalog(tmp_path / "sky")
        import_catalog(stars, tmp_path / "sky", overwrite=True)
        assert len(skies.read_rows(tmp_path / "sky")) == 300
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "program.py", "sky"]

    @pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
    @pytest.mark.parametrize("limit", [20_000, 400_000])
    def test_a_full_disk(self, tmp_path, limit):
        """A limit on the size of files simulates a full disk."""
        body = f"""
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            import_catalog(table, out, max_rows=60_000)
        except hatsformat.HatsError as error:
            print(error)
            sys.exit(3)
        """
        done = subprocess.run(
            [*program(tmp_path, body), str(tmp_path / "sky")],
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )
        assert done.returncode == 3, done.stderr
        assert done.stdout.count("\n") == 1
        assert "too large" in done.stdout.lower() or "space" in done.stdout.lower()
        assert not skies.looks_like_a_catalog(tmp_path / "sky")
        with pytest.raises(HatsError):
            hatsformat.open_catalog(tmp_path / "sky")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_no_permission(self, stars, tmp_path):
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        refused(stars, locked / "sky", HatsError, "locked")


@pytest.mark.parametrize("name", ["two words", "", " ", "tab\tbed", "line\nbroken"])
def test_a_name_is_one_word(stars, tmp_path, name):
    made = import_catalog(stars, tmp_path / "made")
    with pytest.raises(UsageError, match="one word"):
        import_catalog(stars, tmp_path / "out", name=name)
    with pytest.raises(UsageError, match="one word"):
        build_margin(made, 5.0, name=name)
    with pytest.raises(UsageError, match="one word"):
        build_collection(tmp_path, margins_arcsec=[5.0], name=name)
    assert {path.name for path in tmp_path.iterdir()} == {"in", "made"}

"""The pytest plugin and its suites, as another project uses them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from hatsformat.conformance import corpus
from hatsformat.conformance.plugin import find_cases

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "hatsformat.conformance.plugin"


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest on a test file of another project, with this plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run_file(text: str, *words: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-p", PLUGIN, "--strict-markers", "-W", "error", *words)

    return run_file


def test_the_entry_point_is_this_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["entry-points"]["pytest11"] == {"hatsformat": PLUGIN}
    assert hasattr(import_module(PLUGIN), "pytest_generate_tests")
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["tests/conformance"] == "hatsformat/conformance/cases"


def test_the_plugin_loads_nothing_heavy():
    code = (
        f"import pytest, sys; import {PLUGIN}; "
        "heavy = {'numpy', 'pyarrow', 'astropy', 'yaml', 'jsonschema', 'cdshealpix', 'fsspec', 'click'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr.strip() == ""


def test_the_corpus_is_found_in_a_wheel(tmp_path, monkeypatch):
    assert corpus.corpus_path("cases") == ROOT / "tests" / "conformance" / "cases"
    (tmp_path / "cases" / "cases").mkdir(parents=True)
    monkeypatch.setattr(corpus, "_PACKAGE", tmp_path)
    assert corpus.corpus_path("cases") == tmp_path / "cases" / "cases"


def test_cases_are_chosen():
    assert {case.verdict for case in find_cases(verdict="sound")} == {"sound"}
    assert all("HATS-LEAF-001" in case.rules for case in find_cases(rules="HATS-LEAF-001"))
    assert {case.base for case in find_cases(bases=["map", "margin"])} == {"map", "margin"}
    assert "collection" not in {case.base for case in find_cases(tables=True)}
    assert find_cases(edition="draft-2025-04", level="rows")
    assert all(case.pending is None for case in find_cases())


def test_a_test_is_given_cases(run):
    done = run(
        """
        import pytest

        @pytest.mark.hats_cases(verdict="invalid", rules=["HATS-PINF-004"])
        def test_case(hats_case):
            assert hats_case.id == "pinf-004"
            assert (hats_case.path / "partition_info.csv").is_file()
            assert [finding.rule for finding in hats_case.findings] == ["HATS-PINF-004"]
        """
    )
    done.assert_outcomes(passed=1)


def test_a_project_that_uses_nothing_gets_nothing(run):
    run("def test_nothing():\n    import sys\n    assert 'pyarrow' not in sys.modules\n").assert_outcomes(
        passed=1
    )


def test_all_trees_and_their_manifest(run):
    done = run(
        """
        import json

        def test_corpus(hats_corpus):
            manifest = json.loads((hats_corpus / "manifest.json").read_text("utf-8"))
            assert len(manifest["cases"]) > 200
            assert all((hats_corpus / case["path"]).is_dir() for case in manifest["cases"])
        """
    )
    done.assert_outcomes(passed=1)


def test_the_marker_is_described(run):
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.hats_cases(*"])


READERS = """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from hatsformat.conformance import ReaderSuite

    def leaves(path):
        files = [
            file for file in sorted((path / "dataset").rglob("*"))
            if file.is_file() and not file.name.startswith(("_", "."))
        ]
        return [pq.ParquetFile(file).read() for file in files]

    class TestReader(ReaderSuite):
        def read(self, path):
            return pa.concat_tables(leaves(path))

    class TestFrames(TestReader):
        def read(self, path):
            return super().read(path).to_pandas()

    class TestLoser(TestReader):
        def read(self, path):
            return super().read(path).slice(1)

    class TestDropper(TestReader):
        def read(self, path):
            return super().read(path).drop_columns(["id"])

    class TestInventor(TestReader):
        def read(self, path):
            table = super().read(path)
            return table.append_column("x", pa.nulls(table.num_rows))

    class TestDeceived(TestReader):
        def read(self, path):
            return pa.table({"id": [1]})
"""


def test_a_right_reader_passes(run):
    outcomes = run(READERS, "-k", "TestReader").parseoutcomes()
    assert "failed" not in outcomes
    assert outcomes["passed"] > 30


def test_a_reader_that_gives_frames_passes(run):
    pytest.importorskip("pandas", reason="pandas is not installed")
    outcomes = run(READERS, "-k", "TestFrames and every_row and (object or map or source)").parseoutcomes()
    assert "failed" not in outcomes
    assert outcomes["passed"] >= 3


def test_a_wrong_reader_fails(run):
    done = run(READERS, "-k", "(Loser or Dropper or Inventor) and every_row and sound-object")
    assert {name: done.parseoutcomes().get(name) for name in ("failed", "passed")} == {
        "failed": 3,
        "passed": None,
    }
    done.stdout.fnmatch_lines(["*columns are missing: id*", "*columns are not in the catalog: x*"])


def test_a_reader_that_passes_over_broken_leaves_fails(run):
    outcomes = run(READERS, "-k", "Deceived and broken_leaf").parseoutcomes()
    assert outcomes["failed"] >= 5
    assert "passed" not in outcomes


def test_a_right_writer_passes_and_a_wrong_one_fails(run):
    done = run(
        """
        from hatsformat import import_catalog
        from hatsformat.conformance import WriterSuite
        import pyarrow.parquet as pq

        class TestWriter(WriterSuite):
            def write(self, table, path):
                pq.write_table(table, path.with_suffix(".in.parquet"))
                import_catalog([path.with_suffix(".in.parquet")], path)

        class TestLoser(TestWriter):
            def write(self, table, path):
                super().write(table.slice(1) if table.num_rows > 1 else table, path)
        """
    )
    done.assert_outcomes(passed=6, failed=4)


VALIDATORS = """
    from hatsformat import validate
    from hatsformat.conformance import ValidatorSuite

    class TestReport(ValidatorSuite):
        def validate(self, path):
            return validate(path).to_dict()

    class TestFindings(ValidatorSuite):
        def validate(self, path):
            return validate(path).to_dict()["findings"]

    class TestVerdict(ValidatorSuite):
        def validate(self, path):
            return not validate(path).findings

    class TestYes(ValidatorSuite):
        def validate(self, path):
            return True

    class TestOther(ValidatorSuite):
        def validate(self, path):
            return [{"rule": "HATS-PINF-005"}]
"""


def test_a_right_validator_passes(run):
    outcomes = run(
        VALIDATORS, "-k", "(Report or Findings or Verdict) and (pinf or sound-map)"
    ).parseoutcomes()
    assert "failed" not in outcomes
    assert outcomes["passed"] > 40


def test_a_wrong_validator_fails(run):
    done = run(VALIDATORS, "-k", "(Yes or Other) and (pinf-004 or sound-map)", "-v")
    verdicts = [
        line.split()[1] for line in done.outlines if line.count("::") == 2 and "[" in line and "%" in line
    ]
    assert sorted(verdicts) == ["FAILED", "FAILED", "FAILED", "PASSED"]

"""`hatsformat margin`, `index` and `collection`, and what `import` says of the supplements it builds."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from hatsformat import import_catalog, open_collection
from hatsformat.cli import main
from tests.support import skies


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def said(*arguments: object) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    import_catalog(skies.stars(200, 1), tmp_path / "stars", max_rows=40)
    return tmp_path / "stars"


def test_a_margin(stars: Path) -> None:
    text = said("margin", stars, "--threshold", "1.5arcmin", "--workers", 1, "--memory", "1GiB")
    assert text.startswith(f"{stars}_90arcs: ")
    again = run("margin", stars, "--threshold", "90")
    assert again.exit_code == 2
    assert "a catalog already exists here" in again.stderr
    told = json.loads(said("margin", stars, "--threshold", 90, "--overwrite", "--json"))
    assert told["path"] == f"{stars}_90arcs"
    assert said("validate", f"{stars}_90arcs").count("0 errors, 0 warnings, 0 info") == 1


def test_an_index(stars: Path, tmp_path: Path) -> None:
    assert said("index", stars, "--column", "id") == f"{stars}_id: 200 rows\n"
    text = said(
        "index", stars, "--column", "id", "--extra", "ra,dec", "--out", tmp_path / "more", "--name", "finder"
    )
    assert text == f"{tmp_path / 'more'}: 200 rows\n"
    table = pq.read_table(tmp_path / "more" / "dataset" / "index" / "part.0.parquet")
    assert table.column_names == ["id", "ra", "dec", "_healpix_29", "Norder", "Npix"]
    assert skies.read_properties(tmp_path / "more")["obs_collection"] == "finder"


def test_a_collection(stars: Path, tmp_path: Path) -> None:
    text = said(
        "collection", tmp_path, "--margin", "10", "--margin", "0.5deg", "--index", "id", "--name", "all"
    )
    supplements = "stars_10arcs, stars_1800arcs, stars_id"
    assert text == f"{tmp_path}: stars, with {supplements}\n"
    told = json.loads(said("collection", tmp_path, "--json"))
    assert (told["name"], told["primary"], told["indexes"]) == ("all", "stars", {"id": "stars_id"})
    assert told["margins"] == ["stars_10arcs", "stars_1800arcs"]


def test_an_import_into_a_collection(tmp_path: Path) -> None:
    pq.write_table(skies.stars(200, 1), tmp_path / "stars.parquet")
    out = tmp_path / "survey"
    arguments = ["import", tmp_path / "stars.parquet", "--out", out, "--max-rows", 40]
    text = said(*arguments, "--margin", "10", "--margin", "1arcmin", "--index", "id")
    first, *others = text.splitlines()
    assert first.startswith(f"{out}: 200 rows in ")
    assert [line.partition(": ")[0] for line in others] == [
        f"{out}/survey_10arcs", f"{out}/survey_60arcs", f"{out}/survey_id",
    ]  # fmt: skip
    log = json.loads(said(*arguments, "--margin", "60", "--overwrite", "--json"))
    assert list(log["supplements"]) == ["survey_60arcs"]
    assert open_collection(out).indexes == ()
    assert said(*arguments, "--overwrite").startswith(f"{out}: 200 rows in ")
    assert not (out / "collection.properties").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["margin", "{stars}"], "--threshold"),
        (["margin", "{stars}", "--threshold", "wide"], "not an angle"),
        (["margin", "{stars}", "--threshold", "0"], "threshold of a margin"),
        (["margin", "{stars}", "--threshold", "90deg"], "at most 35 degrees"),
        (["margin", "nowhere", "--threshold", "10"], "no HATS catalog"),
        (["index", "{stars}", "--column", "nothing"], "column 'nothing' (--column) not found"),
        (["index", "{stars}", "--column", "id", "--extra", "nothing"], "(--extra) not found"),
        (["collection", "{stars}"], "a catalog in a subfolder"),
        (["collection", "nowhere"], "no such file or directory"),
    ],
)
def test_an_error_is_one_line(arguments: list[str], message: str, stars: Path) -> None:
    result = run(*(argument.replace("{stars}", str(stars)) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""

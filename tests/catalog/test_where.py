from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hatsformat import ColumnError, UsageError
from hatsformat.catalog.where import as_condition, columns_of

TABLE = pa.table(
    {
        "mag": [1.0, 5.5, None, float("nan"), 15.0],
        "band": ["g", "r", "g", None, "i"],
        "flag": pa.array([0, 1, 2, 3, 4], pa.int8()),
        "my col": [10, 20, 30, 40, 50],
        "good": [True, False, True, None, True],
        "lc": [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {"n": 5}],
        "mag_error": [0.1, 0.2, 0.3, 0.4, 0.5],
    }
)


@pytest.mark.parametrize(
    ("text", "rows", "columns"),
    [
        ("mag < 6", [0, 1], ["mag"]),
        ("mag >= 5.5 and flag != 4", [1], ["mag", "flag"]),
        ("1 <= mag < 15", [0, 1], ["mag"]),
        ("flag == 1 or band == 'i'", [1, 4], ["band", "flag"]),
        ("(flag == 1) | (band == 'i')", [1, 4], ["band", "flag"]),
        ("(flag > 0) & ~(flag > 2)", [1, 2], ["flag"]),
        ("not flag > 1", [0, 1], ["flag"]),
        ("band in ('g', 'r')", [0, 1, 2], ["band"]),
        ("flag not in [0, 1]", [2, 3, 4], ["flag"]),
        ("`my col` > 35", [3, 4], ["my col"]),
        ("`my col` + flag * 2 <= 22", [0, 1], ["flag", "my col"]),
        ("30 / `my col` > 1.4", [0], ["my col"]),
        ("100 - `my col` > 75", [0, 1], ["my col"]),
        ("-flag > -2", [0, 1], ["flag"]),
        ("flag > -1", [0, 1, 2, 3, 4], ["flag"]),
        ("abs(mag - 5) < 1", [1], ["mag"]),
        ("mag is None", [2], ["mag"]),
        ("mag is not None", [0, 1, 3, 4], ["mag"]),
        ("mag == None", [2], ["mag"]),
        ("mag != None and not is_nan(mag)", [0, 1, 4], ["mag"]),
        ("is_null(band)", [3], ["band"]),
        ("is_valid(band)", [0, 1, 2, 4], ["band"]),
        ("good", [0, 2, 4], ["good"]),
        ("good == False", [1], ["good"]),
        ("lc.n >= 4", [3, 4], ["lc"]),
        ("mag_error > 0.35", [3, 4], ["mag_error"]),
        ("  mag < 6\n", [0, 1], ["mag"]),
    ],
)
def test_texts_mean_what_they_say(text, rows, columns):
    condition = as_condition(text, TABLE.schema)
    assert TABLE.append_column("row", pa.array(range(5))).filter(condition).column("row").to_pylist() == rows
    assert sorted(columns_of(condition, TABLE.schema)) == sorted(columns)


@pytest.mark.parametrize(
    "text",
    [
        "", "mag <", "mag = 3", "mag < 3;", "__import__('os').system('true')", "lambda: 1", "5", "True",
        "[x for x in y]", "mag if good else flag", "mag ** 2 > 3", "open('x')", "f'{mag}' == 'x'",
        "abs(mag, flag) > 1", "band in 'g'", "mag is 3", "mag < None", "b'x' == band", "mag AND flag",
        "abs.x > 1", "'", "(" * 300 + "mag" + ")" * 300 + "<", "mag[0] > 1", "yield", "(mag := 3) > 2",
    ],
)  # fmt: skip
def test_texts_that_say_nothing_are_refused(text):
    with pytest.raises(UsageError, match=r"condition|no column"):
        as_condition(text, TABLE.schema)


@pytest.mark.parametrize(
    "text", ["mag", "band < 3", "mag + 1", "band + 'x' > 3", "mag < 15 & flag == 0", "lc > 3", "lc.x > 3"]
)
def test_conditions_that_do_not_fit_the_columns_are_refused(text):
    with pytest.raises(UsageError, match="condition"):
        columns_of(as_condition(text, TABLE.schema), TABLE.schema)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("Mag < 3", "no column 'Mag'.*did you mean mag"),
        ("`my cot` < 3", "no column 'my cot'.*did you mean my col"),
        ("zzz < 3", "no column 'zzz' .*one of: mag, band"),
        (pc.field("flags") == 3, "no column 'flags'.*did you mean flag"),
    ],
)
def test_missing_columns_are_named(where, words):
    with pytest.raises(ColumnError, match=words):
        columns_of(as_condition(where, TABLE.schema), TABLE.schema)


def test_columns_of_expressions_are_found():
    schema = TABLE.schema
    assert columns_of(pc.field("mag") < pc.field("flag"), schema) == ("mag", "flag")
    assert columns_of(pc.field("lc", "n") < 3, schema) == ("lc",)
    assert columns_of(pc.field("band") == "mag flag", schema) == ("band",)


def test_a_condition_without_columns_is_one_all_the_same():
    condition = as_condition("1 < 2", TABLE.schema)
    assert len(columns_of(condition, TABLE.schema)) == 1
    assert TABLE.filter(condition).num_rows == 5


def test_positions_of_columns_are_refused():
    with pytest.raises(UsageError, match=r"column by number.*refer to it by name"):
        columns_of(pc.field(1) == "g", TABLE.schema)


def test_an_unknown_column_of_a_text_is_a_column_error():
    with pytest.raises(
        ColumnError, match=r"^there is no column 'mga' \(expected one of: .*did you mean mag\?$"
    ):
        as_condition("flag == 1 and mga < 5", TABLE.schema)

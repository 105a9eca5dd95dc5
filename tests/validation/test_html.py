"""The report as a page: complete, self-contained, safe, and with a picture of the tiles that is right."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatsformat import healpix
from hatsformat.validation import Departure, Finding, Location, NotRun, Report, validate
from hatsformat.validation.html import MOST_SHOWN
from hatsformat.validation.sky_drawing import SHAPES, Footprint, Tiles, coarsen, draw_sky, mark
from tests.support.catalogs_to_break import collection, index_table, object_catalog, parquet, read, write

VOID = {"meta", "input", "br"}
OWN_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "ul", "li", "b", "section",
    "figure", "figcaption", "svg", "clippath", "ellipse", "g", "path", "form", "label", "input", "output",
    "details", "summary", "span", "blockquote", "code", "table", "thead", "tbody", "tr", "th", "td", "footer",
    "script",
}  # fmt: skip


class Page(HTMLParser):
    """What a page is made of: its elements, all closed, and its words."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.words, self.content = [], [], [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *item) for item in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *item) for item in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.content[self.open[-1]] = self.content.get(self.open[-1], "") + data
        else:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def departure(location, actual=None, expected=None, message="it is wrong"):
    return Departure(message, location, actual, expected)


def finding(*departures, rule="HATS-LEAF-001", severity="error", message="it is wrong"):
    found = tuple(replace(found, message=message) for found in departures or (departure(Location("a")),))
    return Finding(rule, severity, "Fix `it`.", "3.5", found)


def report_of(*findings, skies=(), path="/data/stars"):
    return Report(path, "1.0", "rows", findings, skies=skies)


def leaf(order, pixel):
    return f"dataset/Norder={order}/Dir={pixel // 10000 * 10000}/Npix={pixel}.parquet"


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    files = object_catalog()
    leaves = [path for path in files if path.startswith("dataset/Norder")]
    for path in leaves[2:5]:
        files[path] = parquet(read(files[path]).drop_columns("mag"))
    files[leaves[0]] = b"nothing"
    del files["dataset/_metadata"]
    return validate(write(tmp_path_factory.mktemp("page"), files), level="footers")


def test_everything_of_the_report_is_on_the_page(broken):
    page = Page(broken.to_html())
    assert "not valid" in page.text
    for found in broken.findings:
        assert found.rule in page.text
        assert found.message in page.text
        assert found.section in page.text
        for place in found.departures:
            assert str(place.location) in page.text
            assert (place.actual or "") in page.text
    for item in broken.not_run:
        assert item.rule in page.text
        assert item.reason in page.text
    for kind, count in broken.summary.items():
        assert re.search(rf"\b{count} \W*(checks )?{kind.replace('_', ' ')}", page.text), kind
    assert set(page.tags) <= OWN_TAGS


def test_the_page_needs_nothing_else(broken):
    text = broken.to_html()
    page = Page(text)
    loading = {"src", "href", "xlink:href", "srcset", "data", "action", "formaction", "background", "poster"}
    assert not [item for item in page.attributes if item[1] in loading]
    assert not [item for item in page.attributes if item[1].startswith("on") or item[1] == "style"]
    assert "url(" not in page.content["style"]
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_the_policy_lets_only_the_pages_own_script_run(broken):
    page = Page(broken.to_html())
    (policy,) = [value for tag, name, value in page.attributes if tag == "meta" and name == "content"][:1]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.content[name].encode()).digest()).decode()
        assert rules[directive] == f"'sha256-{digest}'"
        assert page.tags.count(name) == 1


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!-- ",
    "-->",
    "<![CDATA[",
    "&lt;script&gt;",
    "\x00<scr\x00ipt>",
    "`<b>`",
    "\u202e\x1b]0;title\x07",
    "\udcff\ud800",
    "<svg/onload=alert(1)>",
]


def hostile(text):
    found = Departure(text, Location(f"dataset/{text}", text, 1, 2), text, text)
    sky = Footprint(text, np.array([0], np.uint8), np.array([3]))
    return Report(
        text,
        text,
        text,
        (Finding("HATS-LEAF-001", "error", text, text, (found, found)),),
        (NotRun("HATS-LEAF-002", text, text),),
        skies=(sky,),
    )


def check_harmless(text):
    page = Page(hostile(text).to_html().encode("utf-8").decode("utf-8"))
    benign = Page(hostile("words").to_html())
    assert page.tags == benign.tags
    assert [item[:2] for item in page.attributes] == [item[:2] for item in benign.attributes]
    assert page.content == benign.content
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", "".join(page.words))


@pytest.mark.parametrize("text", ATTACKS)
def test_what_a_catalog_holds_is_only_text(text):
    if "`" in text:  # code in the fix, which is the specification's own, is marked up
        text = text.replace("`", "'")
    check_harmless(text)


@settings(max_examples=60)
@given(st.text(st.characters(exclude_characters="`"), min_size=1).filter(str.strip))
def test_any_text_is_only_text(text):
    check_harmless(text)


def test_what_was_written_is_what_is_read():
    text = "<a & 'b' \"c\">"
    assert hostile(text).to_html().count("&lt;a &amp; &#x27;b&#x27; &quot;c&quot;&gt;") >= 8
    assert Page(hostile(text).to_html()).text.count(text) >= 8


def test_findings_can_be_filtered():
    page = Page(report_of(finding(), finding(severity="info", rule="HATS-AUX-009")).to_html())
    told = [value for tag, name, value in page.attributes if (tag, name) == ("details", "data-severity")]
    boxes = [value for tag, name, value in page.attributes if (tag, name) == ("input", "value")]
    assert (told, boxes) == (["error", "info"], ["error", "info"])
    assert "querySelectorAll" in page.content["script"]


def test_many_places_are_listed_up_to_a_limit():
    places = [departure(Location(f"file-{number}")) for number in range(MOST_SHOWN + 3)]
    text = report_of(finding(*places)).to_html()
    assert f"({MOST_SHOWN + 3} locations)" in text
    assert "and 3 more" in text
    assert f"file-{MOST_SHOWN - 1}<" in text
    assert f"file-{MOST_SHOWN}<" not in text


def test_a_sound_catalog_without_tiles_has_a_page():
    page = Page(report_of().to_html())
    assert "svg" not in page.tags
    assert "None." in page.text
    empty = Footprint("", np.array([], np.uint8), np.array([], np.int64))
    page = Page(report_of(skies=(empty,)).to_html())
    assert "0 tiles, 0 with findings" in page.text


# The picture


def tiles_of(orders, pixels, kinds=None):
    orders, pixels = np.asarray(orders, np.int64), np.asarray(pixels, np.int64)
    kinds = np.zeros_like(orders) if kinds is None else np.asarray(kinds, np.int64)
    return Tiles(orders, pixels, kinds, np.ones_like(orders), (kinds > 0).astype(np.int64))


def test_faulty_tiles_are_marked(tmp_path):
    files = object_catalog()
    leaves = sorted(path for path in files if path.startswith("dataset/Norder"))
    files[leaves[0]] = b"nothing"
    files[leaves[3]] = parquet(read(files[leaves[3]]).drop_columns("mag"))
    report = validate(write(tmp_path, files), level="footers", severities={"HATS-LEAF-003": "warning"})
    (sky,) = report.skies
    assert len(sky.orders) == len(leaves)
    text = report.to_html()
    for severity, path in (("error", leaves[0]), ("warning", leaves[3])):
        (group,) = re.findall(rf'<g class="{severity}">(.*?)</g>', text)
        order, pixel = re.search(r"Norder=(\d+)/.*Npix=(\d+)", path).groups()
        assert re.findall("<title>(.*?)</title>", group) == [f"Norder={order}/Npix={pixel}"]
    assert f"{len(leaves)} tiles, 2 with findings" in text


def test_each_member_has_its_picture(tmp_path):
    report = validate(write(tmp_path, collection()), level="metadata")
    assert sorted(sky.member for sky in report.skies) == ["catalog", "margin_2deg"]
    page = Page(report.to_html())
    assert page.tags.count("svg") == 2
    assert "margin_2deg: " in page.text
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert validate(write(tmp_path / "index", index_table()), level="metadata").skies == ()


def test_only_the_members_own_findings_count():
    sky = Footprint("margin", np.array([1, 1], np.uint8), np.array([4, 5]))
    faults = finding(
        departure(Location(leaf(1, 4))),
        departure(Location(f"margin/{leaf(1, 5)}")),
        departure(Location(f"margin/{leaf(2, 7)}")),
        departure(Location("margin/hats.properties")),
        departure(Location(None)),
    )
    warned = finding(departure(Location(f"margin/{leaf(1, 5)}")), severity="warning")
    tiles = mark(sky, (warned, faults))
    found = dict(
        zip(
            zip(tiles.orders.tolist(), tiles.pixels.tolist(), strict=True),
            tiles.severities.tolist(),
            strict=True,
        )
    )
    assert found == {(1, 4): 0, (1, 5): 3, (2, 7): 3}


@settings(max_examples=40)
@given(st.data())
def test_coarser_tiles_stand_for_those_within(data):
    order = st.integers(0, 6)
    drawn = data.draw(
        st.sets(order.flatmap(lambda k: st.tuples(st.just(k), st.integers(0, 12 * 4**k - 1))), max_size=60)
    )
    rows = sorted(drawn)
    kinds = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    tiles = tiles_of([k for k, _ in rows], [p for _, p in rows], kinds)
    limit = data.draw(st.integers(12, 40))
    coarse = coarsen(tiles, limit)
    # The highest order at which few enough distinct tiles are left, by brute force.
    for top in range(6, -1, -1):
        expected = {}
        for (k, p), kind in zip(rows, kinds, strict=True):
            key = (min(k, top), p >> 2 * max(0, k - top))
            expected.setdefault(key, []).append(kind)
        if len(expected) <= limit:
            break
    found = {
        (k, p): (kind, count, faulty)
        for k, p, kind, count, faulty in zip(
            *(
                getattr(coarse, name).tolist()
                for name in ("orders", "pixels", "severities", "counts", "faulty")
            ),
            strict=True,
        )
    }
    assert found == {
        key: (max(inside), len(inside), sum(kind > 0 for kind in inside)) for key, inside in expected.items()
    }


def test_a_hundred_thousand_tiles_make_a_small_picture():
    pixels = np.sort(np.random.default_rng(1).choice(12 * 4**8, 100_000, replace=False))
    sky = Footprint("", np.full(len(pixels), 8, np.uint8), pixels)
    fault = finding(departure(Location(leaf(8, int(pixels[500])))))
    text = report_of(fault, skies=(sky,)).to_html()
    (group,) = re.findall(r'<g class="error">(.*?)</g>', text)
    (title,) = re.findall("<title>(.*?)</title>", group)
    assert title.startswith(f"Norder=4/Npix={pixels[500] >> 8}: ")
    assert title.endswith(" tiles, 1 with findings")
    assert "100000 tiles, 1 with findings; drawn at order 4 or coarser" in text
    assert text.count("<path") <= SHAPES
    assert len(text) < 1_500_000


def exact_mollweide(longitude, latitude):
    """By bisection of 2t + sin 2t = π sin φ; x to the left, in a frame of 720 by 360."""
    low, high = -math.pi / 2, math.pi / 2
    for _ in range(80):
        t = (low + high) / 2
        if 2 * t + math.sin(2 * t) < math.pi * math.sin(math.radians(latitude)):
            low = t
        else:
            high = t
    return 360 - 360 * longitude / 180 * math.cos(t), 180 - 180 * math.sin(t)


def area(points):
    x, y = np.array(points).T
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def outlines_of(svg):
    """The closed lines of each tile, by its title."""
    found = {}
    for line, title in re.findall(r'<path d="([^"]+)"><title>([^<]+)', svg):
        parts = [part.rstrip("Z").split() for part in line.split("M")[1:]]
        found[title] = [[tuple(map(float, point.split(","))) for point in part] for part in parts]
    return found


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_all_tiles_of_an_order_have_the_same_area(order):
    """The projection keeps areas, and nothing is torn at the rim or the poles."""
    pixels = np.arange(12 * 4**order)
    svg = draw_sky(tiles_of(np.full_like(pixels, order), pixels), "all")
    shapes = outlines_of(svg)
    assert len(shapes) == len(pixels)
    each = math.pi * 360 * 180 / len(pixels)
    for title, parts in shapes.items():
        assert len(parts) in (1, 2)
        for points in parts:
            assert area(points) == pytest.approx(each, rel=0.05), title


def test_a_tile_is_where_it_is_on_the_sky():
    order, pixels = 3, np.arange(0, 768, 7)
    shapes = outlines_of(draw_sky(tiles_of(np.full_like(pixels, order), pixels), "some"))
    ra, dec = healpix.pixel_to_radec(pixels, order)
    for pixel, at, height in zip(pixels.tolist(), ra.tolist(), dec.tolist(), strict=True):
        x, y = exact_mollweide((at + 180) % 360 - 180, height)
        centres = [np.mean(points, axis=0) for points in shapes[f"Norder=3/Npix={pixel}"]]
        assert min(math.dist(centre, (x, y)) for centre in centres) < 12, pixel


def test_tiles_across_the_rim_are_at_both_ends():
    ra, _ = healpix.pixel_to_radec(np.arange(12), 0)
    shapes = outlines_of(draw_sky(tiles_of(np.zeros(12), np.arange(12)), "all"))
    for pixel in range(12):
        assert len(shapes[f"Norder=0/Npix={pixel}"]) == (2 if ra[pixel] == 180 else 1), pixel

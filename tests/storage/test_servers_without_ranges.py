"""A web server that knows nothing of ranges and sends whole files, as `python -m http.server` does."""

from __future__ import annotations

import functools
import http.server
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hatsformat import Cone, StorageError, import_catalog, open_catalog, storage
from hatsformat.validation import validate
from tests.support import skies

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra `http`)")


@pytest.fixture
def url(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_ranges(url, tmp_path):
    content = bytes(range(256)) * 2000
    (tmp_path / "file").write_bytes(content)
    place = storage.resolve(f"{url}/file")
    ranges = [(300_000, 300_010), (5, 9), (0, 4), (9, 9), (200_000, 512_000), (7, 300)]
    assert storage.read_ranges(place, ranges) == [content[start:stop] for start, stop in ranges]
    assert storage.read_tail(place, 100) == content[-100:]


def test_a_catalog(url, tmp_path):
    stars = skies.stars(3000)
    local = import_catalog(stars, tmp_path / "sky", max_rows=500, row_group_rows=100)
    there = open_catalog(f"{url}/sky")
    region = Cone(10, 10, 30)
    skies.assert_same_rows(*(catalog.scan(region=region).to_table() for catalog in (there, local)))
    report = validate(f"{url}/sky")
    assert report.findings == ()
    assert "HATS-LEAF-009" in report.passed


def test_an_input(url, tmp_path):
    pq.write_table(skies.stars(2000), tmp_path / "stars.parquet", row_group_size=500)
    import_catalog(f"{url}/stars.parquet", tmp_path / "sky")
    skies.assert_same_rows(skies.read_rows(tmp_path / "sky"), skies.stars(2000))


def test_an_input_that_is_too_large_to_be_read_whole(url, tmp_path):
    texts = pa.table({"ra": np.zeros(100), "dec": np.zeros(100), "text": ["x" * 100_000] * 100})
    pq.write_table(texts, tmp_path / "long.parquet", use_dictionary=False, compression="none")
    with pytest.raises(StorageError, match="does not support range requests"):
        import_catalog(f"{url}/long.parquet", tmp_path / "sky", memory=400 << 20)
    assert not (tmp_path / "sky").exists()

"""The same verdict wherever the catalog lies, and honest gaps where a server cannot list."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path

import pytest
from upath import UPath

from hatsformat import NotFoundError, StorageError
from hatsformat.validation import validate
from tests.support.catalogs_to_break import (
    Files,
    collection,
    described,
    leaf_name,
    margin,
    object_catalog,
    parquet,
    read,
    set_property,
    write,
)

LEAF = leaf_name(0, 3)


def faulty() -> Files:
    files = object_catalog()
    files[LEAF] = parquet(read(files[LEAF]).drop_columns("mag"))
    set_property(files, {"hats_order": 1})
    return files


def in_memory(name: str, files: Files) -> UPath:
    root = UPath(f"memory://{name}")
    for path, content in files.items():
        root.fs.pipe_file(f"{root.path.rstrip('/')}/{path}", content)
    return root


def test_memory_says_what_a_disk_says(tmp_path):
    for name, files in (("sound", object_catalog()), ("faulty", faulty()), ("collection", collection())):
        local = validate(write(tmp_path / name, files))
        there = validate(in_memory(f"validate-{name}", files))
        assert described(there) == described(local)
        assert there.summary == local.summary


def test_nothing_in_memory():
    with pytest.raises(NotFoundError):
        validate("memory://validate-nothing-here")


@pytest.mark.server
def test_s3_says_what_a_disk_says(s3, tmp_path):
    for name, files in (("faulty", faulty()), ("collection", collection())):
        local = validate(write(tmp_path / name, files))
        root = write(s3.root / "bucket" / name, files)
        there = validate(s3.url_of(root), **s3.storage_options)
        assert described(there) == described(local)
        assert there.summary == local.summary
    with pytest.raises(NotFoundError):
        validate("s3://bucket/nowhere", **s3.storage_options)


@pytest.mark.server
def test_a_web_server_that_lists(http, tmp_path):
    files = faulty()
    root = write(http.root / "validate-listed", files)
    there = validate(http.url_of(root, listed=True))
    assert described(there) == described(validate(write(tmp_path, files)))
    assert {item.rule for item in there.not_run} >= {"HATS-PROP-404"}  # it tells no sizes


@pytest.mark.server
@pytest.mark.parametrize("files", [object_catalog, margin], ids=["object", "margin"])
def test_a_web_server_that_cannot_list_is_sound(http, files):
    root = write(http.root / f"validate-{files.__name__}", files())
    report = validate(http.url_of(root))
    assert described(report) == []
    gaps = {item.rule for item in report.not_run if "cannot be listed" in item.reason}
    assert {"HATS-TREE-001", "HATS-TREE-004", "HATS-TREE-005", "HATS-PINF-007"} <= gaps
    assert {"HATS-LEAF-001", "HATS-LEAF-009", "HATS-HPX-007", "HATS-PROP-401"} <= set(report.passed)


@pytest.mark.server
def test_a_web_server_that_cannot_list_finds_faults(http):
    files = faulty()
    del files[leaf_name(0, 4)]
    root = write(http.root / "validate-faulty", files)
    report = validate(http.url_of(root))
    found = {finding.rule for finding in report.findings}
    assert {"HATS-LEAF-003", "HATS-PROP-402", "HATS-PINF-006"} <= found
    (gone,) = [finding for finding in report.findings if finding.rule == "HATS-PINF-006"]
    assert gone.location.path == leaf_name(0, 4)


@pytest.mark.server
def test_a_collection_behind_a_web_server(http):
    root = write(http.root / "validate-collection", collection())
    report = validate(http.url_of(root))
    assert described(report) == []
    assert "index_id" in {item.path for item in report.not_run}
    with pytest.raises(NotFoundError):
        validate(http.url_of(Path(http.root) / "validate-nowhere"))


@pytest.mark.parametrize(
    ("status", "error"), [(500, StorageError), (503, StorageError), (404, NotFoundError)]
)
def test_a_web_server_that_fails_is_not_one_without_a_catalog(status, error):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra `http`)")

    class Failing(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(status)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(error, match=None if status == 404 else str(status)):
                validate(f"http://127.0.0.1:{server.server_port}/stars")
        finally:
            server.shutdown()

"""The servers that other tests lean on: they must do what those tests take for granted."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pytestmark = pytest.mark.server


def test_http_serves_byte_ranges_and_logs_them(http):
    folder = http.root / "ranges" / "Norder=0"
    folder.mkdir(parents=True)
    file = folder / "a.bin"
    file.write_bytes(bytes(range(100)))
    http.forget()
    with urlopen(Request(http.url_of(file), headers={"Range": "bytes=10-19"}), timeout=10) as answer:
        assert answer.status == 206
        assert answer.read() == bytes(range(10, 20))
    (seen,) = http.requests()
    assert (seen.method, seen.status, seen.body_bytes, seen.range) == ("GET", 206, 10, "bytes=10-19")
    assert seen.path.endswith("/ranges/Norder=0/a.bin")


def test_http_lists_folders_only_where_asked(http):
    folder = http.root / "listing"
    folder.mkdir()
    (folder / "seen.txt").write_text("x")
    with urlopen(http.url_of(folder, listed=True) + "/", timeout=10) as answer:
        assert b"seen.txt" in answer.read()
    with pytest.raises(HTTPError) as refused:
        urlopen(http.url_of(folder) + "/", timeout=10)
    with refused.value as error:
        assert error.code == 403


def test_s3_reads_what_was_written_and_what_lay_there(s3):
    import s3fs

    (s3.root / "bucket" / "deep").mkdir(parents=True)
    (s3.root / "bucket" / "deep" / "lay.bin").write_bytes(b"0123456789")
    files = s3fs.S3FileSystem(**s3.storage_options, skip_instance_cache=True)
    assert files.cat_file("bucket/deep/lay.bin", start=2, end=5) == b"234"
    files.pipe_file("bucket/new.bin", b"new")
    assert (s3.root / "bucket" / "new.bin").read_bytes() == b"new"
    assert sorted(files.find("bucket")) == ["bucket/deep/lay.bin", "bucket/new.bin"]
    (s3.root / "bucket" / "later.bin").write_bytes(b"later")
    files.invalidate_cache()
    assert "bucket/later.bin" in files.ls("bucket", detail=False)

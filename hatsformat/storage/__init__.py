"""Files on a disk, in a bucket, behind a web server or in memory, through the same few calls.

A path is a `UPath`, and fsspec does the reading. This package does not know what the files mean.
Two promises hold for all callers: reads say clearly what went wrong (`NotFoundError`, `StorageError`, with
the path), and a file that is written appears whole or not at all.
"""

from hatsformat.storage.paths import PathLike, explained, is_local, is_local_name, map_concurrently, resolve
from hatsformat.storage.reading import (
    FileEntry,
    exists,
    fingerprint,
    glob,
    is_directory,
    list_names,
    list_tree,
    read_bytes,
    read_ranges,
    read_tail,
    size,
)
from hatsformat.storage.writing import (
    atomic_writer,
    copy_file,
    make_directory,
    remove_file,
    remove_partial_files,
    remove_tree,
    rename_file,
    write_bytes,
)

__all__ = [
    "FileEntry",
    "PathLike",
    "atomic_writer",
    "copy_file",
    "exists",
    "explained",
    "fingerprint",
    "glob",
    "is_directory",
    "is_local",
    "is_local_name",
    "list_names",
    "list_tree",
    "make_directory",
    "map_concurrently",
    "read_bytes",
    "read_ranges",
    "read_tail",
    "remove_file",
    "remove_partial_files",
    "remove_tree",
    "rename_file",
    "resolve",
    "size",
    "write_bytes",
]

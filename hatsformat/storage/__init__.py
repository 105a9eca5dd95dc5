"""Read, write and list files on disk, in a bucket, on a web server or in memory.

Paths are `UPath` objects, and fsspec does the reading. Functions raise `NotFoundError` or `StorageError` with
the path, and written files appear when they are complete.
"""

from hatsformat.storage.paths import (
    PathLike,
    is_local,
    is_local_name,
    map_concurrently,
    resolve,
    storage_errors,
)
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
    "storage_errors",
    "write_bytes",
]

"""The files of a catalog, one module a kind: how each is read and written."""

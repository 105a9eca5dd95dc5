"""Catalogs that grow: rows added to one that stands, and leaves that have drifted made again."""

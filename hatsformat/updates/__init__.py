"""Updating catalogs: adding rows to one, and rebuilding leaves that have drifted."""

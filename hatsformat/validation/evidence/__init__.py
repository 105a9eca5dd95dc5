"""The evidence about a catalog, each part gathered at most once, when a check first needs it."""

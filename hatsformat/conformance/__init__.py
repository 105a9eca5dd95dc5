"""The conformance corpus."""

"""Writing record batches to files, and converting them to the tables of other libraries."""

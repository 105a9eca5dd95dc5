"""Record batches into files, and into the tables of other libraries."""

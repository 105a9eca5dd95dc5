"""Write rows to files, and convert them to the tables of other libraries."""

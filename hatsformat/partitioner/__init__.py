"""The partitioner: raw tables in, the files of a catalog out (Note, section 3.4).

The work is done in five stages, each a module and callable by itself: `mapping`, `binning`, `splitting`,
`reducing` and `finishing`.
"""

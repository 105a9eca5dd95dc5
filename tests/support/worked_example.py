"""The worked example of the import: three small files, and what every stage makes of them."""

from __future__ import annotations

TOY = {
    "toy_catalog_1.csv": "id,ra,dec\n0,10,10\n1,10,60\n2,20,80\n",
    "toy_catalog_2.csv": "id,ra,dec\n3,-10,80\n4,100,-80\n",
    "toy_catalog_3.csv": "id,ra,dec\n5,200,0\n6,200,60\n7,15,70\n",
}
ROWS = {
    0: (10, 10),
    1: (10, 60),
    2: (20, 80),
    3: (-10, 80),
    4: (100, -80),
    5: (200, 0),
    6: (200, 60),
    7: (15, 70),
}
SOURCE_PIXELS = [{0: 305, 1: 47, 2: 62}, {3: 253, 4: 578}, {5: 409, 6: 184, 7: 59}]
HISTOGRAM = {47: 1, 59: 1, 62: 1, 184: 1, 253: 1, 305: 1, 409: 1, 578: 1}
TILES = [(0, 0, 3), (3, 184, 1), (3, 253, 1), (3, 305, 1), (3, 409, 1), (3, 578, 1)]
# Of every file: the rows that go to each tile.
SHARDS = [
    {(0, 0): {1, 2}, (3, 305): {0}},
    {(3, 253): {3}, (3, 578): {4}},
    {(0, 0): {7}, (3, 184): {6}, (3, 409): {5}},
]
# In the order of the rows: tile, index value, id.
LEAF_ROWS = [
    ((0, 0), 212759614188637996, 1),
    ((0, 0), 266502695753865174, 7),
    ((0, 0), 282722782596018419, 2),
    ((3, 184), 831529732826217957, 6),
    ((3, 253), 1141572291578781236, 3),
    ((3, 305), 1375225032727417701, 0),
    ((3, 409), 1843565829001140885, 5),
    ((3, 578), 2605422598393471435, 4),
]
LEAVES = [
    "dataset/Norder=0/Dir=0/Npix=0.parquet",
    "dataset/Norder=3/Dir=0/Npix=184.parquet",
    "dataset/Norder=3/Dir=0/Npix=253.parquet",
    "dataset/Norder=3/Dir=0/Npix=305.parquet",
    "dataset/Norder=3/Dir=0/Npix=409.parquet",
    "dataset/Norder=3/Dir=0/Npix=578.parquet",
]
# The tree of the example, and the sky map under the name that later editions gave it.
TREE = {
    *LEAVES,
    "dataset/_common_metadata",
    "dataset/_metadata",
    "hats.properties",
    "partition_info.csv",
    "point_map.fits",
    "properties",
    "skymap.fits",
}
PARTITION_INFO = "Norder,Npix\n0,0\n3,184\n3,253\n3,305\n3,409\n3,578\n"
OPTIONS = {"max_rows": 3, "lowest_order": 0, "highest_order": 3}

"""Segmentation of millions of pictures by many workers on Ray Data, from any file system into Parquet files."""

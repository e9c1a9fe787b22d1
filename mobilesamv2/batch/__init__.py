"""Folders of millions: pictures of any file system, segmented by many workers on Ray Data, into Parquet files."""

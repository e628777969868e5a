"""Rows that are read as they are needed: Parquet files and iterables of chunks."""

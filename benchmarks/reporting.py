"""The report of a wide and long table: size of the page, CPU seconds and memory.

The rows are 1,000,000 x 200 numbers in a Parquet file, which is read as a stream. The model is fitted to few rows,
since its quality does not matter. A page larger than 3 MB is an error.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import isthmus
from isthmus.data import Parquet

# Rows of a row group, and largest size of the page in bytes.
N_GROUP, LIMIT = 50_000, 3_000_000


def write_rows(path, n_rows, n_columns):
    """Write rows of eight factors and noise."""
    rng = np.random.default_rng(0)
    loadings = rng.normal(size=(8, n_columns))
    names, writer = [f"column {i}" for i in range(n_columns)], None
    for start in range(0, n_rows, N_GROUP):
        n = min(N_GROUP, n_rows - start)
        rows = (rng.normal(size=(n, 8)) @ loadings + rng.normal(size=(n, n_columns))).astype(np.float32)
        table = pa.table([pa.array(column) for column in rows.T], names=names)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, rows, page = (Path(folder) / name for name in ("few.parquet", "rows.parquet", "report.html"))
        write_rows(few, 5000, arguments.columns)
        write_rows(rows, arguments.rows, arguments.columns)
        model = isthmus.Autoencoder(8, max_epochs=2, random_state=0).fit(Parquet(few))
        started = time.process_time()
        report = isthmus.report(model, Parquet(rows), files={"data": rows})
        report.save(page)
        seconds = time.process_time() - started
        size, memory = page.stat().st_size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(report.subtitle)
        print(f"page {size / 1e6:.2f} MB, {seconds:.1f} CPU seconds, data {rows.stat().st_size / 1e9:.2f} GB")
        print(f"peak memory of the process {memory / 2**20:.2f} GiB")
        assert size <= LIMIT, f"the page has {size} bytes"


if __name__ == "__main__":
    main()

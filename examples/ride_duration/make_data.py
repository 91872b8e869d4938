"""Write the reduced months in `data/`, and the samples that the tests score, from the raw files; print what came out.

    python make_data.py FOLDER_WITH_RAW_FILES

The raw files are NYC TLC green taxi trip records. Of the two months in `data/` all rows are kept, of the samples every
40th; in their order, with the columns that the example reads and the types they have. Times as differences and zstd
make them a third of the size.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ride_duration.data import COLUMNS

HERE: Final = Path(__file__).parent
SAMPLES: Final = HERE.parents[1] / "data" / "rides"
N_ROWS: Final = {
    "2021-01": 76_518,
    "2021-02": 64_572,
    "2023-01": 68_211,
    "2023-02": 64_809,
    "2023-03": 72_044,
    "2023-04": 65_392,
}
WHOLE: Final = ("2021-01", "2021-02")
EVERY: Final = 40
TIMES: Final = ("lpep_pickup_datetime", "lpep_dropoff_datetime")


def write(table: pa.Table, reduced: Path) -> None:
    """Write a table as small as it gets."""
    pq.write_table(
        table,
        reduced,
        compression="zstd",
        compression_level=22,
        row_group_size=1 << 20,
        use_dictionary=[name for name in COLUMNS if name not in TIMES],
        column_encoding=dict.fromkeys(TIMES, "DELTA_BINARY_PACKED"),
    )


def main(folder: Path) -> None:
    """Write all months."""
    for month, n_expected in N_ROWS.items():
        name = f"green_tripdata_{month}.parquet"
        table = pq.read_table(folder / name, columns=list(COLUMNS)).replace_schema_metadata(None)
        if table.num_rows != n_expected:
            sys.exit(f"{folder / name} has {table.num_rows} rows, not {n_expected}: it is another file")
        reduced = HERE / "data" / name
        if month not in WHOLE:
            table, reduced = table.take(pa.array(range(0, table.num_rows, EVERY))), SAMPLES / name
        write(table, reduced)
        content = reduced.read_bytes()
        print(f"{name}  {table.num_rows} rows  {len(content)} bytes  sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Write the two reduced months in `data/` from the raw files, and print what came out.

    python make_data.py FOLDER_WITH_RAW_FILES

The raw files are NYC TLC green taxi trip records. Kept are all rows in their order and the columns that
the example reads, with the types they have; times as differences and zstd make them a third of the size.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pyarrow.parquet as pq

from ride_duration.data import COLUMNS

HERE = Path(__file__).parent
N_ROWS = {"2021-01": 76_518, "2021-02": 64_572}
TIMES = ("lpep_pickup_datetime", "lpep_dropoff_datetime")


def reduce(raw: Path, reduced: Path) -> int:
    """Write the needed columns of `raw` to `reduced`; give the number of rows."""
    table = pq.read_table(raw, columns=list(COLUMNS)).replace_schema_metadata(None)
    pq.write_table(
        table,
        reduced,
        compression="zstd",
        compression_level=22,
        row_group_size=1 << 20,
        use_dictionary=[name for name in COLUMNS if name not in TIMES],
        column_encoding=dict.fromkeys(TIMES, "DELTA_BINARY_PACKED"),
    )
    return int(table.num_rows)


def main(folder: Path) -> None:
    """Write both months."""
    for month, n_expected in N_ROWS.items():
        name = f"green_tripdata_{month}.parquet"
        n_rows = reduce(folder / name, HERE / "data" / name)
        if n_rows != n_expected:
            sys.exit(f"{folder / name} has {n_rows} rows, not {n_expected}: it is another file")
        content = (HERE / "data" / name).read_bytes()
        print(f"{name}  {n_rows} rows  {len(content)} bytes  sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Parquet files that come out the same byte for byte, written block after block in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 122_880


class Files:
    """One Parquet file per table in a folder; rows may be appended in any number of portions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, int] = {}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[pa.Table]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, name: str, table: pa.Table) -> None:
        """Add rows to a table; whole row groups are written at once, the rest waits."""
        self.rows[name] = self.rows.get(name, 0) + table.num_rows
        self._waiting.setdefault(name, []).append(table)
        if sum(part.num_rows for part in self._waiting[name]) >= ROW_GROUP:
            self._flush(name, whole_groups_only=True)

    def close(self) -> None:
        """Write what waits and close all files."""
        for name in list(self._waiting):
            self._flush(name, whole_groups_only=False)
        for writer in self._writers.values():
            writer.close()

    def _flush(self, name: str, whole_groups_only: bool) -> None:
        table = pa.concat_tables(self._waiting[name])
        whole = table.num_rows // ROW_GROUP * ROW_GROUP if whole_groups_only else table.num_rows
        self._waiting[name] = [table.slice(whole)]
        # Without the Arrow schema every reader sees plain Parquet types, and no writer-specific bytes get in.
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(
                self.folder / f"{name}.parquet", table.schema, compression="zstd", store_schema=False
            )
        if whole:
            self._writers[name].write_table(table.slice(0, whole), row_group_size=ROW_GROUP)

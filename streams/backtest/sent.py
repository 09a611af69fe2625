"""Messages about customers in the order in which they were sent: their bytes on disk, 24 bytes of each in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest as _hash

SENT = np.dtype([("digest", "<u8"), ("start", "<i8"), ("customer", "<u4"), ("length", "<u4")])
Sent = NDArray[np.void]
"""Rows of dtype SENT: xxh3 of a message's bytes, where they are in the file, and the number of its customer."""


class SentMessages:
    """path   of a file to be made"""

    def __init__(self, path: Path) -> None:
        self._path, self._end = path, 0
        self._parts: list[Sent] = []
        path.touch()

    def add(self, customers: NDArray[np.uint32], messages: list[bytes]) -> None:
        """Take in messages about these customers. Raises OSError where the disk does not take them."""
        rows = np.zeros(len(messages), SENT)
        rows["customer"], rows["length"] = customers, [len(message) for message in messages]
        rows["digest"] = np.fromiter(map(_hash, messages), np.uint64, len(messages))
        rows["start"] = self._end + np.cumsum(rows["length"], dtype=np.int64) - rows["length"]
        with self._path.open("ab") as file:
            file.write(b"".join(messages))
        self._end += int(rows["length"].sum(dtype=np.int64))
        self._parts.append(rows)

    def by_customer(self) -> Sent:
        """Each customer's messages together, in the order in which they were sent; what was sent again is left out."""
        rows = np.concatenate([np.empty(0, SENT), *self._parts])
        order = np.lexsort((rows["digest"], rows["customer"]))  # stable: of equals the first stays the first
        whose, what = rows["customer"][order], rows["digest"][order]
        again = np.zeros(len(rows), bool)
        again[order[1:]] = (whose[1:] == whose[:-1]) & (what[1:] == what[:-1])
        rows = rows[~again]
        return rows[np.argsort(rows["customer"], kind="stable")]

    def bytes_of(self, row: np.void) -> bytes:
        """The message of a row."""
        with self._path.open("rb") as file:
            file.seek(int(row["start"]))
            return file.read(int(row["length"]))

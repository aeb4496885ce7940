"""The timezone in which an engine takes a moment for a day."""

from __future__ import annotations

import ibis

from kamlib.errors import RequestError


def set_timezone(connection: ibis.BaseBackend, timezone: str) -> None:
    """Let moments with an offset become days of this timezone; engines that cannot be told so are left as they are.

    Raises
    ------
    RequestError
        When the engine knows no such timezone.

    Examples
    --------
    >>> set_timezone(ibis.duckdb.connect(), "Asia/Taipei")
    """
    if connection.name not in ("duckdb", "postgres"):
        return
    try:
        connection.raw_sql(f"SET TimeZone = '{timezone.replace(chr(39), '')}'")
    except Exception:  # drivers raise classes of their own
        raise RequestError(f"there is no timezone {timezone!r}; write one such as Asia/Taipei or UTC") from None

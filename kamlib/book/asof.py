"""What was true of a row on a day: whether it was there, and which of its facts were still to come."""

from __future__ import annotations

from datetime import date

import ibis

from kamlib.book.contract import Table


def has_happened(table: ibis.Table, spec: Table, today: ibis.Value) -> ibis.Value:
    """Whether a row is dated today or before; where the contract lets the date be missing, such a row stays."""
    dates = [table[column] for column in spec.dated]
    when = ibis.coalesce(*dates) if len(dates) > 1 else dates[0]
    # The plain comparison lets the engine skip whole blocks of its files.
    is_certain = not spec.columns[spec.dated[-1]].optional
    return when <= today if is_certain else when.isnull() | (when <= today)


def forget(table: ibis.Table, spec: Table, today: ibis.Value) -> ibis.Table:
    """Undo in each row the facts that lie after today: the case is open again, the delivery not yet made."""
    for moment, outcomes in spec.later.items():
        is_ahead = (table[moment] > today).fill_null(False)
        before = {
            column: is_ahead.ifelse(_literal(table, column, value), table[column]) for column, value in outcomes.items()
        }
        table = table.mutate(**before, **{moment: is_ahead.ifelse(ibis.null("date"), table[moment])})
    return table


def _literal(table: ibis.Table, column: str, value) -> ibis.Value:
    return ibis.null(table[column].type()) if value is None else ibis.literal(value)


def has_begun(period: ibis.Value, as_of: date) -> ibis.Value:
    """Whether the period a label names starts on or before the day; labels of one form sort as text."""
    year, week, _ = as_of.isocalendar()
    begun = (
        ((period.length() == 4) & (period <= f"{as_of.year}"))
        | (period.contains("H") & (period <= f"{as_of.year}-H{(as_of.month - 1) // 6 + 1}"))
        | (period.contains("Q") & (period <= f"{as_of.year}-Q{(as_of.month - 1) // 3 + 1}"))
        | (period.contains("W") & (period <= f"{year}-W{week:02d}"))
    )
    month = (period.length() == 7) & ~period.contains("H") & ~period.contains("Q")
    return begun | (month & (period <= f"{as_of.year}-{as_of.month:02d}"))

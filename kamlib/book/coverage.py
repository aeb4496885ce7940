"""How far the orders of a book reach: to the end of a period, or only to a day within it."""

from __future__ import annotations

from datetime import date, timedelta

from kamlib.book.public_holidays import public_holidays
from kamlib.book.store import Book

ORDER_DAYS = 250  # about a year of them tells the ordinary pauses
USUAL = 0.95


def covered_until(book: Book, end: date) -> date | None:
    """The last day up to *end* that the orders cover: *end*, or the day of the last order before it.

    A book in which nothing is ordered on weekends covers its week with the orders of Friday, or of Thursday before a
    public holiday of its countries: *end* is covered unless the pause since the last order, holidays left aside, is
    longer than all but one in twenty pauses between order days.

    Returns
    -------
    The day; None where the book has no order.

    Examples
    --------
    >>> covered_until(book, date(2026, 10, 4))  # whose orders end on a Wednesday  # doctest: +SKIP
    datetime.date(2026, 9, 30)
    """
    days = book.collect(book.table("orders", "order_date").distinct(), ["order_date"])["order_date"]
    if days.empty:
        return None
    last = days.iloc[-1].date()
    pauses = days.tail(ORDER_DAYS).diff().dt.days.dropna()
    usual = pauses.quantile(USUAL, interpolation="higher") if len(pauses) else 1
    missing = (end - last).days
    if 0 < missing <= 2 * usual:  # no holiday makes up for more
        years = range(last.year, end.year + 1)
        off = {day for country in book.settings.countries for day in public_holidays(country, years)}
        missing -= sum(last + timedelta(days=ahead) in off for ahead in range(1, missing + 1))
    return end if missing < usual else last

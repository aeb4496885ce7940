"""A seeded wholesaler with known truth: the sample book, and what really happened beside it.

The company sells kitchen and food-service supplies in Taiwan to hotels, restaurants, hospitals, schools and shops.
The process it lives by is written down in :mod:`kamlib.book.company.process`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from kamlib.book.company import care, gatherings, goods, parties, terms, truth
from kamlib.book.company.columns import Numbering
from kamlib.book.company.course import run_course
from kamlib.book.company.files import Files
from kamlib.book.company.launches import run_launches
from kamlib.book.company.orders import draw_orders, draw_returns
from kamlib.book.company.population import draw_population
from kamlib.book.company.process import Process
from kamlib.book.company.rebates import draw_rebates
from kamlib.book.company.streams import Streams
from kamlib.book.company.world import World, make_world
from kamlib.book.contract import TABLES
from kamlib.book.tables import REQUIRED
from kamlib.errors import RequestError

BLOCK = 2_000
TRUTH = "truth"
NAME = "Formosa Table & Kitchen (sample company)"


@dataclass(frozen=True)
class Sample:
    """What was written: the folder of the book, the folder of its truth, and rows by table."""

    place: Path
    truth: Path
    rows: dict[str, int]


def write_sample(
    out: str | os.PathLike = "data/sample",
    accounts: int = 300,
    months: int = 36,
    seed: int = 20260930,
    end: str = "2026-09-30",
    progress: Callable[[int, int], None] | None = None,
    lines_per_order: float = 3.0,
    targeting: str = "response",
    process: Process | None = None,
    only: Collection[str] | None = None,
) -> Sample:
    """Write the sample book, and its truth to ``truth/`` inside the folder, outside the contract.

    Parameters
    ----------
    out
        Folder to write. An earlier sample there is replaced, once the new one is complete.
    accounts, months
        Size of the company, at least 1 and 6; an account makes about 150 order lines in 36 months.
    seed
        The same seed and arguments give the same bytes.
    end
        Last day of the book, the last day of a month. Nothing is dated after it.
    progress
        Called with accounts done and accounts in all.
    lines_per_order
        Mean number of lines of an order, 1 or more.
    targeting
        How managers aim their visits: ``none``, ``level``, ``trend`` or ``response``.
    process
        Other parameters than the declared ones.
    only
        Tables to write; accounts and orders always are. With it no truth but ``process.yml`` is written, which
        is what large books for timing need.

    Raises
    ------
    RequestError
        When an argument is out of range, or *out* holds something that is not a sample.

    Examples
    --------
    >>> write_sample("data/sample").rows["accounts"]  # doctest: +SKIP
    300
    """
    out = Path(out)
    _refuse_to_overwrite(out)
    wanted = _wanted(only)
    streams = Streams(seed)
    world = make_world(process or Process(), streams, accounts, months, end, targeting, lines_per_order)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as building:
        folder = Path(building) / "book"
        book, hidden = Files(folder), Files(folder / TRUTH)
        _write_company(world, streams, book, wanted)
        _write_blocks(world, streams, accounts, book, None if only else hidden, wanted, progress)
        if not only:
            hidden.append("managers", truth.manager_truth(world))
        book.close()
        hidden.close()
        _write_yaml(folder / "book.yml", _settings())
        _write_yaml(folder / TRUTH / "process.yml", truth.process_truth(world, seed, accounts))
        _move_into_place(folder, out, Path(building) / "replaced")
    return Sample(out, out / TRUTH, book.rows)


def read_truth(place: str | os.PathLike) -> dict[str, pd.DataFrame | dict]:
    """The truth of a sample book: frames accounts, months, adoptions and managers, and the mapping process.

    Months hold what was to be expected of each account, with and without visits; process holds the parameters.

    Raises
    ------
    RequestError
        When there is no truth at the place.
    """
    folder = Path(place) / TRUTH
    if not (folder / "process.yml").is_file():
        raise RequestError(f"{place} has no {TRUTH}/process.yml: it is not a sample book; make one with 'kam sample'")
    frames = {path.stem: _read_frame(path) for path in sorted(folder.glob("*.parquet"))}
    process = yaml.safe_load((folder / "process.yml").read_text(encoding="utf-8"))
    return frames | {"process": process}


def _read_frame(path: Path) -> pd.DataFrame:
    table = pq.read_table(path)
    frame = table.to_pandas()
    dated = [field.name for field in table.schema if pa.types.is_date(field.type)]
    return frame.assign(**{name: pd.to_datetime(frame[name]).astype("datetime64[s]") for name in dated})


def _write_company(world: World, streams: Streams, book: Files, wanted: Collection[str]) -> None:
    """The tables that belong to the company as a whole."""
    for name, make in (("products", parties.products), ("managers", parties.managers)):
        if name in wanted:
            book.append(name, make(world))


def _write_blocks(world, streams, accounts, book, hidden, wanted, progress) -> None:
    """Block after block of accounts, then what is summed over all of them."""
    numbering = Numbering()
    planned = np.zeros((len(world.staff.ids), len(world.calendar.quarters())))
    for block, start in enumerate(range(0, accounts, BLOCK)):
        count = min(BLOCK, accounts - start)
        planned += _write_block(world, Streams(streams.seed, block), start, count, numbering, book, hidden, wanted)
        if progress:
            progress(start + count, accounts)
    if "targets" in wanted:
        book.append("targets", terms.manager_targets(world, planned, streams.of("manager targets")))


def _write_block(world, streams, start, count, numbering, book, hidden, wanted) -> np.ndarray:
    """Let a block of accounts live through the process and write down what it leaves behind."""
    people = draw_population(world.process, world.calendar, world.staff, streams, start, count)
    course = run_course(world, people, streams)
    launches = run_launches(world, people, course, streams)
    rebates = draw_rebates(world, people, course, streams.of("rebate terms"))
    lines = draw_orders(world, people, course, launches, rebates, streams)
    returns, returned = draw_returns(world, lines, streams.of("returns"))

    bought = rebates.bought(lines.account, lines.day, lines.revenue)
    promotions, promotion_number = terms.promotions(
        world, people, course, rebates, bought, numbering, streams.of("promotion terms")
    )
    orders, order_id, line_no = goods.order_table(
        world, people, lines, returns, returned, promotion_number, numbering, streams.of("order blanks")
    )
    book.append("accounts", parties.accounts(world, people, course, streams.of("account card")))
    book.append("orders", orders)
    if "promotions" in wanted:
        book.append("promotions", promotions)
    if "deliveries" in wanted:
        made = goods.deliveries(world, people, lines, order_id, line_no, streams.of("deliveries"))
        book.append("deliveries", made)
    for name, table in _relations(world, people, course, launches, lines, numbering, streams, wanted):
        book.append(name, table)
    if hidden:
        hidden.append("accounts", truth.account_truth(world, people, course))
        hidden.append("months", truth.month_truth(world, people, course))
        hidden.append("adoptions", truth.adoption_truth(world, people, launches))
    return terms.planned_by_manager(world, people, course)


def _relations(world, people, course, launches, lines, numbering, streams, wanted) -> Iterator:
    """Each remaining table that is wanted."""
    held = gatherings.hold_gatherings(world, people, course, launches, streams)
    known = parties.draw_contacts(people, streams.of("contacts"))
    made = {
        "assignments": lambda: parties.assignments(world, people),
        "contacts": lambda: parties.contacts_table(world, people, known, streams.of("contact card")),
        "visits": lambda: care.visits(world, people, course, known, held, numbering, streams.of("visit log")),
        "cases": lambda: care.cases(world, people, course, numbering, streams.of("cases")),
        "surveys": lambda: care.surveys(world, people, course, numbering, streams.of("surveys")),
        "ratings": lambda: care.ratings(world, people, course, streams.of("ratings")),
        "events": lambda: gatherings.events_table(world, people, held, streams.of("event log")),
        "contracts": lambda: terms.contracts(world, people, course, numbering, streams.of("contract terms")),
        "investments": lambda: terms.investments(world, people, course, numbering, streams.of("investments")),
        "opportunities": lambda: terms.opportunities(world, people, course, numbering, streams.of("deals")),
        "targets": lambda: terms.account_targets(world, people, course, streams.of("targets")),
        "references": lambda: terms.references(world, people, launches),
        "stock": lambda: goods.stock(world, people, course, lines, streams.of("stock")),
    }
    return ((name, make()) for name, make in made.items() if name in wanted)


def _wanted(only: Collection[str] | None) -> set[str]:
    unknown = sorted(set(only or ()) - set(TABLES))
    if unknown:
        raise RequestError(f"the contract has no table {', '.join(unknown)}; it has {', '.join(TABLES)}")
    return set(TABLES) if only is None else {*REQUIRED, *only}


def _settings() -> dict:
    return {
        "name": NAME,
        "currency": "TWD",
        "timezone": "Asia/Taipei",
        "fiscal_year_start": 1,
        "countries": ["TW"],
        "thresholds": {
            "visit_cost": {
                "value": 1800,
                "unit": "TWD a visit",
                "reason": "hours and travel of an average visit in the visit log",
            }
        },
    }


def _write_yaml(path: Path, values: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _refuse_to_overwrite(out: Path) -> None:
    if not out.exists() or (out / TRUTH / "process.yml").is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        raise RequestError(f"{out} is there and is not a sample book; remove it or choose another folder")


def _move_into_place(folder: Path, out: Path, aside: Path) -> None:
    """The earlier sample steps aside first and goes with the building site, so that none is ever half there."""
    if out.exists():
        out.rename(aside)
    folder.rename(out)

"""Small books of business for tests: frames of all tables of the contract, and the places they can lie in.

``small_frames`` draws a handful of consistent rows for every table; ``random_frames`` is the hypothesis strategy
over such books; ``write_folder``, ``write_duckdb`` and ``write_postgres`` put the same frames in the three places
a book can lie in, with the types of the contract.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import strategies as st

from kamlib.book.contract import TABLES, contract
from kamlib.book.tables import REQUIRED

FIRST_DAY, LAST_DAY = dt.date(2024, 10, 1), dt.date(2026, 9, 30)
SETTINGS = {"name": "Small book", "currency": "TWD", "timezone": "Asia/Taipei", "countries": ["TW"]}
FRAMES = dict[str, pd.DataFrame]


def small_book(folder: Path, seed: int = 0, **sizes) -> Path:
    """Write a small book with all tables of the contract as a folder of Parquet, and return the folder."""
    return write_folder(small_frames(seed, **sizes), folder)


def small_frames(seed: int = 0, accounts: int = 8, days: int = 730) -> FRAMES:
    """Frames of all tables: consistent, drawn from a seed, in the *days* up to 2026-09-30.

    The first account owns the second; the last is a lead without orders (where there are two or more). Managers
    hold their accounts for the whole time but for one hand-over; a few optional values are missing in every table.
    """
    draw = _Draw(seed, accounts, days)
    frames = draw.accounts() | draw.sales() | draw.service() | draw.plans()
    return {name: _complete(frames[name], name) for name in TABLES}


@st.composite
def random_frames(draw, tables: tuple[str, ...] = tuple(TABLES)) -> FRAMES:
    """A hypothesis strategy of books: any seed, one to ten accounts, any choice of the optional tables."""
    frames = small_frames(draw(st.integers(0, 2**31)), draw(st.integers(1, 10)), draw(st.integers(40, 900)))
    optional = [name for name in tables if name not in REQUIRED]
    kept = draw(st.sets(st.sampled_from(optional))) if optional else set()
    return {name: frame for name, frame in frames.items() if name in REQUIRED or name in kept}


def arrow(frame: pd.DataFrame, name: str) -> pa.Table:
    """The frame with the types of the contract; columns that are not listed keep their own."""
    listed = {n: c.dtype.to_pyarrow() for n, c in contract(name).columns.items() if n in frame}
    inferred = pa.Schema.from_pandas(frame, preserve_index=False)
    schema = pa.schema([(n, listed.get(n, inferred.field(n).type)) for n in frame.columns])
    return pa.Table.from_pandas(frame, schema, preserve_index=False)


def write_folder(frames: FRAMES, folder: Path, settings: dict | None = None) -> Path:
    """Write frames as ``<table>.parquet`` with a ``book.yml`` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        pq.write_table(arrow(frame, name), folder / f"{name}.parquet")
    text = yaml.safe_dump(SETTINGS if settings is None else settings, allow_unicode=True)
    (folder / "book.yml").write_text(text, encoding="utf-8")
    return folder


def write_duckdb(frames: FRAMES, path: Path) -> Path:
    """Write frames as tables of a DuckDB file."""
    with duckdb.connect(path) as connection:
        for name, frame in frames.items():
            connection.register("given", arrow(frame, name))
            connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM given')
    path.with_suffix(".yml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    return path


def write_postgres(frames: FRAMES, url: str) -> str:
    """Write frames as tables of a PostgreSQL database."""
    connection = ibis.connect(url)
    for name, frame in frames.items():
        with connection.begin() as cursor:  # Ibis 12 writes its own DROP TABLE without the name
            cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
        connection.create_table(name, arrow(frame, name))
    connection.disconnect()
    return url


def _complete(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Columns in the order of the contract, dates as timestamps, rows in the order of the key."""
    spec = contract(name)
    frame = frame.reindex(columns=list(spec.columns))
    for column in spec.columns.values():
        if column.dtype.is_date():
            frame[column.name] = pd.to_datetime(frame[column.name]).astype("datetime64[s]")
    return frame.sort_values(list(spec.key), ignore_index=True)


class _Draw:
    """One drawing of a book: what several tables must agree on."""

    def __init__(self, seed: int, accounts: int, days: int):
        self.rng = np.random.default_rng(seed)
        self.last = pd.Timestamp(LAST_DAY)
        self.first = self.last - pd.Timedelta(days=days - 1)
        self.ids = [f"{i:04d}" for i in range(1, accounts)] + ["00012-A"]
        self.buyers = self.ids[:-1] or self.ids
        self.managers_ids = ["M01", "M02", "M03"]
        self.held_by = self.rng.choice(self.managers_ids, accounts)

    def accounts(self) -> FRAMES:
        count = len(self.ids)
        accounts = pd.DataFrame(
            {
                "account_id": self.ids,
                "name": [f"大客戶 {i}" for i in self.ids],
                "parent_id": [self.ids[0] if i == 1 and count > 2 else None for i in range(count)],
                "industry": self.some(self.rng.choice(["food", "steel", "chips"], count)),
                "region": self.rng.choice(["North", "South"], count),
                "manager_id": self.held_by,
                "lifecycle": ["customer"] * (count - 1) + ["lead"],
                "opened_on": self.some(self.days(count, until=0.3)),
                "annual_potential": self.some(self.rng.integers(1, 90, count) * 1000.0),
                "is_strategic": self.some(self.rng.random(count) < 0.2),
                "is_official": self.rng.random(count) < 0.1,
            }
        )
        managers = {"manager_id": self.managers_ids, "name": ["Lin", "Chen", "Wu"], "team": "Key accounts"}
        return {
            "accounts": accounts,
            "managers": pd.DataFrame(managers | {"hours_per_month": [120.0, np.nan, 80.0]}),
            "assignments": self.assignments(),
            "contacts": self.contacts(),
        }

    def assignments(self) -> pd.DataFrame:
        rows = pd.DataFrame({"account_id": self.ids, "from_date": self.first, "manager_id": self.held_by})
        moved, day = rows.iloc[[0]].copy(), self.days(1)[0].normalize()
        rows.loc[0, "manager_id"] = next(m for m in self.managers_ids if m != self.held_by[0])
        rows["to_date"] = pd.Series([day] + [pd.NaT] * (len(rows) - 1), dtype="datetime64[s]")
        moved["from_date"] = day + pd.Timedelta(days=1)
        return pd.concat([rows, moved.assign(to_date=pd.NaT)])

    def contacts(self) -> pd.DataFrame:
        count = 2 * len(self.ids)
        return pd.DataFrame(
            {
                "contact_id": [f"K{i:03d}" for i in range(count)],
                "account_id": self.ids * 2,
                "name": [f"Contact {i}" for i in range(count)],
                "role": self.some(self.rng.choice(["buyer", "decision_maker", "user"], count)),
                "level": self.some(self.rng.integers(1, 5, count)),
                "birthday": self.some(pd.to_datetime(self.rng.integers(0, 9000, count), unit="D")),
                "has_consent": self.some(self.rng.random(count) < 0.5),
            }
        )

    def sales(self) -> FRAMES:
        tiers = {"tier": ["low", "mid", "high"], "launched_on": [self.first, pd.NaT, self.day(0.4)]}
        products = {
            "product_id": ["P1", "P2", "P3"],
            "name": ["Tape", "Film", "Foil"],
            "category": ["A", "A", "B"],
        }
        orders = self.orders()
        return {
            "products": pd.DataFrame(products | tiers),
            "orders": orders,
            "deliveries": self.deliveries(orders),
            "promotions": self.promotions(),
        }

    def orders(self) -> pd.DataFrame:
        per_account = self.rng.integers(2, 9, len(self.buyers))
        heads = pd.DataFrame({"account_id": np.repeat(self.buyers, per_account)})
        heads["order_id"] = [f"S{i:04d}" for i in range(len(heads))]
        heads["order_date"] = self.days(len(heads))
        lines = heads.loc[np.repeat(heads.index, self.rng.integers(1, 4, len(heads)))]
        count, sign = len(lines), np.where(self.rng.random(len(lines)) < 0.1, -1, 1)
        lines = lines.assign(line_no=lines.groupby("order_id").cumcount() + 1, quantity=sign * 1.0)
        lines["revenue"] = sign * self.rng.integers(5_00, 90_000_00, count) / 100
        lines["cost"] = self.some(np.round(lines["revenue"] * 0.7, 2))
        lines["product_id"] = self.rng.choice(["P1", "P2", "P3"], count)
        lines["buying_centre"] = self.some(self.rng.choice(["HQ", "Plant"], count))
        lines["channel"] = self.rng.choice(["web", "rep"], count)
        own = "R" + lines["account_id"].astype(str)
        lines["promotion_id"] = own.where(self.rng.random(count) < 0.3, None)
        return lines

    def deliveries(self, orders: pd.DataFrame) -> pd.DataFrame:
        promised = orders["order_date"] + pd.to_timedelta(self.rng.integers(3, 20, len(orders)), unit="D")
        came = promised + pd.to_timedelta(self.rng.integers(-2, 9, len(orders)), unit="D")
        came = came.where((came <= self.last) & (self.rng.random(len(orders)) < 0.9))
        rows = orders[["order_id", "line_no"]].assign(promised_on=promised, delivered_on=came)
        return rows.assign(quantity_delivered=orders["quantity"].abs().where(came.notna()))

    def promotions(self) -> pd.DataFrame:
        starts = self.days(len(self.buyers), until=0.8)
        rows = {"promotion_id": [f"R{i}" for i in self.buyers], "account_id": self.buyers, "starts_on": starts}
        kinds = {"kind": "rebate", "threshold": 20_000.0, "cost": self.some(np.full(len(starts), 900.0))}
        return pd.DataFrame(rows | kinds | {"ends_on": starts + pd.Timedelta(days=60)})

    def service(self) -> FRAMES:
        opened = self.days(len(self.ids))
        closed = opened + pd.to_timedelta(self.rng.integers(1, 60, len(opened)), unit="D")
        done = closed <= self.last
        cases = {"case_id": [f"C{i}" for i in self.ids], "account_id": self.ids, "opened_on": opened}
        deals = {"opportunity_id": [f"D{i}" for i in self.ids], "account_id": self.ids, "opened_on": opened}
        stage = np.where(done, self.rng.choice(["won", "lost"], len(done)), "open")
        asked = {"survey_id": [f"Q{i}" for i in self.ids], "account_id": self.ids, "surveyed_on": opened}
        return {
            "visits": self.visits(),
            "cases": pd.DataFrame(cases).assign(
                closed_on=closed.where(done), severity=self.some(np.full(len(done), 2))
            ),
            "opportunities": pd.DataFrame(deals).assign(closed_on=closed.where(done), stage=stage, value=5000.0),
            "surveys": pd.DataFrame(asked).assign(satisfaction=7.5, wallet_share=self.some(np.full(len(done), 0.4))),
        }

    def visits(self) -> pd.DataFrame:
        who = np.repeat(np.arange(len(self.ids)), 4)
        day = self.days(len(who))
        logged = day + pd.Timedelta(days=3)
        return pd.DataFrame(
            {
                "visit_id": [f"V{i:03d}" for i in range(len(who))],
                "account_id": np.array(self.ids)[who],
                "visit_date": day,
                "manager_id": self.held_by[who],
                "contact_id": [f"K{i:03d}" for i in who],
                "channel": self.rng.choice(["visit", "call", "email"], len(who)),
                "level": self.some(self.rng.choice(["rep", "kam", "executive"], len(who))),
                "hours": self.some(self.rng.integers(1, 6, len(who)) / 2),
                "logged_on": logged.where(logged <= self.last),
            }
        )

    def plans(self) -> FRAMES:
        one = pd.DataFrame({"account_id": self.ids})
        day = self.days(len(self.ids))
        number = [str(i) for i in range(len(self.ids))]
        theirs = pd.DataFrame({"manager_id": self.managers_ids, "period": "2026-Q3", "revenue": 50_000.0})
        brought = one.iloc[:-1].assign(referred_account_id=self.ids[1:], referred_on=day[:-1])
        return {
            "contracts": one.assign(
                contract_id=number,
                starts_on=day,
                ends_on=day + pd.Timedelta(days=365),
                annual_value=1e5,
                signed_on=self.some(day - pd.Timedelta(days=20)),
            ),
            "investments": one.assign(investment_id=number, spent_on=day, kind="travel", amount=120.0),
            "stock": one.assign(product_id="P1", counted_on=day, on_hand=7.0),
            "targets": pd.concat([one.assign(period="2026-08", revenue=9000.0), theirs]),
            "ratings": one.assign(rater_id="M01", criterion="fit", rated_on=day, score=4.0),
            "events": one.assign(event_id="E1", kind="symposium", event_date=self.day(0.5), has_attended=True),
            "references": brought,
        }

    def day(self, share: float) -> pd.Timestamp:
        """The day that lies this share of the way from the first to the last."""
        return self.first + pd.Timedelta(days=int(share * (self.last - self.first).days))

    def days(self, count: int, until: float = 1.0) -> pd.DatetimeIndex:
        """Days drawn evenly from the first to the day at the share *until* of the way."""
        reach = (self.day(until) - self.first).days + 1
        return self.first + pd.to_timedelta(self.rng.integers(0, reach, count), unit="D")

    def some(self, values) -> pd.Series:
        """The values with about a fifth of them missing."""
        series = pd.Series(np.asarray(values))
        return series.where(self.rng.random(len(series)) < 0.8, None).to_numpy()

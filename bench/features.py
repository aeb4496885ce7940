"""Account features and the account-month panel: kamlib beside hand-written DuckDB SQL and pandas on the same work.

    python bench/features.py            1 and 10 million order lines
    python bench/features.py --large    100 million as well, without pandas, which does not fit

Each contender runs in a process of its own on the same files, in turn, three times (100 million lines once); the table
gives medians of the seconds from opening the book to a finished frame (imports not counted) and of the processor
seconds, and the peak memory of the whole process. ``sql`` adds money
up as decimals, as kamlib does; ``sql_float`` adds up floats, so that an order and its cancellation leave a rest of
0.0000000001 and now and then count as an order.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

AS_OF, START, PREVIOUS = "2026-09-30", "2025-10-01", "2024-10-01"
LINES = (1_000_000, 10_000_000)
LARGE = 100_000_000
CHUNK = 5_000_000
ROUNDS = 3
LINES_PER_ACCOUNT = 200  # 36 months; the purchases of an account fall off steeply from the largest to the smallest


def generate(folder: Path, lines: int) -> Path:
    """Write a book of accounts, products and order lines, in chunks of Parquet."""
    import duckdb

    accounts = max(lines // LINES_PER_ACCOUNT, 1)
    (folder / "orders").mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(
        f"""COPY (SELECT printf('A%07d', i) AS account_id, 'Account ' || i AS name, 'R' || (i % 7) AS region,
        printf('M%03d', i % 50) AS manager_id FROM range({accounts}) t(i)) TO '{folder}/accounts.parquet'"""
    )
    connection.execute(
        f"""COPY (SELECT printf('P%04d', i) AS product_id, 'Product ' || i AS name, 'C' || (i % 12) AS category
        FROM range(500) t(i)) TO '{folder}/products.parquet'"""
    )
    for number, first in enumerate(range(0, lines, CHUNK)):
        target = folder / "orders" / f"{number:04d}.parquet"
        connection.execute(_chunk(first, min(first + CHUNK, lines), -(-lines // 4), accounts, target))
    return folder


def _chunk(first: int, last: int, orders: int, accounts: int, target: Path) -> str:
    """Orders by date, as ingest writes them, of four lines each; 3 % of lines are returns, 5 % have no cost."""
    return f"""COPY (
        WITH drawn AS (
            SELECT i // 4 AS o, i % 4 + 1 AS line_no, hash(i // 4) % 1000003 / 1000003.0 AS u,
                i // 4 * 1096 // {orders} AS days, hash(i) % 500 AS p, hash(i + 5) % 1000000 / 1000000.0 AS r,
                CASE WHEN hash(i + 9) % 100 < 3 THEN -1 ELSE 1 END AS sign, hash(i + 9) % 100 >= 95 AS no_cost
            FROM range({first}, {last}) t(i))
        SELECT printf('S%09d', o) AS order_id, line_no::INT AS line_no,
            printf('A%07d', (power(u, 5) * {accounts})::BIGINT % {accounts}) AS account_id,
            DATE '2023-10-01' + days::INT AS order_date, printf('P%04d', p) AS product_id,
            sign * round(20 + 500 * r * r, 2) AS revenue,
            CASE WHEN NOT no_cost THEN sign * round((20 + 500 * r * r) * 0.7, 2) END AS cost
        FROM drawn) TO '{target}'"""


def kamlib_features(folder: Path):
    from kamlib import open_book
    from kamlib.book.panel import account_features

    return account_features(open_book(folder, as_of=AS_OF))


def kamlib_months(folder: Path):
    from kamlib import open_book
    from kamlib.book.panel import account_months

    return account_months(open_book(folder, as_of=AS_OF))


def sql_features(folder: Path, money: str = "DECIMAL(38, 9)"):
    return _ask(
        folder,
        f"""
        WITH days AS (
            SELECT account_id, order_date AS day, sum(revenue::{money}) AS net
            FROM orders WHERE order_date <= DATE '{AS_OF}' GROUP BY ALL),
        gaps AS (
            SELECT account_id, day, lag(day) OVER (PARTITION BY account_id ORDER BY day) AS previous
            FROM days WHERE net > 0),
        rhythm AS (
            SELECT account_id, min(day) AS first_order, max(day) AS last_order,
                (DATE '{AS_OF}' - max(day))::DOUBLE AS recency_days,
                count(*) FILTER (day >= DATE '{START}') AS order_days,
                count(*) FILTER (day >= DATE '{START}' AND (previous IS NULL OR previous < DATE '{START}'
                    OR date_trunc('month', previous) < date_trunc('month', day))) AS active_months,
                median(day - previous) AS gap_median_days, avg(day - previous) AS gap_mean_days
            FROM gaps GROUP BY account_id),
        money AS (
            SELECT account_id, sum(net) FILTER (day >= DATE '{START}')::DOUBLE AS revenue,
                sum(net) FILTER (day >= DATE '{PREVIOUS}' AND day < DATE '{START}')::DOUBLE AS revenue_previous
            FROM days GROUP BY account_id),
        bought AS (
            SELECT account_id, order_id, count(*) AS lines, sum(revenue::{money}) AS net,
                sum(revenue::{money}) FILTER (revenue < 0) AS returns,
                sum(revenue::{money} - cost::{money}) AS margin,
                sum(abs(revenue)::{money}) FILTER (cost IS NULL) AS uncosted
            FROM orders WHERE order_date BETWEEN DATE '{START}' AND DATE '{AS_OF}' GROUP BY ALL),
        sums AS (
            SELECT account_id, count(*) FILTER (net > 0) AS orders, sum(lines) AS lines,
                sum(returns)::DOUBLE AS returns, sum(margin)::DOUBLE AS margin,
                sum(net) - 2 * coalesce(sum(returns), 0) AS turnover, coalesce(sum(uncosted), 0) AS uncosted,
                max(net)::DOUBLE / sum(net) FILTER (net > 0)::DOUBLE AS largest_order_share
            FROM bought GROUP BY account_id),
        pairs AS (
            SELECT account_id, product_id FROM orders
            WHERE order_date BETWEEN DATE '{START}' AND DATE '{AS_OF}' AND revenue > 0 GROUP BY ALL),
        breadth AS (
            SELECT account_id, sum(products)::DOUBLE AS products, count(category)::DOUBLE AS categories
            FROM (SELECT account_id, category, count(*) AS products
                FROM pairs LEFT JOIN products USING (product_id) GROUP BY ALL)
            GROUP BY account_id)
        SELECT account_id, name, region, manager_id, first_order, last_order, recency_days,
            coalesce(order_days, 0) AS order_days, coalesce(active_months, 0) AS active_months,
            coalesce(orders, 0) AS orders, coalesce(lines, 0) AS lines, coalesce(revenue, 0) AS revenue,
            coalesce(revenue_previous, 0) AS revenue_previous, coalesce(returns, 0) AS returns, margin,
            (turnover - uncosted)::DOUBLE / turnover::DOUBLE AS margin_coverage, coalesce(products, 0) AS products,
            coalesce(categories, 0) AS categories, gap_median_days, gap_mean_days, largest_order_share
        FROM accounts LEFT JOIN rhythm USING (account_id) LEFT JOIN money USING (account_id)
            LEFT JOIN sums USING (account_id) LEFT JOIN breadth USING (account_id) ORDER BY account_id""",
    )


def sql_months(folder: Path, money: str = "DECIMAL(38, 9)"):
    return _ask(
        folder,
        f"""
        WITH bought AS (
            SELECT account_id, order_id, date_trunc('month', order_date) AS month, sum(revenue::{money}) AS net,
                sum(revenue::{money} - cost::{money}) AS margin
            FROM orders WHERE order_date <= DATE '{AS_OF}' GROUP BY ALL),
        sales AS (
            SELECT account_id, month, sum(net)::DOUBLE AS revenue, sum(margin)::DOUBLE AS margin,
                count(*) FILTER (net > 0) AS orders
            FROM bought GROUP BY ALL),
        numbers AS (
            SELECT account_id, date_trunc('month', day) AS month, count(*) AS order_days
            FROM (SELECT account_id, order_date AS day FROM orders WHERE order_date <= DATE '{AS_OF}'
                GROUP BY ALL HAVING sum(revenue::{money}) > 0)
            GROUP BY ALL),
        grid AS (
            SELECT account_id, unnest(range(start, DATE '{AS_OF}', INTERVAL 1 MONTH))::DATE AS month
            FROM (SELECT account_id, min(month) AS start FROM sales GROUP BY ALL))
        SELECT account_id, month, manager_id, coalesce(revenue, 0) AS revenue,
            CASE WHEN sales.account_id IS NULL THEN 0 ELSE margin END AS margin, coalesce(orders, 0) AS orders,
            coalesce(order_days, 0) AS order_days
        FROM grid LEFT JOIN sales USING (account_id, month) LEFT JOIN numbers USING (account_id, month)
            LEFT JOIN accounts USING (account_id) ORDER BY account_id, month""",
    )


def sql_float_features(folder: Path):
    return sql_features(folder, "DOUBLE")


def sql_float_months(folder: Path):
    return sql_months(folder, "DOUBLE")


def _ask(folder: Path, query: str):
    import duckdb

    connection = duckdb.connect()
    for setting in ("enable_progress_bar = false", "preserve_insertion_order = false", "memory_limit = '2GB'"):
        connection.execute(f"SET {setting}")
    connection.execute(f"SET temp_directory = '{tempfile.gettempdir()}/kam-bench-spill'")
    for name in ("accounts", "products"):
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder}/{name}.parquet')")
    connection.execute(f"CREATE VIEW orders AS FROM read_parquet('{folder}/orders/*.parquet')")
    return connection.sql(query).to_arrow_table().to_pandas()


def pandas_features(folder: Path):
    import pandas as pd

    accounts, lines = _read(folder, ["account_id", "order_id", "order_date", "product_id", "revenue", "cost"])
    recent = lines[lines["order_date"] >= START]
    by_account = recent.assign(
        returns=recent["revenue"].clip(upper=0),
        margin=recent["revenue"] - recent["cost"],
        turnover=recent["revenue"].abs(),
        costed=recent["revenue"].abs().where(recent["cost"].notna(), 0.0),
    ).groupby("account_id")
    frame = accounts.set_index("account_id").join(by_account[["revenue", "returns", "turnover", "costed"]].sum())
    frame["margin"] = by_account["margin"].sum(min_count=1)
    frame["lines"] = by_account.size()
    before = lines[(lines["order_date"] >= PREVIOUS) & (lines["order_date"] < START)]
    frame["revenue_previous"] = before.groupby("account_id")["revenue"].sum()
    net = recent.groupby(["account_id", "order_id"])["revenue"].sum().round(6)
    orders = net[net > 0].groupby("account_id")
    frame["orders"], frame["largest_order_share"] = orders.size(), orders.max() / orders.sum()
    pairs = recent.loc[recent["revenue"] > 0, ["account_id", "product_id"]].drop_duplicates()
    products = pd.read_parquet(folder / "products.parquet")
    breadth = pairs.merge(products, on="product_id").groupby("account_id")
    frame["products"], frame["categories"] = breadth.size(), breadth["category"].nunique()
    return _with_rhythm(frame, lines)


def _with_rhythm(frame, lines):
    import pandas as pd

    net = lines.groupby(["account_id", "order_date"])["revenue"].sum().round(6)
    days = net[net > 0].reset_index()
    days["gap"] = days.groupby("account_id")["order_date"].diff().dt.days
    by_account, now = days.groupby("account_id"), days[days["order_date"] >= START]
    frame["first_order"], frame["last_order"] = by_account["order_date"].min(), by_account["order_date"].max()
    frame["recency_days"] = (pd.Timestamp(AS_OF) - frame["last_order"]).dt.days
    frame["gap_median_days"], frame["gap_mean_days"] = by_account["gap"].median(), by_account["gap"].mean()
    frame["order_days"] = now.groupby("account_id").size()
    months = now.assign(month=now["order_date"].dt.year * 12 + now["order_date"].dt.month)
    frame["active_months"] = months.groupby("account_id")["month"].nunique()
    frame["margin_coverage"] = frame.pop("costed") / frame.pop("turnover")
    zero = ["order_days", "active_months", "orders", "lines", "revenue", "revenue_previous", "returns", "products"]
    return frame.fillna(dict.fromkeys([*zero, "categories"], 0)).reset_index()


def pandas_months(folder: Path):
    import pandas as pd

    accounts, lines = _read(folder, ["account_id", "order_id", "order_date", "revenue", "cost"])
    lines["month"] = lines["order_date"].dt.to_period("M").dt.start_time
    lines["margin"] = lines["revenue"] - lines["cost"]
    by_month = lines.groupby(["account_id", "month"])
    sales = pd.DataFrame({"revenue": by_month["revenue"].sum(), "margin": by_month["margin"].sum(min_count=1)})
    days = lines.groupby(["account_id", "month", "order_date"])["revenue"].sum().round(6)
    sales["order_days"] = days[days > 0].groupby(["account_id", "month"]).size()
    net = lines.groupby(["account_id", "month", "order_id"])["revenue"].sum().round(6)
    sales["orders"] = net[net > 0].groupby(["account_id", "month"]).size()
    sales = sales.fillna({"order_days": 0, "orders": 0}).reset_index()
    starts = sales.groupby("account_id")["month"].min().rename("start").reset_index()
    grid = starts.merge(pd.DataFrame({"month": pd.date_range("2023-10-01", AS_OF, freq="MS")}), how="cross")
    grid = grid[grid["month"] >= grid["start"]].drop(columns="start").merge(sales, how="left", indicator=True)
    is_empty = grid.pop("_merge") == "left_only"
    counts = ["revenue", "margin", "orders", "order_days"]
    grid.loc[is_empty, counts] = 0
    return grid.merge(accounts[["account_id", "manager_id"]], on="account_id")


def _read(folder: Path, columns: list[str]):
    import pandas as pd

    lines = pd.read_parquet(folder / "orders", columns=columns)
    lines["order_date"] = pd.to_datetime(lines["order_date"])
    return pd.read_parquet(folder / "accounts.parquet"), lines[lines["order_date"] <= AS_OF]


CONTENDERS = ("kamlib", "sql", "sql_float", "pandas")
WORK: dict[str, Callable] = {
    f"{who}_{what}": globals()[f"{who}_{what}"] for who in CONTENDERS for what in ("features", "months")
}


def measure(name: str, folder: Path) -> dict:
    """Run one contender here and say what it took."""
    import duckdb  # noqa: F401
    import ibis.backends.duckdb  # noqa: F401  (Ibis leaves this import to the first use)
    import pandas  # noqa: F401

    import kamlib.book.panel  # noqa: F401

    wall, processor = time.perf_counter(), time.process_time()
    frame = WORK[name](folder)
    took = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return took | {"peak_gb": peak, "rows": len(frame)}


def compare(folder: Path, lines: int) -> None:
    """Run all contenders on one book, each in its own process, and print the table."""
    contenders = [who for who in CONTENDERS if who != "pandas" or lines < LARGE]
    rounds = ROUNDS if lines < LARGE else 1
    for what in ("features", "months"):
        runs = {who: [] for who in contenders}
        for who in contenders * rounds:
            command = [sys.executable, __file__, "--run", f"{who}_{what}", "--folder", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[who].append(json.loads(done.stdout.splitlines()[-1]))
        results = {who: {key: median(run[key] for run in got) for key in got[0]} for who, got in runs.items()}
        for who, got in results.items():
            clock, processor = (got[key] / results["kamlib"][key] for key in ("seconds", "cpu_seconds"))
            print(
                f"{lines / 1e6:5.0f} M  {what:9s} {who:10s} {got['seconds']:8.2f} s {got['cpu_seconds']:8.2f} s cpu "
                f"{got['peak_gb']:6.2f} GB  {got['rows']:>11,} rows   {clock:5.2f} × the clock and {processor:5.2f} × "
                "the cpu of kamlib",
                flush=True,
            )


def main() -> None:
    """Parse the command line: measure one contender, or compare them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="100 million lines as well")
    parser.add_argument("--lines", type=int, nargs="*", help="other numbers of lines")
    parser.add_argument("--run", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(measure(given.run, given.folder)))
        return
    for lines in given.lines or (*LINES, *([LARGE] if given.large else [])):
        with tempfile.TemporaryDirectory(prefix="kam-bench-") as folder:
            compare(generate(Path(folder) / "book", lines), lines)


if __name__ == "__main__":
    main()

"""Four real exports become books whose totals are those published with the data (../shared/data/README.md)."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.book.check import check
from kamlib.book.contract import TABLES
from kamlib.book.ingest import ingest
from kamlib.studies import churn

MAPPINGS = Path(__file__).parents[1] / "data" / "mappings"


class Made:
    """A book made from real data: its report, and its tables as frames."""

    def __init__(self, name, source, folder):
        self.report = ingest(MAPPINGS / f"{name}.yml", source, folder / name)
        self.book = open_book(folder / name)
        self.frames = {table: self.book.frame(table) for table in self.book.tables}

    def __getattr__(self, table):
        return self.frames[table]


@pytest.fixture(scope="module")
def bicycles(shared_data, tmp_path_factory):
    return Made("adventureworks", shared_data / "adventureworks", tmp_path_factory.mktemp("books"))


@pytest.fixture(scope="module")
def gifts(shared_data, tmp_path_factory):
    return Made("online_retail", shared_data / "online_retail", tmp_path_factory.mktemp("books"))


@pytest.fixture(scope="module")
def physicians(shared_data, tmp_path_factory):
    return Made("physician_detailing", shared_data / "detailing", tmp_path_factory.mktemp("books"))


@pytest.fixture(scope="module")
def records(shared_data, tmp_path_factory):
    return Made("cdnow", shared_data / "cdnow", tmp_path_factory.mktemp("books"))


def test_adventureworks_orders_are_complete(bicycles):
    orders = bicycles.orders
    assert (len(orders), orders.order_id.nunique()) == (60_855, 3_796)
    assert (len(bicycles.accounts), orders.account_id.nunique(), len(bicycles.managers)) == (701, 635, 17)
    assert round(orders.revenue.sum(), 2) == 80_450_596.98
    assert bicycles.book.span() == (date(2010, 12, 29), date(2013, 11, 29))


def test_adventureworks_revenue_is_as_concentrated_as_published(bicycles):
    orders = bicycles.orders
    revenue = orders.groupby("account_id").revenue.sum().sort_values(ascending=False)
    assert (revenue.index[0], round(revenue.iloc[0], 2)) == ("697", 877_107.19)
    # A fifth of the 635 resellers that bought; a fifth of all 701 has 70.3 %.
    assert round(100 * revenue.iloc[: round(0.2 * len(revenue))].sum() / revenue.sum(), 3) == 66.712


def test_adventureworks_loses_no_row_without_saying_so(bicycles):
    assert bicycles.report.rejected == 0
    assert bicycles.report.of("orders").accepted == 60_855
    assert bicycles.report.of("products").dropped == {"same product_id already read": 102}


def test_adventureworks_reps_hold_each_reseller_one_after_the_other(bicycles):
    spells = bicycles.assignments.sort_values(["account_id", "from_date"])
    following = spells.groupby("account_id").from_date.shift(-1)
    closed = spells.to_date.notna()
    assert (spells.to_date[closed] + pd.Timedelta(days=1) == following[closed]).all()
    assert following[~closed].isna().all()
    last = spells[~closed].set_index("account_id").manager_id
    assert last.equals(bicycles.accounts.set_index("account_id").manager_id.dropna().loc[last.index])


def test_adventureworks_promotions_are_per_account_and_found_from_their_orders(bicycles):
    promoted = bicycles.orders.dropna(subset="promotion_id")
    assert len(promoted) == 60_855 - 57_573
    assert set(promoted.promotion_id) == set(bicycles.promotions.promotion_id)
    found = promoted.merge(bicycles.promotions, on="promotion_id")
    assert (found.account_id_x == found.account_id_y).all()
    assert round(bicycles.promotions.cost.sum(), 2) == 527_507.93


def test_adventureworks_targets_fill_twelve_quarters_in_a_row(bicycles):
    targets = bicycles.targets
    assert sorted(targets.period.unique()) == [f"{y}-Q{q}" for y in (2011, 2012, 2013) for q in (1, 2, 3, 4)]
    assert (len(targets), targets.revenue.sum()) == (163, 95_714_000.0)


def test_adventureworks_products_have_categories_and_one_row_each(bicycles):
    products = bicycles.products.set_index("product_id")
    sold = products.loc[bicycles.orders.product_id.unique()]
    assert sold.category.notna().all()
    assert set(products.category.dropna()) == {"Bikes", "Components", "Clothing", "Accessories"}
    assert set(products.tier.dropna()) == {"low", "mid", "high"}


def test_adventureworks_deliveries_answer_every_order_line(bicycles):
    assert len(bicycles.deliveries.merge(bicycles.orders, on=["order_id", "line_no"])) == 60_855
    assert (bicycles.deliveries.delivered_on <= bicycles.deliveries.promised_on).all()


def test_adventureworks_maps_nothing_that_it_does_not_know(bicycles):
    assert {"annual_potential", "opened_on"} <= set(bicycles.accounts.columns[bicycles.accounts.isna().all()])
    assert set(bicycles.accounts.region) == {
        "Northwest", "Northeast", "Central", "Southwest", "Southeast",
        "Canada", "France", "Germany", "Australia", "United Kingdom",
    }  # fmt: skip


def test_online_retail_rows_add_up(gifts):
    orders = gifts.report.of("orders")
    assert (orders.rows_in, orders.accepted, orders.rejected) == (541_909, 541_909 - 135_080, 0)
    assert orders.dropped == {"no customer": 135_080}


def test_online_retail_customers_and_purchases_are_as_published(gifts):
    orders = gifts.orders
    bought = orders[orders.quantity > 0]
    assert len(gifts.accounts) == orders.account_id.nunique() == 4_372
    assert (len(bought), bought.account_id.nunique()) == (397_924, 4_339)
    assert round(bought.revenue.sum(), 3) == 8_911_407.904


def test_online_retail_source_totals_are_as_published(gifts, shared_data):
    """Figures over all lines, with those of nobody: the book and what was dropped make up the whole."""
    source = pd.read_parquet(shared_data / "online_retail" / "online_retail_2010_2011.parquet")
    revenue = source.Quantity * source.UnitPrice
    nobody = source.CustomerID.isna()
    assert round(gifts.orders.revenue.sum() + revenue[nobody].sum(), 3) == 9_747_747.934
    in_book, left_out = set(gifts.orders.order_id), set(source.InvoiceNo[nobody])
    assert len(in_book | left_out) == 25_900
    is_cancelled = gifts.orders.order_id.str.startswith("C")
    assert is_cancelled.sum() + source.InvoiceNo[nobody].str.startswith("C").sum() == 9_288
    assert (gifts.orders.revenue[is_cancelled] <= 0).all()


def test_online_retail_lines_are_places_within_their_invoice(gifts):
    lines = gifts.orders.groupby("order_id").line_no
    assert not gifts.orders.duplicated(["order_id", "line_no"]).any()
    assert (lines.min() == 1).all() and (lines.max() == lines.size()).all()


def test_the_detailing_panel_keeps_every_script_and_every_call(physicians, shared_data):
    panel = pd.read_csv(shared_data / "detailing" / "counts.csv")
    assert physicians.orders.revenue.sum() == panel.scripts.sum() == 116_405
    assert len(physicians.visits) == panel.detailing.sum() == 43_311
    assert physicians.report.of("orders").dropped == {"no script": 5_558}
    assert physicians.report.of("visits").dropped == {"no call": 5_721}


def test_the_detailing_panel_can_be_put_together_again_from_the_book(physicians, shared_data):
    panel = pd.read_csv(shared_data / "detailing" / "counts.csv").set_index(["id", "month"]).sort_index()

    def months(frame, moment):
        month = (frame[moment].dt.year - 2000) * 12 + frame[moment].dt.month
        return frame.assign(id=frame.account_id.astype(int), month=month).groupby(["id", "month"])

    scripts = months(physicians.orders, "order_date").revenue.sum().reindex(panel.index, fill_value=0)
    calls = months(physicians.visits, "visit_date").size().reindex(panel.index, fill_value=0)
    assert (scripts == panel.scripts).all() and (calls == panel.detailing).all()


def test_the_specialties_of_the_physicians_are_kept(physicians):
    counts = physicians.accounts.industry.value_counts().to_dict()
    assert counts == {"general practice": 601, "other": 214, "specialist": 185}


def test_cdnow_keeps_every_purchase_of_its_fixed_width_text(records, shared_data):
    rows = [line.split() for line in (shared_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()]
    assert (len(records.orders), len(records.accounts)) == (len(rows), len({row[0] for row in rows})) == (6_919, 2_357)
    assert records.orders.quantity.sum() == sum(int(row[3]) for row in rows)
    assert records.orders.revenue.sum() == pytest.approx(sum(float(row[4]) for row in rows), abs=0.005)


def test_cdnow_customers_are_judged_as_well_by_a_buy_till_you_die_model_as_by_any(records):
    """On the data these models were made for they beat the plain rule, and no method leads them by more than chance."""
    with open_book(records.book.place.path, as_of="1997-09-30") as book:
        found = churn.measure(book)
    models = found.candidates.loc[["BG/NBD", "MBG/NBD"]]
    assert (models["gain_low"] > 0).all()
    assert (models["is_level"] | (models.index == found.winner)).all()


@pytest.mark.parametrize(
    ("made", "warned"), [("bicycles", False), ("gifts", True), ("physicians", False), ("records", True)]
)
def test_the_files_have_the_types_of_the_contract_and_the_book_passes_its_check(made, warned, request):
    """The gifts and the records have lines that only their place in the file tells apart, and nothing else is odd."""
    made = request.getfixturevalue(made)
    report = check(made.book)
    equal_lines = "they equal another line of their order in everything but line_no"
    assert report.ok and [v.what for v in report.violations] == [equal_lines] * warned
    for name, source in made.book.place.sources.items():
        listed = TABLES[name].columns
        unlike = {c: str(t) for c, t in source.schema().items() if c in listed and type(t) is not type(listed[c].dtype)}
        assert unlike == {}

"""The account plan: evidence in four fields, competitors as named, goals that add up, actions from all of it."""

import pandas as pd
import pytest

from kamlib import open_book
from kamlib.reports import figures
from kamlib.reports.playbooks import account_plan as words
from kamlib.studies import dossier
from kamlib.studies.plans import account_plan as plan

from books import small_frames, write_folder


def _row(table: str, **values) -> pd.DataFrame:
    empty = small_frames()[table].head(0)
    row = pd.DataFrame([{"account_id": "0001", **values}])
    dated = [c for c in empty if pd.api.types.is_datetime64_any_dtype(empty[c]) and c in row]
    row = row.assign(**{c: pd.to_datetime(row[c]).astype("datetime64[s]") for c in dated})
    return pd.concat([empty, row])


def _plan(tmp_path, drop=(), growth=0.05, **frames) -> plan.AccountPlan:
    kept = {name: frame for name, frame in small_frames().items() if name not in drop} | frames
    book = open_book(write_folder(kept, tmp_path / "book"), as_of="2026-09-30")
    return plan.measure(book, dossier.measure(book, "0001", "2026-Q3"), growth)


def _orders(*rows: tuple[str, float]) -> pd.DataFrame:
    made = [
        _row("orders", order_id=f"S{i}", line_no=1, order_date=day, revenue=money)
        for i, (day, money) in enumerate(rows)
    ]
    return pd.concat(made)


def test_the_quarters_keep_the_season_and_add_up_to_the_goal(tmp_path):
    result = _plan(tmp_path, growth=0.1, orders=_orders(("2025-11-05", 100.0), ("2026-05-05", 300.0)))
    assert result.goals["quarter"].tolist() == ["2026-Q4", "2027-Q1", "2027-Q2", "2027-Q3"]
    assert result.goals["goal"].tolist() == pytest.approx([110.0, 0.0, 330.0, 0.0])
    assert result.goal == pytest.approx(1.1 * result.revenue)


@pytest.mark.parametrize(
    ("target", "says"), [(10.0, "no less than the 40 aimed at"), (500.0, "less than the 2,000 aimed")]
)
def test_the_targets_of_the_last_four_quarters_are_held_against_it(tmp_path, target, says):
    quarters = ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3"]
    targets = pd.concat([_row("targets", period=q, revenue=target) for q in quarters])
    result = _plan(tmp_path, orders=_orders(("2025-11-05", 100.0)), targets=targets)
    assert says in words.goal(result).sentence


def test_without_targets_the_goal_stands_alone(tmp_path):
    result = _plan(tmp_path, drop=("targets",), orders=_orders(("2025-11-05", 100.0)))
    assert words.goal(result).sentence.endswith("No targets for the last four are on file to hold it against.")


def test_the_goal_of_an_account_that_shrank_says_what_it_was_before(tmp_path):
    found = words.goal(_plan(tmp_path, drop=("targets",), orders=_orders(("2024-10-05", 200.0), ("2025-11-05", 100.0))))
    assert "brought 100 in twelve months, after 200 in the twelve months before" in found.sentence
    assert found.decision.startswith("Say first how much of the 100 lost can be won back")


def test_without_orders_no_goal_is_set(tmp_path):
    assert words.goal(_plan(tmp_path, orders=_orders(("2024-11-05", 100.0)))).verdict == "no conclusion"


def test_the_competitor_named_most_stands_first(tmp_path):
    answers = pd.concat([_row("surveys", survey_id=i, surveyed_on="2026-01-05", main_competitor="Rival") for i in "ab"])
    deals = _row(
        "opportunities",
        opportunity_id="O",
        opened_on="2026-01-01",
        closed_on="2026-02-01",
        stage="lost",
        value=5.0,
        competitor="Other",
    )
    result = _plan(tmp_path, surveys=answers, opportunities=deals)
    assert result.competitors["competitor"].tolist() == ["Rival", "Other"]
    assert words.competitor(result).sentence == (
        "Rival is the competitor named most: in 2 answers, with no deal lost to it and none won."
    )
    assert words.aspects(result)["what"].iloc[0] == "How does Rival earn its money at this account?"


def test_without_answers_and_deals_no_competitor_can_be_named(tmp_path):
    result = _plan(tmp_path, drop=("surveys", "opportunities"))
    assert words.competitor(result).verdict == "no conclusion"


def test_no_competitor_named_is_asked_for(tmp_path):
    none = {name: small_frames()[name].head(0) for name in ("surveys", "opportunities")}
    assert words.competitor(_plan(tmp_path, **none)).decision.startswith("Ask the account whom else it buys from")


@pytest.mark.parametrize(
    ("table", "row", "kind", "topic"),
    [
        ("cases", {"case_id": "Q", "opened_on": "2026-09-01"}, "weakness", "complaints"),
        ("surveys", {"survey_id": "S", "surveyed_on": "2026-09-01", "satisfaction": 9.0}, "strength", "content"),
        ("surveys", {"survey_id": "S", "surveyed_on": "2026-09-01", "satisfaction": 4.0}, "weakness", "discontent"),
        ("surveys", {"survey_id": "S", "surveyed_on": "2026-09-01", "main_competitor": "R"}, "threat", "competitor"),
        (
            "contracts",
            {"contract_id": "K", "starts_on": "2025-01-01", "ends_on": "2026-11-01"},
            "threat",
            "contract_ends",
        ),
        ("contacts", {"contact_id": "p", "name": "x", "level": 2.0}, "weakness", "one_level"),
        ("visits", {"visit_id": "V", "visit_date": "2026-01-01", "channel": "call"}, "weakness", "unheard"),
    ],
)
def test_each_row_of_the_file_speaks_in_its_field(tmp_path, table, row, kind, topic):
    evidence = _plan(tmp_path, **{table: _row(table, **row)}).evidence
    assert (kind, topic) in set(zip(evidence["kind"], evidence["topic"], strict=True))


def test_growth_is_a_strength_and_shrinking_a_weakness(tmp_path):
    more = _plan(tmp_path / "a", orders=_orders(("2024-10-05", 100.0), ("2025-11-05", 200.0)))
    less = _plan(tmp_path / "b", orders=_orders(("2024-10-05", 200.0), ("2025-11-05", 100.0)))
    assert "It bought 100% more than the year before." in words.evidence_table(more)["point"].tolist()
    assert "It bought 50% less than the year before." in words.evidence_table(less)["point"].tolist()


@pytest.mark.parametrize(
    ("change", "says"),
    [(0.1, "10% more"), (-0.1, "10% less"), (0.0, "about as much"), (float("nan"), "cannot be shown")],
)
def test_the_market_has_a_sentence_for_each_way(change, says):
    result = plan.AccountPlan(None, "a", "A", None, None, None, 0, 0, (change, 9), None, None)
    assert says in words.market(result).sentence


def test_each_point_and_each_step_has_its_sentence(tmp_path):
    result = _plan(tmp_path)
    assert len(words.steps(result)) == 7
    assert words.balance(result).sentence.startswith("At 大客戶 0001 the book shows")


@pytest.mark.parametrize(("begins", "is_told"), [("2024-10-15", True), ("2025-03-01", False)])
def test_a_market_is_only_told_where_the_book_holds_the_whole_year_before(tmp_path, begins, is_told):
    accounts = small_frames()["accounts"].assign(industry="Hotels")
    days = pd.to_datetime([begins, "2026-01-05"]).astype("datetime64[s]")
    made = [
        _row("orders", order_id=f"{account}{day:%Y}", line_no=1, order_date=day, revenue=money).assign(
            account_id=account
        )
        for account in accounts["account_id"]
        for day, money in zip(days, (100.0, 150.0), strict=True)
    ]
    change, _ = _plan(tmp_path, accounts=accounts, orders=pd.concat(made)).market
    assert (change == pytest.approx(0.5)) == is_told
    assert pd.isna(change) != is_told


def test_a_quarter_without_a_purchase_a_year_before_is_named_for_its_goal_is_nothing(tmp_path):
    said = words.empty_quarters(_plan(tmp_path, orders=_orders(("2025-11-05", 100.0), ("2026-05-05", 300.0))))
    assert said == [
        "Nothing was bought a year before in 2027-Q1, 2027-Q3, so their goals are nothing as well: put in what the "
        "account plans to buy then."
    ]
    assert words.empty_quarters(_plan(tmp_path / "none", orders=_orders(("2024-11-05", 100.0)))) == []


def test_a_figure_for_a_phone_is_narrower_and_names_every_third_month(tmp_path):
    book = open_book(write_folder(small_frames(), tmp_path / "book"), as_of="2026-09-30")
    drawn = words.for_phone(figures.draw_account_months(dossier.measure(book, "0001", "2026-Q3")))
    assert [label.get_text() for label in drawn.get_xticklabels()] == ["Oct\n2025", "Jan", "Apr", "Jul"]
    assert drawn.figure.get_figwidth() == words.PHONE_INCHES

"""The data contract: tables, columns, units, keys and dates of a book of business, as pandera models for Ibis.

A model's ``Config.metadata`` tells the store how to read the table as of a date:

``key``
    columns that identify a row.
``dated``
    columns whose first non-missing value dates the row; a row dated after *as_of* is not there.
``later``
    ``{date column: {column: value}}``: where the date lies after *as_of* the fact has not happened yet, so the
    date itself is missing and each named column takes the value given (``None`` is missing).

Money is in the book's reporting currency without sales tax, dates are calendar dates in the book's timezone,
identifiers are strings. Columns that are not listed travel along untouched.
"""

from __future__ import annotations

import ibis.expr.datatypes as dt
import pandera.ibis as pa


def column(meaning: str, unit: str = "", optional: bool = False, personal: bool = False, refers: str = "", **checks):
    """A column of the contract; ``refers`` names the table whose key it must be found in."""
    note = {"unit": unit, "personal": personal, "refers": refers}
    return pa.Field(nullable=optional, description=meaning, metadata=note, **checks)


MONEY, MONEY_A_YEAR, HOURS = "money", "money a year", "hours"


class Accounts(pa.DataFrameModel):
    """The firms we sell to, one row each."""

    account_id: str = column("identifier of the account")
    name: str = column("name the account is known by")
    parent_id: str = column("account that owns this one", optional=True, refers="accounts")
    industry: str = column("industry", optional=True)
    region: str = column("sales region", optional=True)
    manager_id: str = column("account manager today", optional=True, refers="managers")
    lifecycle: str = column("how far the relationship is", optional=True, isin=["lead", "opportunity", "customer"])
    opened_on: dt.Date = column("day the account was opened", optional=True)
    annual_potential: float = column(
        "what the account spends on what we sell, from anyone", MONEY_A_YEAR, optional=True, ge=0
    )
    is_strategic: bool = column("named a strategic project account", optional=True)
    is_official: bool = column("a public office, or led by an official (compliance flag)", optional=True)

    class Config:
        metadata = {"key": ["account_id"], "dated": ["opened_on"]}


class Orders(pa.DataFrameModel):
    """What accounts bought, one row per order line; returns and credits are negative."""

    order_id: str = column("identifier of the order")
    line_no: int = column("line within the order")
    account_id: str = column("account that ordered", refers="accounts")
    order_date: dt.Date = column("day of the order")
    product_id: str = column("product", optional=True, refers="products")
    quantity: float = column("quantity, negative when returned", "units", optional=True)
    revenue: float = column("net sales value, negative for returns and credits", MONEY)
    cost: float = column("cost of the goods sold", MONEY, optional=True)
    buying_centre: str = column("unit of the account that bought", optional=True)
    channel: str = column("channel of the order", optional=True)
    promotion_id: str = column("promotion the line was sold under", optional=True, refers="promotions")

    class Config:
        metadata = {"key": ["order_id", "line_no"], "dated": ["order_date"]}


class Products(pa.DataFrameModel):
    """What we sell."""

    product_id: str = column("identifier of the product")
    name: str = column("product name")
    category: str = column("product category", optional=True)
    tier: str = column("grade of the product", optional=True, isin=["low", "mid", "high"])
    launched_on: dt.Date = column("first day on sale", optional=True)

    class Config:
        metadata = {"key": ["product_id"], "dated": ["launched_on"]}


class Managers(pa.DataFrameModel):
    """The account managers."""

    manager_id: str = column("identifier of the manager")
    name: str = column("name of the manager")
    team: str = column("team", optional=True)
    hours_per_month: float = column("hours for visiting accounts", "hours a month", optional=True, ge=0)

    class Config:
        metadata = {"key": ["manager_id"], "dated": []}


class Assignments(pa.DataFrameModel):
    """Who managed which account, from when to when."""

    account_id: str = column("account", refers="accounts")
    from_date: dt.Date = column("first day of the assignment")
    to_date: dt.Date = column("last day of the assignment; missing while it lasts", optional=True)
    manager_id: str = column("manager in charge", refers="managers")

    class Config:
        metadata = {"key": ["account_id", "from_date"], "dated": ["from_date"], "later": {"to_date": {}}}


class Contacts(pa.DataFrameModel):
    """People at the accounts. Personal data: left out of reports unless asked for."""

    contact_id: str = column("identifier of the contact")
    account_id: str = column("account the contact works for", refers="accounts")
    name: str = column("name of the person", personal=True)
    role: str = column(
        "part played in buying",
        optional=True,
        isin=["buyer", "decision_maker", "user", "influencer", "sponsor", "champion"],
    )
    level: int = column("1 operational, 2 supervisory, 3 managerial, 4 executive", optional=True, ge=1, le=4)
    birthday: dt.Date = column("birthday", optional=True, personal=True)
    has_consent: bool = column("agreed to be contacted", optional=True)

    class Config:
        metadata = {"key": ["contact_id"], "dated": []}


class Visits(pa.DataFrameModel):
    """Contacts made with an account: visits, calls, mails, events."""

    visit_id: str = column("identifier of the visit")
    account_id: str = column("account visited", refers="accounts")
    visit_date: dt.Date = column("day of the visit")
    manager_id: str = column("manager who made it", optional=True, refers="managers")
    contact_id: str = column("person met", optional=True, refers="contacts")
    channel: str = column("how", isin=["visit", "call", "video", "email", "event"])
    level: str = column("who went", optional=True, isin=["rep", "kam", "executive"])
    hours: float = column("time spent, travel included", HOURS, optional=True, ge=0)
    cost: float = column("cost of the visit", MONEY, optional=True, ge=0)
    purpose: str = column("why", optional=True)
    logged_on: dt.Date = column("day it was written down", optional=True)

    class Config:
        metadata = {"key": ["visit_id"], "dated": ["visit_date"], "later": {"logged_on": {}}}


class Contracts(pa.DataFrameModel):
    """Supply contracts. One signed after a date does not exist on that date."""

    contract_id: str = column("identifier of the contract")
    account_id: str = column("account", refers="accounts")
    starts_on: dt.Date = column("first day")
    ends_on: dt.Date = column("last day, as agreed when signed")
    annual_value: float = column("value agreed", MONEY_A_YEAR, optional=True, ge=0)
    signed_on: dt.Date = column("day it was signed; where missing, the first day counts", optional=True)

    class Config:
        metadata = {"key": ["contract_id"], "dated": ["signed_on", "starts_on"]}


class Cases(pa.DataFrameModel):
    """Complaints and incidents."""

    case_id: str = column("identifier of the case")
    account_id: str = column("account", refers="accounts")
    opened_on: dt.Date = column("day it was raised")
    closed_on: dt.Date = column("day it was closed; missing while open", optional=True)
    severity: int = column("1 minor, 2 moderate, 3 major, 4 critical", optional=True, ge=1, le=4)
    category: str = column("what it is about", optional=True)
    owner_id: str = column("who sees to it", optional=True)

    class Config:
        metadata = {"key": ["case_id"], "dated": ["opened_on"], "later": {"closed_on": {}}}


class Surveys(pa.DataFrameModel):
    """Answers of accounts about us."""

    survey_id: str = column("identifier of the survey")
    account_id: str = column("account", refers="accounts")
    surveyed_on: dt.Date = column("day of the answer")
    satisfaction: float = column("satisfaction with us", "0 to 10", optional=True, ge=0, le=10)
    manager_score: float = column("satisfaction with the account manager", "0 to 10", optional=True, ge=0, le=10)
    wallet_share: float = column("our share of what it spends", "0 to 1", optional=True, ge=0, le=1)
    main_competitor: str = column("strongest other supplier", optional=True)

    class Config:
        metadata = {"key": ["survey_id"], "dated": ["surveyed_on"]}


class Promotions(pa.DataFrameModel):
    """Promotions and incentives, per account."""

    promotion_id: str = column("identifier of the promotion")
    account_id: str = column("account", refers="accounts")
    kind: str = column("kind of incentive", isin=["discount", "co_promotion", "contest", "rebate"])
    starts_on: dt.Date = column("first day")
    ends_on: dt.Date = column("last day, as planned")
    cost: float = column("cost of the promotion", MONEY, optional=True, ge=0)
    threshold: float = column("purchases from which a rebate is paid", MONEY, optional=True, ge=0)
    category: str = column("product category promoted", optional=True)

    class Config:
        metadata = {"key": ["promotion_id"], "dated": ["starts_on"]}


class Investments(pa.DataFrameModel):
    """What we spent on winning and serving an account."""

    investment_id: str = column("identifier of the investment")
    account_id: str = column("account", refers="accounts")
    spent_on: dt.Date = column("day of the spending")
    kind: str = column("what for", isin=["development", "service", "travel", "other"])
    amount: float = column("amount", MONEY)

    class Config:
        metadata = {"key": ["investment_id"], "dated": ["spent_on"]}


class Deliveries(pa.DataFrameModel):
    """When order lines were promised and when they came."""

    order_id: str = column("order", refers="orders")
    line_no: int = column("line within the order")
    promised_on: dt.Date = column("day promised")
    delivered_on: dt.Date = column("day delivered; missing while under way", optional=True)
    quantity_delivered: float = column("quantity that came", "units", optional=True, ge=0)

    class Config:
        metadata = {
            "key": ["order_id", "line_no"],
            "dated": [],
            "through": "orders",
            "later": {"delivered_on": {"quantity_delivered": None}},
        }


class Stock(pa.DataFrameModel):
    """Our goods on the customer's shelves, as counted."""

    account_id: str = column("account", refers="accounts")
    product_id: str = column("product", refers="products")
    counted_on: dt.Date = column("day of the count")
    on_hand: float = column("quantity on hand", "units", ge=0)

    class Config:
        metadata = {"key": ["account_id", "product_id", "counted_on"], "dated": ["counted_on"]}


class Opportunities(pa.DataFrameModel):
    """Deals in the making."""

    opportunity_id: str = column("identifier of the opportunity")
    account_id: str = column("account", refers="accounts")
    opened_on: dt.Date = column("day it was opened")
    closed_on: dt.Date = column("day it was won or lost; missing while open", optional=True)
    stage: str = column("how it stands", isin=["open", "won", "lost"])
    value: float = column("value expected", MONEY, optional=True, ge=0)
    competitor: str = column("who else bids", optional=True)

    class Config:
        metadata = {
            "key": ["opportunity_id"],
            "dated": ["opened_on"],
            "later": {"closed_on": {"stage": "open"}},
        }


class Targets(pa.DataFrameModel):
    """Sales targets of an account or of a manager for a period."""

    account_id: str = column("account; missing where the target is a manager's", optional=True, refers="accounts")
    manager_id: str = column("manager; missing where the target is an account's", optional=True, refers="managers")
    period: str = column("2026, 2026-H1, 2026-Q3, 2026-09 or 2026-W40")
    revenue: float = column("revenue aimed at", MONEY, ge=0)

    class Config:
        metadata = {"key": ["account_id", "manager_id", "period"], "dated": [], "period": "period"}


class Ratings(pa.DataFrameModel):
    """Scorecard ratings of accounts by our own people."""

    account_id: str = column("account rated", refers="accounts")
    rater_id: str = column("who rated")
    criterion: str = column("what was rated")
    rated_on: dt.Date = column("day of the rating")
    score: float = column("score on an anchored scale", "1 to 5", ge=1, le=5)
    evidence: str = column("what the score rests on", optional=True)

    class Config:
        metadata = {"key": ["account_id", "rater_id", "criterion", "rated_on"], "dated": ["rated_on"]}


class Events(pa.DataFrameModel):
    """Symposia, trials, clubs and training, one row per account invited."""

    event_id: str = column("identifier of the event")
    account_id: str = column("account invited", refers="accounts")
    kind: str = column("kind of event", isin=["symposium", "trial", "club", "training", "other"])
    event_date: dt.Date = column("day of the event")
    has_attended: bool = column("took part", optional=True)

    class Config:
        metadata = {"key": ["event_id", "account_id"], "dated": ["event_date"]}


class References(pa.DataFrameModel):
    """Which account brought which."""

    account_id: str = column("account that referred", refers="accounts")
    referred_account_id: str = column("account that was referred", refers="accounts")
    referred_on: dt.Date = column("day of the reference")

    class Config:
        metadata = {"key": ["account_id", "referred_account_id"], "dated": ["referred_on"]}


MODELS = {
    model.__name__.lower(): model
    for model in (
        Accounts,
        Orders,
        Products,
        Managers,
        Assignments,
        Contacts,
        Visits,
        Contracts,
        Cases,
        Surveys,
        Promotions,
        Investments,
        Deliveries,
        Stock,
        Opportunities,
        Targets,
        Ratings,
        Events,
        References,
    )
}
REQUIRED = ("accounts", "orders")

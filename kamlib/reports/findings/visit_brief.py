"""What the visit brief says: the agenda with its purposes, what to know, what was promised, what to ask, what not."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.finding import Finding
from kamlib.reports.findings.dossier import account_trade
from kamlib.reports.sentences import say
from kamlib.studies import dues
from kamlib.studies.dossier import Dossier

# In the order in which they are talked about: what hurts the customer first, what we want last.
AGENDA = (
    "complaint",
    "delivery",
    "unhappy",
    "order_late",
    "fallen",
    "expired",
    "renewal",
    "document",
    "deal",
    "offer",
    "executive",
)
UNHAPPY_BELOW = 6


def visit_agenda(result: Dossier) -> pd.DataFrame:
    """The topics of a visit in the order to take them: place, topic, purpose."""
    rows = pd.concat([result.actions[dues.COLUMNS], *_more_topics(result)])
    rows = rows[rows["kind"].isin(AGENDA)]
    order = rows["kind"].map(AGENDA.index)
    rows = rows.assign(order=order).sort_values(["order", "due_on", "detail"], ignore_index=True)
    said = [(say(f"visit_brief.agenda_{r['kind']}", **r), _purpose(r)) for r in rows.to_dict("records")]
    agenda = pd.DataFrame(said, columns=["topic", "agenda_purpose"], dtype="str")
    return agenda.assign(place=range(1, len(agenda) + 1))[["place", "topic", "agenda_purpose"]]


def _purpose(row: dict) -> str:
    return say(f"visit_brief.agenda_{row['kind']}_purpose", **row)


def _more_topics(result: Dossier) -> list[pd.DataFrame]:
    """Topics that are due on no day: overdue deliveries, open deals, a low satisfaction, a fall of revenue."""
    one = pd.DataFrame({"account_id": [result.account_id], "manager_id": [result.card["manager_id"]]})
    topics = []
    overdue = _overdue(result)
    if len(overdue):
        day = overdue["promised_on"].max()
        topics.append(dues.rows("delivery", one, day, day, count=len(overdue)))
    deals = result.file.rows("opportunities")
    for deal in deals[deals["stage"] == "open"].itertuples():
        topics.append(dues.rows("deal", one, deal.opened_on, deal.opened_on, deal.opportunity_id))
    last = _last_survey(result)
    if last is not None and last["satisfaction"] < UNHAPPY_BELOW and _is_recent(last, result):
        topics.append(dues.rows("unhappy", one, last["surveyed_on"], last["surveyed_on"], count=last["satisfaction"]))
    trade = account_trade(result)
    is_late = (result.actions["kind"] == "order_late").any()  # which says the same of one that buys nothing any more
    if trade.decision and not (is_late and trade.value <= -1):
        topics.append(dues.rows("fallen", one, result.as_of, result.as_of, count=min(1.0, -trade.value)))
    return topics


def _overdue(result: Dossier) -> pd.DataFrame:
    late = result.file.late
    if late is None:
        return pd.DataFrame({"promised_on": pd.Series(dtype="datetime64[s]")})
    return late[late["delivered_on"].isna() & (late["promised_on"] < result.as_of)]


def _last_survey(result: Dossier) -> pd.Series | None:
    surveys = result.file.rows("surveys").sort_values(["surveyed_on", "survey_id"])
    return surveys.iloc[-1] if len(surveys) else None


def _is_recent(survey: pd.Series, result: Dossier) -> bool:
    """What was said more than a year ago is a fact of the file and no topic any more."""
    return survey["surveyed_on"] > result.as_of - pd.DateOffset(years=1)


def visit_purpose(result: Dossier) -> Finding:
    """How many topics there are, and the first."""
    agenda, name = visit_agenda(result), result.card["name"]
    if agenda.empty:
        return Finding("visit_brief.purpose", say("visit_brief.headline_none", name=name), 0, n=0, practices=("K082",))
    branch = "headline_one" if len(agenda) == 1 else "headline"
    sentence = say(f"visit_brief.{branch}", n=len(agenda), name=name, first=agenda["topic"].iloc[0])
    decision = agenda["agenda_purpose"].iloc[0]
    return Finding(
        "visit_brief.purpose", sentence, len(agenda), "topics", n=len(agenda), decision=decision, practices=("K082",)
    )


def visit_facts(result: Dossier) -> list[str]:
    """What to know of the account besides its figures: class, satisfaction, share of wallet, competitor."""
    facts, said, last = [], result.segmentation, _last_survey(result)
    if not said.reason and said.get("abc"):
        branch = "fact_class_alone" if said.place is None else "fact_class"
        facts.append(say(f"visit_brief.{branch}", class_name=said.get("abc"), place=said.place, of=said.of))
    if last is None:
        return [*facts, say("visit_brief.fact_none")]
    known = {
        "satisfaction": last["satisfaction"],
        "wallet": last["wallet_share"],
        "competitor": last["main_competitor"],
    }
    values = {
        "satisfaction": last["satisfaction"],
        "share": last["wallet_share"],
        "competitor": last["main_competitor"],
    }
    there = [name for name, value in known.items() if pd.notna(value)]
    return [*facts, *(say(f"visit_brief.fact_{name}", day=last["surveyed_on"], **values) for name in there)]


def visit_promises(result: Dossier) -> list[str]:
    """What is promised on record and not yet kept, and who knows the rest."""
    overdue, cases = _overdue(result), result.file.rows("cases")
    still = cases[cases["closed_on"].isna()]
    said = [say("visit_brief.promise_case", case=c.case_id, day=c.opened_on) for c in still.itertuples()]
    if len(overdue):
        said.append(say("visit_brief.promise_open", n=len(overdue), day=overdue["promised_on"].min()))
    manager = result.card["manager"] or result.card["manager_id"]
    nobody = pd.isna(manager)
    unknown = (
        say("visit_brief.promise_unknown_nobody") if nobody else say("visit_brief.promise_unknown", manager=manager)
    )
    return [*(said or [say("visit_brief.promise_none")]), unknown]


def visit_questions(result: Dossier) -> list[str]:
    """What to ask, from what the file does not know."""
    last, contacts = _last_survey(result), result.file.rows("contacts")
    asked = []
    if (result.actions["kind"] == "order_late").any():
        asked.append(say("visit_brief.ask_late"))
    offers = result.white_space.categories
    offers = offers[offers["is_white_space"].astype(bool)]
    asked += [say("visit_brief.ask_space", category=name) for name in offers["category"].head(2)]
    if last is None or pd.isna(last["wallet_share"]):
        asked.append(say("visit_brief.ask_wallet"))
    if last is not None and pd.notna(last["main_competitor"]):
        asked.append(say("visit_brief.ask_competitor", competitor=last["main_competitor"]))
    if pd.isna(result.card["annual_potential"]):
        asked.append(say("visit_brief.ask_potential"))
    if len(contacts) < 2 and "contacts" in result.has:
        asked.append(say("visit_brief.ask_thread", n=len(contacts)))
    if len(contacts) and not (contacts["level"] >= 3).any():
        asked.append(say("visit_brief.ask_executive"))
    if last is not None and last["satisfaction"] >= result.rules["referral_satisfaction"]:
        asked.append(say("visit_brief.ask_referral", satisfaction=last["satisfaction"]))
    return [*asked, say("visit_brief.ask_plans")]


def visit_limits(result: Dossier) -> list[str]:
    """What not to promise, and why."""
    limits = [*_limit_of_delivery(result), *_limit_of_price(result)]
    cases, contracts = result.file.rows("cases"), result.file.rows("contracts")
    if cases["closed_on"].isna().any():
        limits.append(say("visit_brief.limit_complaint"))
    ends = contracts["ends_on"].max()
    if len(contracts) and ends >= result.as_of:
        limits.append(say("visit_brief.limit_contract", ends=ends))
    elif "contracts" in result.has:
        limits.append(say("visit_brief.limit_contract_none"))
    if pd.notna(result.card["is_official"]) and result.card["is_official"]:
        limits.append(say("visit_brief.limit_official"))
    return [*limits, say("visit_brief.limit_risk"), say("visit_brief.limit_else")]


def _limit_of_delivery(result: Dossier) -> list[str]:
    late = result.file.late
    if late is None:
        return []
    year = late[late["promised_on"].between(result.as_of - pd.DateOffset(years=1), result.as_of)]
    count = int((year["days_late"] > 0).sum())
    return [say("visit_brief.limit_delivery", late=count, n=len(year))] if count else []


def _limit_of_price(result: Dossier) -> list[str]:
    year = result.sales.set_index("span").loc["year"]
    if not (year["revenue"] > 0 and year["revenue_previous"] > 0):
        return []
    now, before = year["margin"] / year["revenue"], year["margin_previous"] / year["revenue_previous"]
    return [say("visit_brief.limit_price", before=before, now=now)] if now < before - 0.01 else []

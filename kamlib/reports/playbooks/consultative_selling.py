"""What the playbook of consultative selling says of one account: needs, what decides, rivals, and both sides' gain."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kamlib.reports.finding import Finding, Gate, Verdict, judge
from kamlib.reports.playbooks.said import of_year, said
from kamlib.reports.sentences import say
from kamlib.studies import shares
from kamlib.studies.plans.consultative_selling import FALLING, SellingPlan

CATEGORY_COLUMNS = ["category", "revenue_of_year", "revenue_previous", "similar_share"]
QUESTION_COLUMNS = ["question_kind", "known_from_book", "question"]
BRIEF_COLUMNS = ["part", "known_from_book", "to_agree"]
RIVAL_COLUMNS = ["competitor", "deals_closed", "won_share", "won_low", "won_high"]
HEARD_COLUMNS = ["day", "source_said", "competitor", "name", "outcome_said"]
TOPIC_COLUMNS = ["handbook_topic", "here", "module"]
DEAL_COLUMNS = ["opportunity_id", "opened_on", "deal_value", "competitor"]
TOPICS = ("role", "basics", "needs", "strategy", "visit", "product", "objection", "closing")
FEWEST = 20
_NONE = Verdict.NO_CONCLUSION


def needs(result: SellingPlan) -> Finding:
    """What the account buys, and what accounts like it buy and it does not."""
    practices, rows = ("K071",), result.categories
    name = result.account["name"]
    if rows.empty:
        return said("consultative_selling.needs_absent", practices=practices, verdict=_NONE, name=name)
    bought = rows[rows["revenue"] > 0]
    values = {"name": name, "bought": len(bought), "similar": result.similar, "missing": len(result.missing)}
    values["first"] = result.missing[0] if result.missing else ""
    branch = "space" if result.missing else "full" if rows["similar_share"].notna().any() else "alone"
    do = "consultative_selling.do_needs" if result.missing else ""
    values |= {"practices": practices, "verdict": _NONE if branch == "alone" else Verdict.USABLE}
    return said(f"consultative_selling.needs_{branch}", len(result.missing), "categories", None, do, **values)


def category_table(result: SellingPlan) -> pd.DataFrame:
    """What the account buys by category, this year and the year before."""
    return of_year(result.categories)


def question_table(result: SellingPlan) -> pd.DataFrame:
    """Questions of four kinds, each beginning from what the book knows of the account."""
    rows = []
    for kind in ("situation", "problem", "implication", "payoff"):
        known = _known(result, kind) or say("consultative_selling.known_nothing")
        told = (say(f"consultative_selling.kind_{kind}"), known, say(f"consultative_selling.ask_{kind}"))
        rows.append(told)
    return pd.DataFrame(rows, columns=QUESTION_COLUMNS)


def _known(result: SellingPlan, kind: str) -> str:
    bought = result.categories[result.categories["revenue"] > 0] if len(result.categories) else result.categories
    if kind == "situation":
        return ", ".join(bought["category"].head(3)) if len(bought) else ""
    if kind == "problem":
        return _problem(result)
    if kind == "implication":
        falling = bought[bought["revenue"] < FALLING * bought["revenue_previous"]] if len(bought) else bought
        if not len(falling):
            return ""
        return say("consultative_selling.known_falling", categories=", ".join(falling["category"].head(3)))
    if not result.missing:
        return ""
    return say("consultative_selling.known_missing", categories=", ".join(result.missing[:3]))


def _problem(result: SellingPlan) -> str:
    if result.complaints is not None and len(result.complaints):
        top = result.complaints.iloc[0]
        return say("consultative_selling.known_complaint", category=top.iloc[0], n=int(top["n"]))
    if result.on_time is not None and result.on_time.n:
        return say("consultative_selling.known_late", late=result.on_time.n - result.on_time.hits, n=result.on_time.n)
    return ""


def winning(result: SellingPlan) -> Finding:
    """How many deals are won, of all accounts in scope and of this one."""
    practices, found = ("K031", "K071"), result.won_all
    if found is None or not found.n:
        return said("consultative_selling.winning_absent", practices=practices, verdict=_NONE)
    own = result.won
    values = {"hits": found.hits, "low": found.low, "high": found.high, "name": result.account["name"]}
    values |= {"own_hits": own.hits, "own_n": own.n, "practices": practices}
    branch = "own" if own.n else "all"
    made = said(f"consultative_selling.winning_{branch}", found.value, "share of deals", found.n, **values)
    few = say("consultative_selling.winning_few", n=found.n)
    verdict, reason = judge(Gate(found.n >= FEWEST, Verdict.CAUTION, few))
    return replace(made, interval=(found.low, found.high), level=shares.LEVEL, verdict=verdict, reason=reason)


def rival_table(result: SellingPlan) -> pd.DataFrame:
    """Deals by competitor, with the share won and its interval."""
    renamed = {"n": "deals_closed", "share": "won_share", "share_low": "won_low", "share_high": "won_high"}
    return result.rivals.rename(columns=renamed)


def competitors(result: SellingPlan) -> Finding:
    """Who was heard of last as a competitor, at this account and in its trade."""
    practices, rows = ("K110",), result.heard
    name = result.account["name"]
    if rows.empty:
        return said("consultative_selling.competitors_absent", practices=practices, verdict=_NONE, name=name)
    own = rows[rows["account_id"] == result.account["account_id"]]
    first = (own if len(own) else rows).iloc[0]
    values = {"name": name, "own": len(own), "competitor": first["competitor"], "day": first["day"]}
    source = say(f"consultative_selling.source_{first['source']}")
    branch = "own" if len(own) else "trade"
    key = f"consultative_selling.competitors_{branch}"
    do = "consultative_selling.do_competitors"
    return said(key, len(rows), "facts", len(rows), do, practices, source=source, **values)


def heard_table(result: SellingPlan) -> pd.DataFrame:
    """What was heard of competitors, each with its source and day; those at this account first."""
    sources = [say(f"consultative_selling.source_{one}") for one in result.heard["source"]]
    outcomes = [say(f"consultative_selling.outcome_{one}") if one else "" for one in result.heard["outcome"]]
    return result.heard.assign(source_said=sources, outcome_said=outcomes)


def deal_table(result: SellingPlan) -> pd.DataFrame:
    """The open deals of the account."""
    return result.deals.rename(columns={"value": "deal_value"})


def brief_table(result: SellingPlan) -> pd.DataFrame:
    """The brief of a tailored solution in four parts: what the book knows, and what is to be agreed."""
    top = result.categories["category"].head(2) if len(result.categories) else []
    centres = result.centres
    known = {
        "technical": ", ".join(top),
        "management": "" if result.people is None else _roles(result.people),
        "process": "" if centres is None or centres.empty else ", ".join(centres["buying_centre"].astype(str).head(4)),
        "financial": say("consultative_selling.known_revenue", revenue=float(result.account["revenue"])),
    }
    rows = [
        (
            say(f"consultative_selling.part_{part}"),
            text or say("consultative_selling.known_nothing"),
            say(f"consultative_selling.agree_{part}"),
        )
        for part, text in known.items()
    ]
    return pd.DataFrame(rows, columns=BRIEF_COLUMNS)


def _manager(result: SellingPlan) -> str:
    known = result.account["manager_id"]
    return str(result.names.managers.get(known, known)) if isinstance(known, str) else "–"


def _roles(people: pd.DataFrame) -> str:
    return ", ".join(str(role).replace("_", " ") for role in people.iloc[:, 0])


def both_gain(result: SellingPlan) -> Finding:
    """What each side gave the other in twelve months."""
    account, given = result.account, result.given
    values = {"name": account["name"], "revenue": float(account["revenue"])}
    known = {gift: amount for gift, amount in given.items() if pd.notna(amount)}
    if not known:
        return said("consultative_selling.both_absent", practices=("K099",), verdict=_NONE, **values)
    told = {gift if amount else f"{gift}_none": amount for gift, amount in known.items()}
    parts = [say(f"consultative_selling.gift_{gift}", amount=amount) for gift, amount in told.items()]
    on_time = result.on_time
    if on_time is not None and on_time.n:
        parts.append(say("consultative_selling.gift_on_time", share=on_time.value, n=on_time.n))
    values |= {"gifts": ", ".join(parts), "practices": ("K099",)}
    return said("consultative_selling.both_known", values["revenue"], "money a year", None, **values)


def topic_table(result: SellingPlan) -> pd.DataFrame:
    """The eight topics of the handbook, with where this account stands in each."""
    account = result.account
    contacts = 0 if result.people is None else int(result.people["n"].sum())
    values = {
        "role": {"manager": _manager(result)},
        "basics": {"abc": account["abc"]},
        "needs": {"n": int((result.categories["revenue"] > 0).sum()) if len(result.categories) else 0},
        "strategy": {"n": len(result.missing)},
        "visit": {"n": contacts},
        "product": {"first": result.missing[0] if result.missing else ""},
        "objection": {"n": 0 if result.complaints is None else int(result.complaints["n"].sum())},
        "closing": {"n": len(result.deals)},
    }
    here = {} if result.missing else {"product": "product_none"}
    rows = [
        (say(f"consultative_selling.topic_{t}"), say(f"consultative_selling.here_{here.get(t, t)}", **values[t]), place)
        for place, t in enumerate(TOPICS, start=1)
    ]
    return pd.DataFrame(rows, columns=TOPIC_COLUMNS)

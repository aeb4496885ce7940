"""The tables of the dossier in words: the card, the sales, what happened, who is who, and what to do next."""

from __future__ import annotations

import pandas as pd

from kamlib.reports.reminders import in_words
from kamlib.reports.sentences import keys, money, say
from kamlib.studies.dossier import Dossier

CARD = (
    "name",
    "account_id",
    "parent",
    "industry",
    "region",
    "manager",
    "lifecycle",
    "opened_on",
    "annual_potential",
    "is_strategic",
    "is_official",
)


def account_card(result: Dossier) -> pd.DataFrame:
    """What is known of the account itself, as two columns of text; what the book does not tell is left out."""
    known = [(name, result.card[name]) for name in CARD if name in result.card and pd.notna(result.card[name])]
    rows = [(say(f"dossier.field_{name}"), _written(name, value)) for name, value in known]
    return pd.DataFrame(rows, columns=["field", "entry"]).astype("str")


def _written(name: str, value) -> str:
    if isinstance(value, bool) or name.startswith("is_"):
        return say("page.yes" if value else "page.no")
    if name == "annual_potential":
        return money(value)
    return say("page.day", when=value) if isinstance(value, pd.Timestamp) else str(value)


def account_sales(result: Dossier) -> pd.DataFrame:
    """The sales against a year before, with the spans named."""
    spans = [say(f"dossier.span_{span}") for span in result.sales["span"]]
    return result.sales.assign(span=spans)


def account_story(result: Dossier) -> pd.DataFrame:
    """What happened in the period, each as one sentence."""
    rows = result.last_period
    said = [_event(row) for row in rows.to_dict("records")]
    return rows[["day"]].assign(what=pd.Series(said, dtype="str", index=rows.index))


def _event(row: dict) -> str:
    key = f"dossier.event_{row['kind']}"
    is_scored = f"{key}_scored" in _known() and pd.notna(row["number"])
    key = f"{key}_scored" if is_scored else key
    if pd.isna(row["detail"]) and f"{key}_plain" in _known():
        key = f"{key}_plain"
    return say(key, detail=row["detail"], number=row["number"])


def _known() -> set[str]:
    return set(keys())


def account_people(result: Dossier) -> pd.DataFrame:
    """The contact persons by level, the highest first, with the day last met; names only if they were read."""
    contacts, visits = result.file.rows("contacts"), result.file.rows("visits")
    met = visits.dropna(subset="contact_id").groupby("contact_id")["visit_date"].max()
    frame = contacts.assign(last_met=met.reindex(contacts["contact_id"]).to_numpy())
    frame = frame.sort_values(["level", "contact_id"], ascending=[False, True], na_position="last", ignore_index=True)
    level = frame["level"].map(lambda n: say(f"dossier.level_{n:.0f}"), na_action="ignore")
    role = frame["role"].map(lambda name: say(f"dossier.role_{name}") if f"dossier.role_{name}" in _known() else name)
    has_names = "name" in frame and frame["name"].notna().any()
    shown = ["contact_id", *(["contact_name"] if has_names else []), "role", "level_name", "has_consent", "last_met"]
    return frame.rename(columns={"name": "contact_name"}).assign(role=role, level_name=level)[shown]


def account_visits(result: Dossier) -> pd.DataFrame:
    """The contacts made with the account, the latest first."""
    return result.file.rows("visits").sort_values(["visit_date", "visit_id"], ascending=False, ignore_index=True)


def account_gaps(result: Dossier) -> list[str]:
    """A sentence for each table that the book has not, or in which the account has no row where one is expected."""
    if "contacts" not in result.has:
        return [say("dossier.contacts_absent")]
    return [] if len(result.file.rows("contacts")) else [say("dossier.contacts_none")]


def account_to_do(result: Dossier) -> pd.DataFrame:
    """What to do next, in words, the earliest first."""
    return in_words(result.actions, result.names)

"""What a firm declares about its book in ``book.yml``: currency, calendar, and thresholds with their reasons."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType

from kamlib.errors import RequestError


@dataclass(frozen=True)
class Threshold:
    """A declared number: its value, unit, the reason it was chosen and the practice it serves."""

    value: float | tuple
    unit: str
    reason: str
    practice: str = ""


DOMAIN = "named by the practice itself; set your own in book.yml"
CONVENTION = "a convention"

THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(
    {
        "vip_single_purchase": Threshold(10_000, "money", DOMAIN, "K034"),
        "vip_month_purchase": Threshold(20_000, "money a month", DOMAIN, "K034"),
        "contract_floor_years": Threshold(1, "years", DOMAIN, "K003"),
        "contract_full_years": Threshold(2, "years", DOMAIN, "K003"),
        "prospect_contact_days": Threshold(7, "days", DOMAIN, "K075"),
        "customer_contact_days": Threshold(31, "days", "monthly, named by the practice itself", "K077"),
        "log_check_days": Threshold(14, "days", "every 7 to 14 days, named by the practice itself", "K076"),
        "executive_time_share": Threshold(1 / 3, "share of visiting time", DOMAIN, "K082"),
        "symposia_a_year": Threshold(1, "a year", DOMAIN, "K106"),
        "pareto_accounts": Threshold(0.20, "share of accounts", "tested, never assumed", "K015"),
        "pareto_revenue": Threshold(0.80, "share of revenue", "tested, never assumed", "K015"),
        "abc_cuts": Threshold((0.80, 0.95), "cumulative share", CONVENTION, "K014"),
        "rfm_recency_days": Threshold((30, 60, 120, 240), "days", CONVENTION, "K014"),
        "rfm_active_months": Threshold((2, 4, 7, 10), "active months of twelve", CONVENTION, "K001"),
        "rfm_money_multiples": Threshold((0.1, 0.3, 1.0, 3.0), "multiples of the mean account", CONVENTION, "K001"),
        "key_account_tests": Threshold(3, "of the four tests", CONVENTION, "K001"),
        "influence_share": Threshold(0.01, "share of the book's value", CONVENTION, "K001"),
        "growth_factor": Threshold(1.5, "times the year before", CONVENTION, "K005"),
        "untapped_factor": Threshold(1.0, "times what it buys, potential not bought here", CONVENTION, "K005"),
        "high_rating": Threshold(4, "of 5", CONVENTION, "K004"),
        "fit_rating": Threshold(3, "of 5", CONVENTION, "K006"),
        "centralised_share": Threshold(
            1 / 3, "share of spend through the top buying centre", "at most about three centres to serve", "K007"
        ),
        "recurring_years": Threshold(2, "years of three with an order", CONVENTION, "K008"),
        "recurring_months": Threshold(4, "months of three years with an order", CONVENTION, "K008"),
        "one_order_share": Threshold(0.5, "share of three years' orders", CONVENTION, "K008"),
        "new_product_days": Threshold(183, "days after launch", CONVENTION, "K017"),
        "loyal_wallet_share": Threshold(0.5, "share of wallet", CONVENTION, "K017"),
        "switching_wallet_drop": Threshold(0.1, "share of wallet", CONVENTION, "K018"),
        "unattached_wallet_share": Threshold(0.2, "share of wallet", CONVENTION, "K019"),
        "relationship_months": Threshold((12, 24), "months since the first order", CONVENTION, "K023"),
        "key_account_cap": Threshold(50, "accounts", "15 to 50 is good practice", "K013"),
        "contract_notice_days": Threshold(90, "days before a contract ends", CONVENTION, "K081"),
        "case_answer_days": Threshold(14, "days after a complaint is raised", CONVENTION, "K042"),
        "executive_contact_days": Threshold(183, "days between executive contacts", CONVENTION, "K082"),
        "white_space_share": Threshold(0.5, "share of similar accounts that buy it", CONVENTION, "K042"),
        "referral_satisfaction": Threshold(9, "of 10", CONVENTION, "K080"),
        "visit_cost": Threshold(0, "money a visit", "declare yours; nothing is assumed", "K026"),
    }
)


@dataclass(frozen=True)
class Settings:
    """The settings of a book.

    Examples
    --------
    >>> Settings.from_mapping({"currency": "TWD"}).threshold("vip_single_purchase").value
    10000
    """

    name: str = ""
    currency: str = ""
    timezone: str = "UTC"
    fiscal_year_start: int = 1
    countries: tuple[str, ...] = ()
    thresholds: Mapping[str, Threshold] = field(default_factory=lambda: THRESHOLDS)
    segments: tuple = ()
    unknown: tuple[str, ...] = ()

    @classmethod
    def from_mapping(cls, values: Mapping) -> Settings:
        """Settings from the content of a ``book.yml``.

        Names we do not know are kept in ``unknown``, for ``kam check`` to show; a threshold we do not know is a
        RequestError with a suggestion, since a study would quietly go by the default.
        """
        known = set(cls.__dataclass_fields__) - {"unknown"}
        return cls(
            name=str(values.get("name") or ""),
            currency=_text(values, "currency", cls.currency),
            timezone=_text(values, "timezone", cls.timezone),
            fiscal_year_start=_month(values.get("fiscal_year_start") or cls.fiscal_year_start),
            countries=_countries(values.get("countries") or ()),
            thresholds=_merge(values.get("thresholds") or {}),
            segments=_rules(values.get("segments") or ()),
            unknown=tuple(str(name) for name in values if name not in known),
        )

    def threshold(self, name: str) -> Threshold:
        """A declared threshold; RequestError when there is none of that name."""
        if name not in self.thresholds:
            raise RequestError(f"no threshold {name!r}{_suggest(name, self.thresholds)}")
        return self.thresholds[name]

    def value(self, name: str):
        """The value alone of a declared threshold."""
        return self.threshold(name).value


def _text(values: Mapping, name: str, default: str) -> str:
    value = values.get(name) or default
    if not isinstance(value, str):
        raise RequestError(f"book.yml: {name} must be text, not {value!r}; write it in quotes")
    return value


def _month(value) -> int:
    if isinstance(value, bool) or value not in range(1, 13):
        raise RequestError(f"book.yml: fiscal_year_start is the number of a month, 1 to 12, not {value!r}")
    return value


def _rules(given) -> tuple:
    if not isinstance(given, (list, tuple)):
        raise RequestError(f"book.yml: segments must be a list of rules, not {given!r}")
    return tuple(given)


def _merge(declared: Mapping) -> Mapping[str, Threshold]:
    if not isinstance(declared, Mapping):
        raise RequestError(f"book.yml: thresholds must be names with values, not a {type(declared).__name__}")
    merged = dict(THRESHOLDS)
    for name, given in declared.items():
        if name not in THRESHOLDS:
            raise RequestError(f"book.yml: no threshold {name!r}{_suggest(name, THRESHOLDS)}")
        entry = dict(given) if isinstance(given, Mapping) else {"value": given}
        if "value" not in entry:
            raise RequestError(f"book.yml: the threshold {name!r} has no value")
        default = THRESHOLDS[name]
        value = _number(name, entry["value"], like=default.value)
        reason = entry.get("reason", "declared in book.yml")
        merged[name] = Threshold(value, entry.get("unit", default.unit), reason, default.practice)
    return MappingProxyType(merged)


def _number(name: str, value, like: float | tuple) -> float | tuple:
    """The declared value, when it is a number where the default is one, or a list where that is a list."""
    values = value if isinstance(value, (list, tuple)) else [value]
    are_numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) and isfinite(v) for v in values)
    if not are_numbers or isinstance(like, tuple) != isinstance(value, (list, tuple)):
        wanted = "a list of numbers" if isinstance(like, tuple) else "one number"
        raise RequestError(f"book.yml: the threshold {name!r} must be {wanted}, not {value!r}")
    if isinstance(like, tuple) and (len(values) != len(like) or sorted(values) != list(values)):
        raise RequestError(f"book.yml: the threshold {name!r} has {len(like)} numbers that rise, not {value!r}")
    return tuple(values) if isinstance(like, tuple) else value


def _countries(given) -> tuple[str, ...]:
    """Country codes; YAML reads an unquoted ``NO`` as false."""
    codes = [given] if isinstance(given, str) else list(given)
    wrong = [code for code in codes if not isinstance(code, str)]
    if wrong:
        raise RequestError(f"book.yml: countries holds {wrong[0]!r}; write codes in quotes, such as 'TW' or 'NO'")
    return tuple(codes)


def _suggest(name: str, known) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(sorted(known))}"

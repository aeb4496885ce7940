"""Which accounts qualify as key accounts, on what evidence: four tests, five criteria, three gates.

An account qualifies when it is large (class A by value, or named strategic), meets enough of the four tests, meets at
least one of the five criteria, and fails none of the three gates. What the book cannot tell is neither met nor
failed: the tests asked for shrink by the tests that cannot be told, an unknown gate stops nobody, and where none of
the criteria can be told their absence stops nobody either; ``criteria_met`` is then empty, and a person must judge.

Tests (frequency, volume, margin, influence)
    an order in every quarter since its first; class A (so that an account large by class has met this one already);
    margin rate at least the book's (told where the cost of half of its revenue is known); at least a declared share of
    the book's value, or an account it referred, or a high rating for reputation.
Criteria
    *contract*: large, and under an unbroken chain of contracts for a year or more by the day (where the book has no
    contracts but reaches back two years, orders in both and in every quarter of the last stand in); *strategic*: named
    a strategic project account; *reputation*: rated high, or it referred others; *innovation*: rated high, or it took
    up new products soon after launch; *market*: rated high, or it grew by a declared factor, or the potential it
    does not buy here is at least a declared multiple of what it does. (Potential itself would say again that it is
    large.)
Gates
    *fit*: rated fit, or else that it buys at all; *centralised*: enough of the spend through one buying centre;
    *recurring*: orders in two years of three, or in four months of them, and no single order above half of it all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kamlib.book.settings import Settings

TESTS = ("frequency", "volume", "margin", "influence")
CRITERIA = ("contract", "strategic", "reputation", "innovation", "market")
GATES = ("fit", "centralised", "recurring")
COSTED = 0.5  # below, an account's margin is mostly the book's own rate


def qualify(accounts: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Tests, criteria and gates of each account, and whether it qualifies.

    Parameters
    ----------
    accounts
        What :func:`~kamlib.studies.segmentation.standing.stand` and
        :func:`~kamlib.studies.segmentation.evidence.evidence` say of each account, its class
        ``abc``, and ``revenue_before``.
    settings
        The book's settings, with their thresholds.

    Returns
    -------
    By account: ``test_…``, ``by_…`` and ``gate_…`` flags (missing where the book cannot tell), tests_met and
    tests_known, contract_marks (0 to 1), tests_missed, criteria_met and gates_failed (codes joined by ", "), lacks
    (what it would need to qualify: class, tests, criteria, gates), is_one_off (large by one order), qualifies,
    qualifies_but_official, is_potential_alone (no criterion but the potential it does not buy here).
    """
    flags = pd.concat(
        [_tests(accounts, settings), _criteria(accounts, settings), _gates(accounts, settings)], axis="columns"
    )
    tests, criteria = (flags[[p + n for n in names]] for p, names in (("test_", TESTS), ("by_", CRITERIA)))
    flags["tests_met"], flags["tests_known"] = tests.sum(axis=1).astype(int), tests.notna().sum(axis=1)
    flags["tests_missed"] = _joined(flags, "test_", TESTS, False)
    flags["contract_marks"] = _contract_marks(accounts["contract_years"], settings)
    flags["criteria_met"] = _joined(flags, "by_", CRITERIA, True)
    flags["gates_failed"] = _joined(flags, "gate_", GATES, False)
    asked = settings.value("key_account_tests") - (len(TESTS) - flags["tests_known"])
    is_large = (accounts["abc"] == "A") | flags["by_strategic"].fillna(False).astype(bool)
    is_official = accounts["is_official"].fillna(False).astype(bool)
    flags["is_one_off"] = is_large & (accounts["largest_order_share"] > settings.value("one_order_share"))
    lacking = {
        "class": ~is_large,
        "tests": flags["tests_met"] < asked,
        "criteria": (flags["criteria_met"] == "") & criteria.notna().any(axis=1),
        "gates": flags["gates_failed"] != "",
    }
    flags["lacks"] = _listed(lacking)
    could = flags["lacks"] == ""
    flags["qualifies"], flags["qualifies_but_official"] = could & ~is_official, could & is_official
    other = _market(accounts, settings)[["rated", "grown"]].fillna(False).any(axis=1)
    flags["is_potential_alone"] = could & (flags["criteria_met"] == "market") & ~other
    return flags


def _tests(accounts: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    total, revenue = accounts["value"].clip(lower=0).sum(), accounts["revenue"]
    sold = revenue.sum()
    rate, book_rate = (
        accounts["margin"] / revenue.where(revenue > 0),
        accounts["margin"].sum() / sold if sold else np.nan,
    )
    share = accounts["value"] / total if total > 0 else accounts["value"] * np.nan
    return pd.DataFrame(
        {
            "test_frequency": (accounts["quarters_active"] >= accounts["quarters_open"]) & accounts["has_bought"],
            "test_volume": accounts["abc"] == "A",
            "test_margin": _flag(rate >= book_rate, (rate - book_rate).notna() & (accounts["costed_share"] >= COSTED)),
            "test_influence": _any(
                _flag(share >= settings.value("influence_share"), share.notna()),
                _flag(accounts["references_made"] >= 1, accounts["references_made"].notna()),
                _high(accounts["reputation_score"], settings.value("high_rating")),
            ),
        }
    ).astype("boolean")


def _criteria(accounts: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    high, is_large = settings.value("high_rating"), accounts["abc"] == "A"
    years = accounts["contract_years"]
    continuous = _flag(years >= settings.value("contract_floor_years"), years.notna())
    before = accounts["revenue_before"]
    steady = (accounts["quarters_active"] >= accounts["quarters_open"]) & (accounts["years_active"] >= 2)
    steady = _flag(steady, before.notna())
    return pd.DataFrame(
        {
            "by_contract": _flag(continuous.fillna(steady).fillna(False) & is_large, years.notna() | before.notna()),
            "by_strategic": accounts["is_strategic"].astype("boolean"),
            "by_reputation": _any(
                _high(accounts["reputation_score"], high),
                _flag(accounts["references_made"] >= 1, accounts["references_made"].notna()),
            ),
            "by_innovation": _any(
                _high(accounts["innovation_score"], high),
                _flag(accounts["new_products"] >= 1, accounts["new_products"].notna()),
            ),
            "by_market": _any(*(flag for _, flag in _market(accounts, settings).items())),
        }
    ).astype("boolean")


def _market(accounts: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The three kinds of evidence of market strength: rated, grown, untapped."""
    before, now, potential = (accounts[name] for name in ("revenue_before", "revenue", "annual_potential"))
    untapped = potential - now.clip(lower=0) >= settings.value("untapped_factor") * now.clip(lower=0)
    return pd.DataFrame(
        {
            "rated": _high(accounts["market_score"], settings.value("high_rating")),
            "grown": _flag(now >= settings.value("growth_factor") * before, before > 0),
            "untapped": _flag(untapped & (potential > 0), potential.notna()),
        }
    )


def _contract_marks(years: pd.Series, settings: Settings) -> pd.Series:
    """0 below the floor of continuous contract, then in proportion to full marks of 1."""
    marks = (years / settings.value("contract_full_years")).clip(upper=1.0)
    return marks.where((years >= settings.value("contract_floor_years")) | years.isna(), 0.0)


def _gates(accounts: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    share, fit = accounts["centralised_share"], accounts["fit_score"]
    returns = (accounts["years_active"] >= settings.value("recurring_years")) | (
        accounts["months_active"] >= settings.value("recurring_months")
    )
    is_one_order = accounts["largest_order_share"] > settings.value("one_order_share")
    buys = _flag(accounts["has_bought"], accounts["has_bought"])
    return pd.DataFrame(
        {
            "gate_fit": _flag(fit >= settings.value("fit_rating"), fit.notna()).fillna(buys),
            "gate_centralised": _flag(share >= settings.value("centralised_share"), share.notna()),
            "gate_recurring": _flag(returns & ~is_one_order, accounts["orders_ever"] > 0),
        }
    ).astype("boolean")


def _flag(truth: pd.Series, is_known: pd.Series) -> pd.Series:
    """A flag that is missing where nothing is known."""
    flags = pd.arrays.BooleanArray(truth.fillna(False).to_numpy(dtype=bool), ~is_known.to_numpy(dtype=bool))
    return pd.Series(flags, index=truth.index)


def _high(score: pd.Series, least: float) -> pd.Series:
    return _flag(score >= least, score.notna())


def _any(*flags: pd.Series) -> pd.Series:
    """Met if one is met; not met if all that are known are not; missing if none is known."""
    known = pd.concat([flag.notna() for flag in flags], axis=1).any(axis=1)
    met = pd.concat([flag.fillna(False).astype(bool) for flag in flags], axis=1).any(axis=1)
    return _flag(met, known)


def _joined(flags: pd.DataFrame, prefix: str, names: Sequence[str], wanted: bool) -> np.ndarray:
    """The codes whose flag is the one wanted, joined by a comma."""
    return _listed({name: (flags[prefix + name] == wanted).fillna(False) for name in names})


def _listed(flags: dict[str, pd.Series]) -> np.ndarray:
    """The names of the flags that are set, joined by a comma."""
    text = np.full(len(next(iter(flags.values()))), "", dtype=object)
    for name, flag in flags.items():
        hit = flag.to_numpy(dtype=bool)
        text[hit & (text != "")] += ", "
        text[hit] += name
    return text

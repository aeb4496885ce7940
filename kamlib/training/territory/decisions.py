"""Decisions of one quarter, checked against the rules before anything happens; and the file that keeps them."""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from pathlib import Path

import numpy as np

from kamlib.errors import RequestError
from kamlib.training.territory.rules import HANDLINGS, Rules

FORMAT = 1
SHOWN = 5


@dataclass(frozen=True)
class Decision:
    """What is done for one account in one quarter; nothing, where nothing is said.

    Attributes
    ----------
    visits : in the quarter, spread evenly over its months. executive : whether an executive comes along on one.
    promotion : whether one runs in the second month. complaints : how all open ones are handled (leave, answer,
        make_good). reserve : whether supply is reserved.
    """

    visits: int = 0
    executive: bool = False
    promotion: bool = False
    complaints: str = HANDLINGS[0]
    reserve: bool = False

    @property
    def handling(self) -> int:
        """Position in ``HANDLINGS``."""
        return HANDLINGS.index(self.complaints)


NOTHING = Decision()


def check(decisions: Mapping[str, Decision], accounts: Sequence[str], open_complaints, rules: Rules) -> None:
    """Refuse what the rules do not allow.

    Parameters
    ----------
    accounts, open_complaints
        Identifiers of all accounts, and how many complaints each has open.

    Raises
    ------
    RequestError
        Saying what, how many, which, and what to do.
    """
    _refuse_strangers(decisions, accounts)
    _refuse(
        "a Decision is wanted for each account", decisions, lambda d: not isinstance(d, Decision), "use Decision(…)"
    )
    _refuse(
        f"visits must be whole numbers from 0 to {rules.most_visits}",
        decisions,
        lambda d: not _is_count(d.visits) or d.visits > rules.most_visits,
        "change them",
        lambda d: d.visits,
    )
    _refuse(
        f"complaints are handled by {', '.join(HANDLINGS)}",
        decisions,
        lambda d: d.complaints not in HANDLINGS,
        "choose one of these",
        lambda d: repr(d.complaints),
    )
    _refuse(
        "an executive comes along on a visit",
        decisions,
        lambda d: d.executive and d.visits == 0,
        "plan a visit there or leave the executive at home",
        lambda d: "0 visits",
    )
    _refuse_executives(decisions, rules)
    _refuse_hours(decisions, dict(zip(accounts, open_complaints, strict=True)), rules)


def settled(decisions: Mapping[str, Decision]) -> dict[str, Decision]:
    """Checked decisions in plain types, without those to do nothing: what is kept and compared."""
    plain = {
        name: Decision(int(d.visits), bool(d.executive), bool(d.promotion), str(d.complaints), bool(d.reserve))
        for name, d in decisions.items()
    }
    return {name: decision for name, decision in plain.items() if decision != NOTHING}


def hours_of(decision: Decision, open_complaints: int, rules: Rules) -> float:
    """Hours that a decision takes."""
    own = decision.visits * rules.visit_hours + decision.executive * rules.executive_hours
    return own + decision.promotion * rules.promotion_hours + open_complaints * rules.handling_hours[decision.handling]


def costs_of(decision: Decision, visit_cost: float, reserve_price: float, open_complaints: int, rules: Rules) -> float:
    """TWD that a decision costs, without the rebate of a promotion."""
    visits = decision.visits + decision.executive * (rules.executive_factor - 1)
    handling = open_complaints * rules.handling_costs[decision.handling]
    return visits * visit_cost + decision.promotion * rules.promotion_cost + decision.reserve * reserve_price + handling


def _is_count(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 0


def _refuse_strangers(decisions: Mapping[str, Decision], accounts: Sequence[str]) -> None:
    strangers = [name for name in decisions if name not in set(accounts)]
    if strangers:
        close = difflib.get_close_matches(str(strangers[0]), accounts, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise RequestError(
            f"{len(strangers)} of {len(decisions)} decisions are for accounts outside the territory "
            f"({_named(strangers)}){hint} It has {accounts[0]} to {accounts[-1]}."
        )


def _refuse(rule: str, decisions, is_wrong, remedy: str, value=str) -> None:
    wrong = [name for name, decision in decisions.items() if is_wrong(decision)]
    if wrong:
        shown = ", ".join(f"{name}: {value(decisions[name])}" for name in wrong[:SHOWN])
        raise RequestError(f"{rule}; {len(wrong)} are not so ({shown}): {remedy}.")


def _refuse_executives(decisions: Mapping[str, Decision], rules: Rules) -> None:
    with_one = [name for name, decision in decisions.items() if decision.executive]
    excess = len(with_one) - rules.executives_per_quarter
    if excess > 0:
        raise RequestError(
            f"executives come along {rules.executives_per_quarter} times a quarter, and {len(with_one)} are planned "
            f"({_named(with_one)}): take {excess} out."
        )


def _refuse_hours(decisions: Mapping[str, Decision], open_complaints: Mapping[str, int], rules: Rules) -> None:
    taken = {name: hours_of(decision, open_complaints[name], rules) for name, decision in decisions.items()}
    excess = sum(taken.values()) - rules.hours_per_quarter
    if excess > 1e-9:
        most = sorted(taken, key=lambda name: -taken[name])[:3]
        raise RequestError(
            f"the decisions take {sum(taken.values()):,.1f} hours, {excess:,.1f} more than the "
            f"{rules.hours_per_quarter:,.0f} of a quarter; most take "
            f"{', '.join(f'{name} {taken[name]:,.1f}' for name in most)}: take out "
            f"{int(np.ceil(excess / rules.visit_hours))} visits or something else."
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(repr(name) for name in names[:SHOWN]) + more


def write_file(path: str | os.PathLike, seed: int, quarters: Sequence[Mapping[str, Decision]]) -> None:
    """Keep a game: its seed and what was decided, from which everything follows. The file appears whole."""
    path = Path(path)
    kept = [{name: asdict(d) for name, d in quarter.items()} for quarter in quarters]
    text = json.dumps({"format": FORMAT, "seed": seed, "quarters": kept}, ensure_ascii=False, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, building = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(building).replace(path)


def read_file(path: str | os.PathLike) -> tuple[int, list[dict[str, Decision]]]:
    """Seed and decisions of a game that was kept.

    Raises
    ------
    RequestError
        When there is no such file, or it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise RequestError(f"there is no game at {path}; begin one with take_over(seed) and save it")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["format"] != FORMAT:
            raise RequestError(f"{path} is of format {kept['format']}, and {FORMAT} is read here; begin a new game")
        names = {field.name for field in fields(Decision)}
        quarters = [{a: Decision(**{n: d[n] for n in names}) for a, d in q.items()} for q in kept["quarters"]]
        return int(kept["seed"]), quarters
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{path} is damaged and no game can be read from it; move it away to begin anew") from error

"""What the desk of the territory shows, as markup: accounts, the report of a quarter, the debrief; values escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from kamlib.training import wording
from kamlib.training.territory import PAST_QUARTERS, Territory
from kamlib.training.territory.debrief import KINDS, Debrief
from kamlib.training.territory.rules import HANDLINGS, Rules

TOLD = 5
PAST_INK, INK, SOFT = "#9aa5b1", "#0b6e75", "#5b6875"
STYLE = """<style>
.kam-desk {font-size:14px; line-height:1.4; max-width:1180px}
.kam-desk h4 {margin:.9em 0 .3em; font-size:16px} .kam-desk p, .kam-desk ul {margin:.2em 0 .5em; max-width:820px}
.kam-desk small {opacity:.75} .kam-desk .kam-flag {border:1px solid #b3541e; border-radius:4px; padding:0 5px;
  margin:0 4px 2px 0; display:inline-block; font-size:12.5px}
.kam-desk table {border-collapse:collapse} .kam-desk th, .kam-desk td {border-bottom:1px solid #9995; text-align:left;
  padding:3px 16px 3px 0; vertical-align:top} .kam-desk td.n, .kam-desk th.n {text-align:right}
.kam-desk td.n, .kam-desk td.d {white-space:nowrap}
.kam-desk svg {max-width:100%; height:auto} .kam-desk .name {font-weight:600; overflow-wrap:anywhere}
.kam-over {color:#b3261e; font-weight:600}
</style>"""


class _Number(float):
    """A number whose minus sign is typographic, however it is formatted."""

    def __format__(self, spec: str) -> str:
        return super().__format__(spec).replace("-", "−")


def tell(key: str, **values) -> str:
    """A sentence of the territory, as text."""
    numbers = {name: _Number(v) if isinstance(v, float) else v for name, v in values.items()}
    return wording.fill(wording.texts("territory")[key], numbers)


def block(*parts: str) -> str:
    """Parts of a page in the style of the desk."""
    return f'<div class="kam-desk">{"".join(parts)}</div>'


def paragraph(key: str, **values) -> str:
    """A sentence as a paragraph."""
    return f"<p>{escape(tell(key, **values))}</p>"


def title(key: str, **values) -> str:
    """A sentence as a heading."""
    return f"<h4>{escape(tell(key, **values))}</h4>"


# ---- before the first day


def rules(declared: Rules) -> str:
    """What each decision costs, takes and does, and how many hours there are."""
    costs = {
        "visits": {"low": min(declared.visit_costs), "high": max(declared.visit_costs)},
        "executive": {"factor": declared.executive_factor - 1},
        "promotion": {"cost": declared.promotion_cost, "rebate": declared.promotion_rebate},
        "reserve": {"share": declared.reserve_share},
    }
    hours = [declared.visit_hours, declared.executive_hours, declared.promotion_hours, 0.0]
    effects = {"most": declared.most_visits, "there": declared.executives_per_quarter}
    rows = [
        [
            tell(f"rule_{name}"),
            tell(f"rule_{name}_cost", **values),
            f"{taken:g}",
            tell(f"rule_{name}_effect", **effects),
        ]
        for (name, values), taken in zip(costs.items(), hours, strict=True)
    ]
    for name, cost, taken in zip(HANDLINGS, declared.handling_costs, declared.handling_hours, strict=True):
        if name != HANDLINGS[0]:
            told = [
                tell(f"rule_{name}"),
                tell("rule_handling_cost", cost=cost),
                f"{taken:g}",
                tell(f"rule_{name}_effect"),
            ]
            rows.append(told)
    heads = [tell(f"rules_{column}") for column in ("decision", "cost", "hours", "effect")]
    return block(_grid(heads, rows), paragraph("rules_limit", hours=declared.hours_per_quarter))


def study(territory: Territory) -> str:
    """Head office's estimates of what visits do, as a sentence."""
    effect = territory.study
    return paragraph("study", a=2 ** effect["A"] - 1, b=2 ** effect["B"] - 1, c=2 ** effect["C"] - 1)


def contest(played: Mapping[str, Territory]) -> str:
    """What policies earned on one territory, as booked."""
    rows = []
    for name, territory in played.items():
        booked = territory.booked.tail(len(territory.ids) * len(territory.periods))
        earned = _sum(float(booked["margin"].sum() - booked["costs"].sum()))
        rows.append([tell(f"policy_{name}"), earned, f"{booked['visits'].sum():,}"])
    return block(_grid([tell("policy"), tell("policy_earned"), tell("policy_visits")], rows))


def _grid(heads: list[str], rows: list[list[str]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


# ---- one account


def about(card) -> str:
    """Who an account is: a row of ``Territory.accounts``."""
    what = " · ".join([card.account_id, card.segment, card.industry, card.region])
    money = " · ".join([tell("earns", share=card.margin_share), tell("visit_price", cost=card.visit_cost)])
    name = f'<span class="name">{escape(card.name)}</span>'
    return block(f"{name}<br><small>{escape(what)}<br>{escape(money)}</small>")


def past(rows: pd.DataFrame) -> str:
    """Revenue of all quarters of one account as small bars, and the last one as a number."""
    revenue = rows["revenue"].to_numpy()
    visits = int(rows["visits"].iloc[-1])
    said = tell("last_one" if visits == 1 else "last", revenue=revenue[-1], n=visits)
    before = tell("last_year", revenue=revenue[-1 - PAST_QUARTERS]) if len(revenue) > PAST_QUARTERS else ""
    told = "<br>".join(escape(text) for text in (said, before) if text)
    return block(bars(revenue, width=150, height=30, label=said), f"<br><small>{told}</small>")


def flags(waits, last) -> str:
    """What waits at an account: a row of ``Territory.waiting`` and its last row of ``Territory.booked``."""
    said = []
    if waits.open_complaints:
        key = "open_complaints_one" if waits.open_complaints == 1 else "open_complaints"
        said.append(tell(key, n=waits.open_complaints))
    if not pd.isna(waits.contract_ends_on):
        said.append(tell("contract", day=waits.contract_ends_on))
    if waits.warned_share >= 0.005:
        said.append(tell("warned", share=waits.warned_share))
    if last.orders == 0:
        said.append(tell("no_orders"))
    answers = [tell("satisfied", value=last.satisfaction)] if last.satisfaction == last.satisfaction else []
    answers += [tell("wallet", share=last.wallet_share)] if last.wallet_share == last.wallet_share else []
    marked = "".join(f'<span class="kam-flag">{escape(text)}</span>' for text in said)
    return block(marked, f"<small>{escape(' · '.join(answers))}</small>" if answers else "")


def bars(values, width: int, height: int, label: str, past_bars: int = PAST_QUARTERS) -> str:
    """Bars from zero, those of the year before the player in grey."""
    top = max(float(np.max(values)), 1.0)
    step = width / max(len(values), 12)
    drawn = []
    for place, value in enumerate(values):
        tall = max(float(value), 0.0) / top * (height - 2)
        ink = PAST_INK if place < past_bars else INK
        drawn.append(_bar(place * step, height - tall, step - 2, tall, ink))
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">{"".join(drawn)}</svg>'


# ---- a quarter


def report(territory: Territory) -> str:
    """What the last quarter brought, against the quarters before."""
    booked = territory.booked
    totals = booked.groupby("period", sort=False)[["revenue", "margin", "costs", "visits", "complaints"]].sum()
    profit = totals["margin"] - totals["costs"]
    last = totals.iloc[-1]
    told = paragraph(
        "report",
        revenue=last["revenue"],
        margin=last["margin"],
        costs=last["costs"],
        profit=profit.iloc[-1],
        before=profit.iloc[-2],
        visits=int(last["visits"]),
        complaints=int(last["complaints"]),
    )
    return block(
        title("report_title", period=totals.index[-1]),
        told,
        f"<p><small>{escape(tell('report_figure'))}</small></p>",
        columns(profit),
        _movers(booked, list(totals.index)),
    )


def columns(values: pd.Series, width: int = 620, height: int = 150) -> str:
    """A column for each quarter with its value above and its label below."""
    top, step = max(float(values.max()), 1.0), width / max(len(values), 1)
    drawn = []
    for place, (label, value) in enumerate(values.items()):
        tall = max(float(value), 0.0) / top * (height - 50)
        x, y = place * step, height - 22 - tall
        ink = PAST_INK if place < PAST_QUARTERS else INK
        drawn.append(_bar(x + 3, y, step - 6, tall, ink))
        drawn.append(_text(x + step / 2, y - 5, f"{value / 1e3:,.0f}k", "middle"))
        drawn.append(_text(x + step / 2, height - 6, str(label)[2:], "middle"))
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">{"".join(drawn)}</svg>'


def _movers(booked: pd.DataFrame, periods: list[str]) -> str:
    now = booked[booked["period"] == periods[-1]].set_index("account_id")
    year_ago = booked[booked["period"] == periods[-1 - PAST_QUARTERS]].set_index("account_id")
    change = (now["revenue"] - year_ago["revenue"]).sort_values()
    silent = now.index[(now["orders"] == 0) & (year_ago["orders"] > 0)]
    lists = [
        ("fell", change[change < 0].head(3)),
        ("rose", change[change > 0].tail(3)[::-1]),
    ]
    parts = [_listed(key, [_moved(now.loc[a], c) for a, c in part.items()]) for key, part in lists]
    return "".join(parts) + (_listed("silent", [now.loc[a, "name"] for a in silent]) if len(silent) else "")


def _moved(row: pd.Series, change: float) -> str:
    return tell("moved", name=row["name"], now=row["revenue"], change=change)


def _listed(key: str, lines: list[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines or [tell("none")])
    return f"{title(key)}<ul>{items}</ul>"


# ---- the end


def debrief(found: Debrief) -> str:
    """The debrief: ladder, kinds of decision, visits too many, accounts lost, and the truth."""
    way = "score_none" if not found.best > found.nothing else "score_below" if found.yours < found.nothing else "score"
    score = tell(way, yours=found.yours, nothing=found.nothing, best=found.best, score=found.score)
    return block(
        title("debrief_title"),
        f"<p><b>{escape(score)}</b></p>",
        f"<p><small>{escape(tell('ladder_figure'))}</small></p>",
        _ladder({name: getattr(found, name) for name in ("nothing", "yours", "best")}),
        paragraph("best_is", bound=found.bound, gap=found.gap),
        paragraph("all_alike", luck=found.order_luck),
        _kinds(found),
        _over(found.accounts),
        _under(found.accounts),
        _lost(found.accounts),
        _truth(found.accounts),
    )


def _ladder(values: dict[str, float], width: int = 760) -> str:
    top = max(*values.values(), 1.0)
    drawn = []
    for place, (name, value) in enumerate(values.items()):
        long, y = max(value, 0.0) / top * (width - 320), place * 30
        ink = INK if name == "yours" else PAST_INK
        drawn.append(_text(0, y + 19, tell(name), "start"))
        drawn.append(_bar(190, y + 5, long, 20, ink))
        drawn.append(_text(196 + long, y + 19, _sum(value), "start"))
    return f'<svg width="{width}" height="92" viewBox="0 0 {width} 92" role="img">{"".join(drawn)}</svg>'


def _kinds(found: Debrief) -> str:
    earned = found.kinds.set_index("kind")["profit"]
    rows = "".join(f'<tr><td>{escape(tell(f"kind_{k}"))}</td><td class="n">{_sum(earned[k])}</td></tr>' for k in KINDS)
    return f"{title('kinds_title')}{paragraph('kinds')}<table>{rows}</table>"


def _over(accounts: pd.DataFrame) -> str:
    beyond = accounts["visits"] > accounts["best_visits"]  # not where only some quarters had too many: see _under
    rows = accounts[beyond & (accounts["over_cost"] >= 1.0)].nlargest(TOLD, "over_cost").itertuples()
    told = [tell("over", name=r.name, visits=r.visits, best=r.best_visits, cost=r.over_cost) for r in rows]
    return _listed("over_title", told or [tell("over_none")])


def _under(accounts: pd.DataFrame) -> str:
    short = accounts.assign(gain=accounts["best"] - accounts["yours"])
    short = short[(short["best_visits"] > short["visits"]) & (short["gain"] >= 1.0)]
    rows = short.nlargest(TOLD, "gain").itertuples()
    told = [tell("under", name=r.name, visits=r.visits, best=r.best_visits, gain=r.gain) for r in rows]
    return _listed("under_title", told or [tell("under_none")])


def _lost(accounts: pd.DataFrame) -> str:
    lost = accounts[accounts["left_on"].notna()].sort_values("kept_margin", ascending=False)
    return _listed("lost_title", [_farewell(row) for row in lost.itertuples()] or [tell("lost_none")])


def _farewell(row) -> str:
    values = {"name": row.name, "month": row.left_on, "until": row.best_left_on, "margin": row.kept_margin}
    if not row.could_have_kept:
        return tell("gone", **values)
    return tell("kept" if pd.isna(row.best_left_on) else "kept_for", **values)


_TRUTH = ("name", "segment", "elasticity", "visits", "best_visits", "yours", "best", "left")


def _truth(accounts: pd.DataFrame) -> str:
    example = float(accounts["elasticity"].min())
    lifts = {"lift": 2**example - 1, "lift_four": 5**example - 1}
    heads = "".join(f'<th class="{_side(c)}">{escape(tell(f"column_{c}"))}</th>' for c in _TRUTH)
    body = "".join(_truth_row(row) for row in accounts.sort_values("best", ascending=False).itertuples())
    told = paragraph("truth", example=example, **lifts)
    return f"{title('truth_title')}{told}<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _truth_row(row) -> str:
    left = "–" if pd.isna(row.left_on) else f"{row.left_on:%Y-%m}"
    values = [row.name, row.segment, f"{row.elasticity:.2f}", row.visits, row.best_visits]
    values += [_sum(row.yours), _sum(row.best), left]
    cells = zip(_TRUTH, values, strict=True)
    return f"<tr>{''.join(f'<td class={_side(c)}>{escape(str(v))}</td>' for c, v in cells)}</tr>"


def _side(column: str) -> str:
    return {"name": "t", "segment": "t", "left": "d"}.get(column, "n")


def _sum(value: float) -> str:
    return f"{value:,.0f}".replace("-", "−")


def _bar(x: float, y: float, wide: float, tall: float, ink: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{ink}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    style = f'font-size="12" fill="currentColor" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'

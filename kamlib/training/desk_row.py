"""One account at the desk of the territory: a row of buttons and boxes, and the decision they stand for."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from kamlib.training.territory import HANDLINGS, Decision, Territory, pages
from kamlib.training.territory.pages import tell

FLAGS = ("executive", "promotion", "reserve")


class Row:
    """One account on the desk: what is seen of it, and its decisions."""

    def __init__(self, card, territory: Territory, changed: Callable[[], None]) -> None:
        self.account, self.changed, self.most = card.account_id, changed, territory.rules.most_visits
        self.count = w.BoundedIntText(0, min=0, max=self.most, layout=w.Layout(width="58px"))
        self.count.observe(lambda _: self.changed(), names="value")
        self.past, self.flags = w.HTML(), w.HTML()
        self.boxes = {name: _box(tell(name, price=card.reserve_price)) for name in FLAGS}
        self.handling = w.Dropdown(options=_handlings(territory), layout=w.Layout(width="100%"))
        for control in (*self.boxes.values(), self.handling):
            control.observe(lambda _: self.changed(), names="value")
        less, more = (self._step(sign, by) for sign, by in (("−", -1), ("+", 1)))
        visits = w.HBox([less, self.count, more])
        waits, also = w.VBox([self.flags, self.handling]), w.VBox(list(self.boxes.values()))
        self.cells = [w.HTML(pages.about(card)), self.past, waits, visits, also]

    def _step(self, sign: str, by: int) -> w.Button:
        made = w.Button(description=sign, layout=w.Layout(width="34px"), tooltip=f"{self.account} {sign}")
        made.on_click(lambda _: self._move(by))
        return made

    def _move(self, by: int) -> None:
        self.count.value = min(max(self.visits + by, 0), self.most)

    @property
    def visits(self) -> int:
        """Visits planned."""
        return self.count.value

    def _others(self) -> tuple:
        executive, promotion, reserve = (box.value for box in self.boxes.values())
        return executive, promotion, self.handling.value, reserve

    @property
    def decision(self) -> Decision:
        """What is planned for the account."""
        return Decision(self.visits, *self._others())

    def set(self, decision: Decision) -> None:
        """Plan this for the account; complaints are handled only where some are open."""
        self.count.value = decision.visits
        for name, box in self.boxes.items():
            box.value = getattr(decision, name)
        self.handling.value = HANDLINGS[0] if self.handling.disabled else decision.complaints

    def show(self, booked, waits) -> None:
        """What is seen on the first day of a quarter."""
        self.past.value = pages.past(booked)
        self.flags.value = pages.flags(waits, booked.iloc[-1])
        self.handling.disabled = bool(waits.open_complaints == 0)
        self.handling.layout.display = "none" if self.handling.disabled else ""


def _box(label: str) -> w.Checkbox:
    return w.Checkbox(False, description=label, indent=False, layout=w.Layout(width="auto", height="24px"))


def _handlings(territory: Territory) -> list[tuple[str, str]]:
    """How complaints may be handled, with what each takes."""
    rules = territory.rules
    terms = zip(HANDLINGS, rules.handling_costs, rules.handling_hours, strict=True)
    return [(tell(f"handling_{name}", cost=cost, hours=hours), name) for name, cost, hours in terms]

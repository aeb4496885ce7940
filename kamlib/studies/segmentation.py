"""Who is a key account, why, and what should change this period."""

from __future__ import annotations

from kamlib.studies.classes import abc
from kamlib.studies.concentration import concentration
from kamlib.studies.rulebook import managerial
from kamlib.studies.vip import vip

__all__ = ["abc", "concentration", "managerial", "vip"]

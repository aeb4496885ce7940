"""The market of the sample company: industries, their seasons and what they buy; regions and their cities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kamlib.book.company.calendar import Calendar

CATEGORIES = (
    "Cookware",
    "Knives and prep tools",
    "Tableware",
    "Glassware and bar",
    "Disposables and packaging",
    "Cleaning and hygiene",
    "Dry goods and sauces",
    "Chilled and frozen",
    "Tea, coffee and drinks",
    "Kitchen equipment",
    "Uniforms and linen",
    "Festive gift boxes",
)


@dataclass(frozen=True)
class Industry:
    """An industry: share of accounts, tilt towards large ones, its year, and its buying.

    ``year`` is the log of demand in each calendar month, ``new_year`` and ``mid_autumn`` the height of the
    rise before the festival (log points), ``buys`` the weight of each product category.
    """

    name: str
    share: float
    tilt: float
    year: tuple[float, ...]
    new_year: float
    mid_autumn: float
    centres: tuple[str, ...]
    buys: tuple[float, ...]


INDUSTRIES = (
    Industry(
        "Hotels",
        0.12,
        0.55,
        (0.0, 0.0, -0.05, 0.0, 0.0, 0.05, 0.18, 0.18, -0.08, 0.02, 0.02, 0.14),
        0.30,
        0.05,
        ("Central purchasing", "Banquet kitchen", "Restaurant kitchen", "Housekeeping"),
        (6, 3, 9, 7, 6, 12, 9, 12, 8, 7, 14, 2),
    ),
    Industry(
        "Restaurants",
        0.24,
        0.05,
        (0.05, 0.0, -0.05, -0.05, 0.10, -0.02, 0.0, 0.02, -0.05, 0.0, 0.05, 0.18),
        0.45,
        0.10,
        ("Head office purchasing", "Central kitchen", "Branch kitchens"),
        (9, 6, 8, 6, 13, 8, 17, 19, 6, 5, 3, 1),
    ),
    Industry(
        "Hospitals",
        0.07,
        0.55,
        (0.0,) * 12,
        0.06,
        0.0,
        ("Nutrition department", "Supplies section", "Staff canteen"),
        (3, 2, 4, 1, 20, 26, 16, 14, 4, 4, 8, 0.5),
    ),
    Industry(
        "Schools",
        0.09,
        0.0,
        (0.0, 0.0, 0.10, 0.08, 0.05, 0.0, 0.0, 0.0, 0.22, 0.08, 0.05, -0.02),
        0.0,
        0.0,
        ("General affairs office", "School kitchen"),
        (5, 3, 8, 0.5, 14, 16, 24, 22, 2, 5, 3, 0.5),
    ),
    Industry(
        "Company canteens",
        0.09,
        0.20,
        (0.0, -0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.04, 0.04),
        0.10,
        0.05,
        ("General affairs", "Canteen contractor"),
        (5, 3, 6, 1, 16, 14, 20, 20, 10, 4, 3, 3),
    ),
    Industry(
        "Retail and gifts",
        0.12,
        -0.05,
        (0.05, 0.0, -0.10, -0.08, 0.02, -0.05, 0.0, 0.02, 0.05, 0.05, 0.15, 0.25),
        0.75,
        0.45,
        ("Buying office", "Store"),
        (8, 6, 16, 14, 3, 5, 12, 3, 14, 4, 3, 14),
    ),
    Industry(
        "Bakeries and cafés",
        0.13,
        -0.25,
        (0.0, 0.0, -0.02, 0.0, 0.08, 0.0, 0.0, 0.05, 0.05, 0.0, 0.02, 0.12),
        0.25,
        0.60,
        ("Owner", "Bakehouse"),
        (5, 4, 5, 7, 20, 6, 20, 9, 20, 6, 2, 3),
    ),
    Industry(
        "Caterers and banquets",
        0.08,
        0.05,
        (0.05, -0.05, 0.12, 0.08, 0.05, -0.05, -0.10, -0.30, -0.05, 0.15, 0.22, 0.18),
        0.35,
        0.05,
        ("Procurement", "Event kitchen"),
        (8, 4, 12, 10, 18, 7, 12, 16, 5, 5, 8, 1),
    ),
    Industry(
        "Care homes",
        0.06,
        -0.20,
        (0.0,) * 12,
        0.08,
        0.02,
        ("Administration", "Kitchen"),
        (4, 2, 6, 0.5, 16, 28, 18, 16, 3, 3, 8, 0.5),
    ),
)

SEASONAL_BUYERS = (
    # kind, industry, share of that industry, calendar months in which they buy
    ("school terms", "Schools", 1.00, (1, 3, 4, 5, 6, 9, 10, 11, 12)),
    ("hot-spring season", "Hotels", 0.14, (10, 11, 12, 1, 2, 3)),
    ("beach season", "Hotels", 0.10, (4, 5, 6, 7, 8, 9)),
    ("mooncake season", "Bakeries and cafés", 0.14, (6, 7, 8, 9)),
    ("new-year gifts", "Retail and gifts", 0.10, (11, 12, 1, 2)),
)

REGIONS = (
    ("North", 0.36, (("Taipei", "台北"), ("New Taipei", "新北"), ("Keelung", "基隆"), ("Yilan", "宜蘭"))),
    ("Northwest", 0.18, (("Taoyuan", "桃園"), ("Hsinchu", "新竹"), ("Miaoli", "苗栗"))),
    ("Central", 0.20, (("Taichung", "台中"), ("Changhua", "彰化"), ("Nantou", "南投"))),
    ("South", 0.20, (("Tainan", "台南"), ("Kaohsiung", "高雄"), ("Chiayi", "嘉義"), ("Pingtung", "屏東"))),
    ("East", 0.06, (("Hualien", "花蓮"), ("Taitung", "台東"))),
)
REGION_NAMES = tuple(name for name, _, _ in REGIONS)

BUILD_UP_CENTRE_DAYS, BUILD_UP_SPREAD_DAYS = -17, 8.0
SLUMP_CENTRE_DAYS, SLUMP_SPREAD_DAYS, SLUMP_SHARE = 15, 7.0, 0.5


def industry_index(name: str) -> int:
    """Position of an industry in ``INDUSTRIES``."""
    return [industry.name for industry in INDUSTRIES].index(name)


def buying_mask(calendar: Calendar) -> np.ndarray:
    """(kinds + 1, months) factors on the order rate; row 0 buys all year.

    A seasonal buyer orders nothing outside its months and proportionally more in them, so that a year of it is
    worth as much as a year of the others.
    """
    mask = np.ones((len(SEASONAL_BUYERS) + 1, calendar.months))
    for row, (_, _, _, buys_in) in enumerate(SEASONAL_BUYERS, start=1):
        mask[row] = np.isin(calendar.month_of_year, buys_in) * 12 / len(buys_in)
    return mask


def daily_season(calendar: Calendar) -> np.ndarray:
    """(industries, days) demand of each day against an ordinary working day; zero on days off.

    Before Lunar New Year demand builds up around the 17th day before it, and slumps around the 15th after it;
    before Mid-Autumn it builds up the same way. Both move through the calendar.
    """
    of_year = calendar.month_of_year[calendar.month] - 1
    ahead = _bump(calendar.since_new_year, BUILD_UP_CENTRE_DAYS, BUILD_UP_SPREAD_DAYS)
    after = _bump(calendar.since_new_year, SLUMP_CENTRE_DAYS, SLUMP_SPREAD_DAYS) * SLUMP_SHARE
    autumn = _bump(calendar.since_mid_autumn, BUILD_UP_CENTRE_DAYS, BUILD_UP_SPREAD_DAYS)
    logs = [np.array(i.year)[of_year] + i.new_year * (ahead - after) + i.mid_autumn * autumn for i in INDUSTRIES]
    return np.exp(np.array(logs)) * calendar.weight


def _bump(since: np.ndarray, centre: float, spread: float) -> np.ndarray:
    return np.exp(-0.5 * ((since - centre) / spread) ** 2)


def monthly_season(calendar: Calendar, daily: np.ndarray) -> np.ndarray:
    """(industries, months) demand of each month against a month of average length without a season."""
    totals = np.add.reduceat(daily, calendar.month_start[:-1], axis=1)
    usual = calendar.weight.sum() / calendar.months
    return totals / usual

"""What a book declares: defaults with their reasons, and wrong declarations refused by name."""

import pytest

from kamlib.book.settings import THRESHOLDS, Settings
from kamlib.errors import RequestError


def declared(**thresholds):
    return Settings.from_mapping({"thresholds": thresholds})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vip_single_purchase", 10_000),
        ("vip_month_purchase", 20_000),
        ("contract_floor_years", 1),
        ("contract_full_years", 2),
        ("prospect_contact_days", 7),
        ("log_check_days", 14),
        ("executive_time_share", 1 / 3),
        ("symposia_a_year", 1),
        ("abc_cuts", (0.80, 0.95)),
    ],
)
def test_the_defaults_are_those_of_the_domain_text(name, value):
    assert Settings().value(name) == value


def test_every_default_has_a_unit_a_reason_and_a_practice():
    for name, threshold in THRESHOLDS.items():
        assert threshold.unit and threshold.reason and threshold.practice.startswith("K"), name


def test_a_declared_value_keeps_the_unit_and_practice_of_the_default():
    threshold = declared(vip_single_purchase=30_000).threshold("vip_single_purchase")
    assert (threshold.value, threshold.unit, threshold.practice) == (30_000, "money", "K034")
    assert threshold.reason == "declared in book.yml"


def test_a_declared_reason_is_kept():
    entry = {"value": [0.7, 0.9], "reason": "board, May 2026"}
    assert declared(abc_cuts=entry).threshold("abc_cuts").reason == "board, May 2026"
    assert declared(abc_cuts=entry).value("abc_cuts") == (0.7, 0.9)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"vip_single": 1}, "book.yml: no threshold 'vip_single'; did you mean 'vip_single_purchase'?"),
        ({"visit_cost": {"reason": "x"}}, "book.yml: the threshold 'visit_cost' has no value"),
        ({"visit_cost": "ten"}, "book.yml: the threshold 'visit_cost' must be one number, not 'ten'"),
        ({"visit_cost": True}, "book.yml: the threshold 'visit_cost' must be one number, not True"),
        ({"abc_cuts": 0.8}, "book.yml: the threshold 'abc_cuts' must be a list of numbers, not 0.8"),
        ({"visit_cost": float("nan")}, "book.yml: the threshold 'visit_cost' must be one number, not nan"),
        ({"abc_cuts": [0.8]}, "book.yml: the threshold 'abc_cuts' has 2 numbers that rise, not [0.8]"),
        ({"abc_cuts": [0.95, 0.8]}, "book.yml: the threshold 'abc_cuts' has 2 numbers that rise, not [0.95, 0.8]"),
        ([1, 2], "book.yml: thresholds must be names with values, not a list"),
    ],
)
def test_a_wrong_threshold_is_refused(thresholds, message):
    with pytest.raises(RequestError) as error:
        Settings.from_mapping({"thresholds": thresholds})
    assert str(error.value) == message


def test_a_threshold_that_does_not_exist_is_refused_with_a_suggestion():
    with pytest.raises(RequestError, match="no threshold 'abc_cut'; did you mean 'abc_cuts'"):
        Settings().value("abc_cut")


def test_names_that_are_not_known_are_kept_for_the_check():
    assert Settings.from_mapping({"currency": "TWD", "curency": "EUR"}).unknown == ("curency",)


def test_one_country_need_not_be_a_list():
    assert Settings.from_mapping({"countries": "TW"}).countries == ("TW",)


def test_a_country_that_yaml_took_for_false_is_refused():
    with pytest.raises(RequestError, match="countries holds False; write codes in quotes, such as 'TW' or 'NO'"):
        Settings.from_mapping({"countries": ["SE", False]})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("currency", 5, "book.yml: currency must be text, not 5; write it in quotes"),
        ("timezone", 8, "book.yml: timezone must be text, not 8; write it in quotes"),
        ("fiscal_year_start", "April", "book.yml: fiscal_year_start is the number of a month, 1 to 12, not 'April'"),
        ("fiscal_year_start", 13, "book.yml: fiscal_year_start is the number of a month, 1 to 12, not 13"),
        ("segments", "large", "book.yml: segments must be a list of rules, not 'large'"),
    ],
)
def test_a_setting_of_another_kind_is_refused(name, value, message):
    with pytest.raises(RequestError) as error:
        Settings.from_mapping({name: value})
    assert str(error.value) == message


def test_an_empty_setting_is_as_good_as_none():
    empty = dict.fromkeys(("name", "currency", "timezone", "fiscal_year_start", "countries", "thresholds", "segments"))
    assert Settings.from_mapping(empty) == Settings()


def test_settings_cannot_be_changed():
    with pytest.raises(AttributeError):
        Settings().currency = "TWD"
    with pytest.raises(TypeError):
        Settings().thresholds["abc_cuts"] = None

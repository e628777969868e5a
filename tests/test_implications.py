"""Rules between columns that no row violates: which are found, and which rows follow them."""

import json
from dataclasses import replace

import numpy as np
import pandas
import polars
import pytest
from conftest import small

from isthmus import load, save, zoo
from isthmus.data import as_source
from isthmus.data.tables.rules import find_rules
from isthmus.schema import Schema, implications
from isthmus.schema.implications import MIN_EXPECTED, Implication, apply_rules, drop_violated, intersect_rules, violates

CITIES = {"Paris": "FR", "Lyon": "FR", "Rome": "IT", "Milan": "IT", "Oslo": "NO", "Hamar": "NO"}


def calls(n=2000, seed=0):
    """Calls of a bank: 999 days since the last call, and no previous call, exactly for rows without an outcome."""
    rng = np.random.default_rng(seed)
    outcome = rng.choice(["failure", "success", "nonexistent"], n, p=[0.15, 0.05, 0.8])
    never = outcome == "nonexistent"
    city = rng.choice(list(CITIES), n, p=[0.3, 0.2, 0.3, 0.1, 0.095, 0.005])
    return pandas.DataFrame(
        {
            "age": rng.normal(40, 10, n).round(),
            "pdays": np.where(never, 999, rng.integers(0, 28, n)),
            "poutcome": outcome,
            "previous": np.where(never, 0, 1 + rng.poisson(0.4, n)),
            "city": city,
            "country": [CITIES[name] for name in city],
            "noise": rng.choice(list("abcdefgh"), n),
        }
    )


def rules_of(frame):
    """Return rules as pairs of values, by the names of both columns."""
    source = as_source(frame, None)
    fields = source.schema.used

    def value(column, number):
        return fields[column].categories[int(number)] if fields[column].is_categorical else number

    return {
        (fields[rule.column].name, fields[rule.target].name): {
            value(rule.column, a): value(rule.target, b) for a, b in zip(rule.values, rule.implied, strict=True)
        }
        for rule in find_rules(source, ())
    }


def contradictions(frame):
    never = frame["poutcome"] == "nonexistent"
    wrong = ((frame["pdays"] == 999) != never) | ((frame["previous"] == 0) != never)
    return int((wrong | (frame["city"].map(CITIES) != frame["country"])).sum())


# Which are found


def test_rules_are_found_in_both_directions_and_with_rare_values():
    found = rules_of(calls())
    assert found["pdays", "poutcome"] == {999.0: "nonexistent"}
    assert found["poutcome", "pdays"] == {"nonexistent": 999.0}
    assert found["previous", "pdays"] == {0.0: 999.0}
    assert found["city", "country"] == CITIES
    assert {name for pair in found for name in pair} == {"pdays", "poutcome", "previous", "city", "country"}


def test_one_contradicting_row_removes_a_rule():
    frame = calls()
    frame.loc[7, ["pdays", "poutcome"]] = [999, "failure"]
    found = rules_of(frame)
    assert ("pdays", "poutcome") not in found
    assert found["poutcome", "pdays"] == {"nonexistent": 999.0}


@pytest.mark.parametrize("seed", range(5))
def test_independent_columns_have_no_rules(seed):
    """Values with few rows, or columns that hardly vary, would rarely violate a rule by chance."""
    rng = np.random.default_rng(seed)
    columns = {f"c{i}": rng.choice(10, 800, p=rng.dirichlet(np.ones(10) / 2)) for i in range(12)}
    columns |= {f"rare{i}": rng.random(800) < 0.004 for i in range(8)}
    assert rules_of(pandas.DataFrame(columns)) == {}


@pytest.mark.parametrize(("n_rows", "is_found"), [(MIN_EXPECTED - 5, False), (MIN_EXPECTED + 25, True)])
def test_a_rule_needs_rows_that_could_contradict_it(n_rows, is_found):
    rng = np.random.default_rng(0)
    b = rng.integers(0, 3, 1000)
    frame = pandas.DataFrame({"a": rng.choice(list("xyz"), 1000), "b": b})
    frame.loc[np.flatnonzero(b == 1)[: int(n_rows * 1.5)], "a"] = "special"
    frame.loc[frame.index[-300:], "b"] = rng.integers(0, 3, 300)
    assert (("a", "b") in rules_of(frame)) == is_found


def test_missing_values_do_not_contradict_a_rule():
    frame = calls().astype({"pdays": float})
    rng = np.random.default_rng(1)
    holed = frame.mask(rng.random(frame.shape) < 0.1)
    assert rules_of(holed)["pdays", "poutcome"] == {999.0: "nonexistent"}


def test_rules_are_checked_in_later_rows_too():
    rule = Implication(0, 1, (1.0, 2.0), (5.0, 6.0))
    rows = np.array([[1.0, 5.0], [2.0, 7.0], [3.0, 9.0], [np.nan, 0.0]])
    assert violates(rows, [rule]).tolist() == [False, True, False, False]
    assert drop_violated((rule,), [rows]) == (Implication(0, 1, (1.0,), (5.0,)),)
    assert drop_violated((rule,), [rows, np.array([[1.0, 6.0]])]) == ()
    assert intersect_rules((rule,), (Implication(0, 1, (1.0, 2.0), (5.0, 8.0)),)) == (
        Implication(0, 1, (1.0,), (5.0,)),
    )
    assert intersect_rules((rule,), ()) == ()


def test_values_that_are_not_given_follow_from_the_rules():
    rules = [Implication(0, 1, (1.0,), (5.0,)), Implication(1, 2, (5.0,), (8.0,))]
    x = np.array([[1.0, 0.0, np.nan], [1.0, 0.0, 3.0], [2.0, 0.0, 3.0]])
    free = np.array([[False, True, True], [False, False, True], [True, True, True]])
    expected = np.array([[1.0, 5.0, 8.0], [1.0, 0.0, 3.0], [2.0, 0.0, 3.0]])
    np.testing.assert_array_equal(apply_rules(x, rules, free), expected)


# Rows that follow them


@pytest.fixture(scope="module")
def generator():
    return small("tabular_vae", 4, n_candidates=1, max_epochs=15).fit(calls())


def test_new_rows_follow_the_rules(generator, tmp_path):
    new = generator.sample(1500, random_state=0)
    assert contradictions(new) == 0
    assert set(new["poutcome"]) == {"failure", "success", "nonexistent"}
    assert contradictions(generator.sample(50, sample_values=False, random_state=0)) == 0
    assert contradictions(generator.sample(200, given={"poutcome": "success"}, random_state=0)) == 0
    save(generator, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.schema_.implications == generator.schema_.implications
    pandas.testing.assert_frame_equal(again.sample(1500, random_state=0), new)


def test_rules_do_not_change_the_distribution_of_the_implying_column(generator):
    """Rows that violate rules mostly have no outcome; if they were removed, too few would remain."""
    new = generator.sample(2000, random_state=0)
    module = generator.module_.cpu()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "schema", replace(module.schema, implications=()))
        free = generator.sample(2000, random_state=0)
    assert contradictions(free) > 200
    for name in ("poutcome", "city"):
        shares, expected = (frame[name].value_counts(normalize=True) for frame in (new, free))
        assert abs(shares - expected).max() < 0.02


def test_given_values_that_break_a_rule_are_kept_with_a_warning(generator):
    with pytest.warns(UserWarning, match="given values break rules that hold in all training rows") as caught:
        new = generator.sample(5, given={"poutcome": "success", "pdays": 999}, random_state=0)
    assert caught[0].filename == __file__
    assert set(new["pdays"]) == {999}
    assert set(new["poutcome"]) == {"success"}


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.from_pandas])
def test_imputed_values_follow_the_rules(make):
    frame, new = calls(), calls(500, 1)
    model = small("imputer", 4, max_epochs=3).fit(make(frame))
    rng = np.random.default_rng(0)
    holes = new.astype({"pdays": float, "previous": float}).mask(rng.random(new.shape) < 0.5)
    holes = holes.astype(dict.fromkeys(("poutcome", "city", "country", "noise"), object))
    holes = make(holes.where(holes.notna(), None))
    for filled in [model.impute(holes), *model.impute(holes, n_draws=2, random_state=0)]:
        filled = filled if isinstance(filled, pandas.DataFrame) else filled.to_pandas()
        assert filled.notna().all(axis=None)
        assert contradictions(filled) == 0


def test_rows_that_contradict_a_rule_are_imputed_too():
    model = small("imputer", 4, max_epochs=1).fit(calls())
    odd = calls(20, 1).assign(poutcome="success", pdays=999.0, age=np.nan)
    filled = model.impute(odd, n_draws=1, random_state=0)[0]
    assert filled["age"].notna().all()
    assert (filled["pdays"] == 999).all()


def test_a_table_of_two_columns_that_imply_each_other_is_saved(tmp_path):
    model = zoo.vae(1, max_epochs=1, random_state=0).fit(calls(500)[["city", "country"]])
    save(model, tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").schema_.implications == model.schema_.implications != ()


def test_rules_are_saved_in_the_schema():
    model = zoo.vae(2, max_epochs=1, random_state=0).fit(calls(500))
    assert Schema.from_json(json.loads(json.dumps(model.schema_.to_json()))) == model.schema_


@pytest.mark.parametrize(
    "change", [{"column": 99}, {"target": -1}, {"values": [1.0, 2.0], "implied": [1.0]}, {"values": [], "implied": []}]
)
def test_damaged_rules_in_a_file_are_refused(change):
    document = json.loads(json.dumps(as_source(calls(200), None).schema.to_json()))
    rule = {"column": 1, "target": 2, "values": [1.0], "implied": [1.0], **change}
    with pytest.raises(ValueError, match="implications"):
        Schema.from_json({**document, "implications": [rule]}).check()


def test_columns_without_shared_values_are_not_counted(monkeypatch):
    """A wide table of continuous columns has no values to count; rules between the others keep their positions."""
    counted = []
    counts = implications._Values.counts
    monkeypatch.setattr(implications._Values, "counts", lambda self, x: counted.append(self.total) or counts(self, x))
    rng = np.random.default_rng(0)
    flags = np.repeat(rng.integers(0, 2, (500, 1)), 2, axis=1).astype(float)
    rows = np.hstack([rng.normal(size=(500, 3000)), flags[:, :1], rng.normal(size=(500, 3000)), flags[:, 1:]])
    values = [np.array([0.0, 1.0]) if column in (3000, 6001) else np.empty(0) for column in range(6002)]
    rules = implications.find_implications([rows], values)
    assert {(rule.column, rule.target): rule.implied for rule in rules} == {
        (3000, 6001): (0.0, 1.0),
        (6001, 3000): (0.0, 1.0),
    }
    assert counted == [6]
    assert implications.find_implications([rows[:, :3000]], [np.empty(0)] * 3000) == ()
    assert counted == [6]

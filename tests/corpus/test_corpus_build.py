"""Splits that share no problem, and the files of a whole corpus."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from tools.corpus import build
from tools.corpus.build import Plan, build_corpus
from tools.corpus.grammar import Rounding, group_text, parse
from tools.corpus.kinds import CHINESE, ENGLISH, UNIQUE
from tools.corpus.render import render
from tools.corpus.rows import read_rows
from tools.corpus.sample import CAPACITY, draw
from tools.corpus.split import SPLITS, quotas, rank, split
from tools.corpus.train_json import convert_rows
from tools.corpus.worked.styles import Style
from tools.files.errors import UserError


def raw(problem):
    return dict(zip(("problem", "solution"), render(problem)))


def write(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def groups(path: Path):
    return [
        row.problem if row.kind == ENGLISH else group_text(parse(row.problem))
        for row in read_rows(path)
    ]


@pytest.fixture
def source(tmp_path) -> Path:
    """A train.json of every kind, with duplicates, other wordings, turned operands, misfits."""
    problems = draw({**dict.fromkeys(CHINESE, 30), "mass": 100, "fraction": 45}, seed=9)
    rows = [raw(problem) for problem in problems]
    turned = [
        p._replace(numbers=p.numbers[::-1])
        for p in problems
        if p.kind in ("add", "area") and p.numbers[0] != p.numbers[1]
    ]
    rows += [raw(problem) for problem in turned]
    rows += [{**row, "problem": f" {row['problem']} "} for row in rows[:20]]
    rows += [{"problem": f"What is {n}?", "solution": rf"\boxed{{{n}}}"} for n in range(10)]
    rows += [{"problem": "小明？", "solution": "1"}, {"problem": "Why?", "solution": "so"}]
    random.Random(1).shuffle(rows)
    return write(tmp_path / "train.json", rows)


def test_a_generated_corpus_is_whole_and_held_apart(tmp_path):
    summary = build_corpus(tmp_path, None, Plan(2000, 100, 200, seed=4))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("corpus.json", "test.jsonl", "train.jsonl", "valid.jsonl")
    ]
    assert summary == json.loads((tmp_path / "corpus.json").read_text(encoding="utf-8"))
    assert summary["splits"] == {"train": 2000, "valid": 100, "test": 200}
    found = {name: groups(tmp_path / f"{name}.jsonl") for name in SPLITS}
    assert {name: len(keys) for name, keys in found.items()} == summary["splits"]
    assert len(set().union(*found.values())) == 2300
    rows = [row for name in SPLITS for row in read_rows(tmp_path / f"{name}.jsonl")]
    assert len({row.id for row in rows}) == 2300
    for name in SPLITS:
        counts = {kind: summary["kinds"][kind][name] for kind in CHINESE}
        assert min(counts.values()) >= 1
        share = counts["add"] / sum(counts.values())
        assert share == pytest.approx(UNIQUE["add"] / sum(UNIQUE.values()), abs=0.01)


def test_the_seed_decides_alone(tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        build_corpus(tmp_path / folder, None, Plan(100, 20, 20, seed))
    for name in ("train.jsonl", "valid.jsonl", "test.jsonl", "corpus.json"):
        texts = [(tmp_path / folder / name).read_bytes() for folder in "abc"]
        assert texts[0] == texts[1] != texts[2]


def test_a_source_is_deduplicated_then_divided(tmp_path, source):
    out = tmp_path / "out"
    summary = build_corpus(out, source, Plan(None, 40, 60))
    kept = summary["unique"]
    assert 12 * 30 + 145 + 55 < kept <= 12 * 30 + 145 + 60 + 10
    assert summary["rows"] == kept + 20
    assert summary["duplicates"] == sum(k["duplicates"] for k in summary["kinds"].values()) == 20
    # Every sum and area comes with its turned twin here, so an odd quota stays one short; what
    # the others leave is in train, to the last row.
    splits = summary["splits"]
    assert sum(splits.values()) == kept
    assert 38 <= splits["valid"] <= 40 and 58 <= splits["test"] <= 60
    found = {name: set(groups(out / f"{name}.jsonl")) for name in SPLITS}
    assert not found["train"] & found["test"]
    assert not found["train"] & found["valid"]
    assert not found["valid"] & found["test"]
    assert all(k[name] for k in summary["kinds"].values() for name in SPLITS)
    assert summary["misfits"]["count"] == 2
    apart = [json.loads(line) for line in (out / "misfits.jsonl").read_text().splitlines()]
    assert {row["reason"] for row in apart} == set(summary["misfits"]["reasons"])
    assert all(row["where"].startswith(f"{source}:") for row in apart)
    build_corpus(out, None, Plan(20, 2, 2))
    assert not (out / "misfits.jsonl").exists()


def test_the_order_of_the_source_does_not_decide_who_is_held_out(tmp_path, source):
    rows = source.read_text(encoding="utf-8").splitlines()
    turned = tmp_path / "turned.json"
    turned.write_text("\n".join(rows[::-1]), encoding="utf-8")
    for name, path in (("a", source), ("b", turned)):
        build_corpus(tmp_path / name, path, Plan(None, 40, 60))
    for name in SPLITS:
        a, b = (set(groups(tmp_path / folder / f"{name}.jsonl")) for folder in "ab")
        assert a == b


def test_a_failure_leaves_the_old_corpus_untouched(tmp_path, source, monkeypatch):
    out = tmp_path / "out"
    build_corpus(out, source, Plan(None, 40, 60))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    bad = write(tmp_path / "bad.json", [{"problem": "x"}])

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="missing"):
        build_corpus(out, bad, Plan())
    with pytest.raises(UserError, match="are asked for"):
        build_corpus(out, source, Plan(valid=10_000))
    with monkeypatch.context() as patch:
        patch.setattr(build, "split", full)
        with pytest.raises(OSError):
            build_corpus(out, source, Plan(None, 1, 1))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("options", [{"train": None}, {"train": -1}, {"train": 10, "test": -5}])
def test_sizes_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(UserError):
        build_corpus(tmp_path, None, Plan(**options))
    assert not list(tmp_path.iterdir())


def test_weights_choose_the_kinds(tmp_path, source):
    weights = {"add": 1, "root": 3}
    summary = build_corpus(tmp_path / "g", None, Plan(40, 4, 4, weights=weights))
    train = {k: c["train"] for k, c in summary["kinds"].items() if c["train"]}
    assert train == {"add": 10, "root": 30}
    summary = build_corpus(tmp_path / "s", source, Plan(8, 4, 4, weights=weights))
    assert summary["kinds"]["mean"]["train"] == 0
    assert summary["kinds"]["root"]["train"] == 6


def test_conversion_keeps_every_row_in_order(tmp_path, source):
    output = tmp_path / "rows.jsonl"
    summary = convert_rows(source, output)
    rows = list(read_rows(output))
    assert summary["rows"] == len(rows) == summary["unique"] + 20
    stated = [json.loads(line)["problem"] for line in source.read_text().splitlines()]
    assert [row.problem for row in rows] == [t for t in stated if t not in ("小明？", "Why?")]
    assert len(output.with_suffix(".misfits.jsonl").read_text().splitlines()) == 2
    # What was converted converts to itself, and the stale list of misfits goes.
    again = tmp_path / "again.jsonl"
    convert_rows(output, again)
    assert again.read_bytes() == output.read_bytes()
    assert not again.with_suffix(".misfits.jsonl").exists()


def test_conversion_refuses_what_it_must(tmp_path, source):
    with pytest.raises(UserError, match="would replace what it is made of"):
        convert_rows(source, source)
    misfit = write(tmp_path / "no.json", [{"problem": "Hm", "solution": "-"}])
    with pytest.raises(UserError, match="no row is a problem"):
        convert_rows(misfit, tmp_path / "r")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["no.json", "train.json"]


def test_quotas_serve_train_first_where_a_kind_is_small():
    sizes = {"train": 46, "valid": 5, "test": 5}
    counts = quotas({"add": 50, "mass": 1, "fraction": 2, "area": 3}, sizes)
    assert counts["train"]["mass"] == 1
    assert (counts["test"]["fraction"], counts["train"]["fraction"]) == (1, 1)
    assert [counts[name]["area"] for name in SPLITS] == [1, 1, 1]
    assert quotas(CAPACITY, {**sizes, "train": 100}, UNIQUE)["train"]["fraction"] == 1


def test_groups_are_never_divided():
    items = [("mass", rank(f"g{n // 2}", 1)) for n in range(20)]
    counts = {"train": {"mass": 13}, "valid": {"mass": 3}, "test": {"mass": 4}}
    chosen = split(items, counts)
    assert [len(chosen[name]) for name in ("test", "valid", "train")] == [4, 2, 12]
    homes = {}
    for name, indices in chosen.items():
        for index in indices:
            assert homes.setdefault(items[index][1], name) == name
    assert rank("g", 1) != rank("g", 2)


def test_what_is_held_out_does_not_depend_on_what_is_trained_on(tmp_path):
    plans = {
        "plain": Plan(300, 30, 60),
        "more": Plan(900, 30, 60),
        "other": Plan(300, 30, 60, weights={"add": 1, "mass": 9}, repeat=9),
    }
    for name, plan in plans.items():
        build_corpus(tmp_path / name, None, plan)
    held_out = [
        {row.problem for row in read_rows(tmp_path / name / f"{split}.jsonl")}
        for name in plans
        for split in ("valid", "test")
    ]
    assert held_out[0] == held_out[2] == held_out[4]
    assert held_out[1] == held_out[3] == held_out[5]


def exponents_of(path: Path) -> Counter:
    rows = (row for row in read_rows(path) if row.kind == "power")
    return Counter(int(parse(row.problem).numbers[1]) for row in rows)


@pytest.mark.parametrize("weights", [None, {"power": 1, "add": 1}])
def test_exponents_narrow_what_is_trained_and_not_what_is_asked(tmp_path, source, weights):
    every = Plan(60, 40, 60, weights=weights)
    narrowed = every._replace(exponents=[0, 1, 2])
    for name, read, plan in (
        *(("g", None, every), ("g-narrowed", None, narrowed)),
        *(("s", source, every), ("s-narrowed", source, narrowed)),
    ):
        summary = build_corpus(tmp_path / name, read, plan)
        # Of the source, groups of two rows may leave a place empty.
        assert 59 <= summary["splits"]["train"] <= 60
    assert summary["exponents"] == [0, 1, 2]
    for name in ("g", "s"):
        for part in ("valid", "test"):
            whole, same = (
                tmp_path / f"{folder}/{part}.jsonl" for folder in (name, f"{name}-narrowed")
            )
            assert whole.read_text() == same.read_text()
        assert set(exponents_of(tmp_path / f"{name}/test.jsonl")) - {0, 1, 2}
        assert set(exponents_of(tmp_path / f"{name}/train.jsonl")) - {0, 1, 2}
        trained = exponents_of(tmp_path / f"{name}-narrowed/train.jsonl")
        assert trained and set(trained) <= {0, 1, 2}


def test_all_that_the_source_leaves_is_narrowed_too(tmp_path, source):
    build_corpus(tmp_path, source, Plan(None, 14, 14, repeat=3, exponents=[2]))
    assert set(exponents_of(tmp_path / "train.jsonl")) == {2}


def test_a_rare_kind_is_repeated_up_to_its_share(tmp_path, source):
    plan = Plan(200, 10, 20, weights={"add": 1, "fraction": 1}, repeat=3)
    summary = build_corpus(tmp_path / "g", None, plan)
    kinds = summary["kinds"]
    assert (kinds["add"]["train"], kinds["fraction"]["train"]) == (100, 100)
    rows = list(read_rows(tmp_path / "g" / "train.jsonl"))
    assert len({row.id for row in rows}) == 200
    fractions = Counter(row.problem for row in rows if row.kind == "fraction")
    # 45 fractions, one of them in test; 100 rows of the other 44 are two or three of each.
    assert sum(fractions.values()) == 100 and set(fractions.values()) == {2, 3}
    assert summary["repeated"] == 56
    held_out = {row.problem for row in read_rows(tmp_path / "g" / "test.jsonl")}
    assert not held_out & set(fractions)
    copies = [row.id for row in rows if "#" in row.id]
    assert len(copies) == 56 and {id.partition("#")[2] for id in copies} == {"2", "3"}
    # Copies lie mixed among the others.
    assert copies != [row.id for row in rows][-56:]
    again = build_corpus(tmp_path / "s", source, Plan(60, 2, 2, weights={"mass": 1}, repeat=1))
    assert (again["splits"]["train"], again["repeated"]) == (60, 0)


def test_the_split_files_carry_the_chosen_styles(tmp_path, source):
    styles = {"add": Style("schoolbook", Rounding(2)), ENGLISH: Style("answer")}
    summary = build_corpus(tmp_path / "s", source, Plan(None, 30, 30, styles=styles))
    for name in SPLITS:
        for row in read_rows(tmp_path / "s" / f"{name}.jsonl"):
            worked = row.kind in styles
            assert row.solution.split("\n")[-1].startswith("#### ") == worked
    assert summary["kinds"]["add"]["style"] == "schoolbook"
    assert summary["kinds"]["mean"]["style"] == "source"
    convert_rows(source, tmp_path / "all.jsonl", styles=styles)
    worked = [row for row in read_rows(tmp_path / "all.jsonl") if row.kind == "add"]
    assert worked and all("\n#### " in row.solution for row in worked)

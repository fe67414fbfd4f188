"""What is taken over from a package to train again, what never is, and the comparison."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import yaml
from grading_run import COUNTS, edit, failed, math_answers
from packaging_run import write

from tools.files.errors import CheckFailed, UserError
from tools.packaging import layout
from tools.packaging.grading import again, recipe, remade
from tools.packaging.grading.unpack import Package
from tools.settings.profile import CONFIGS
from tools.settings.resolve import resolve

TINY = {"profile": "tiny", "budget": "quick", "recipe": "plain", "seed": 1, "cards": 2}


def with_configs(package: Package, change: Callable[[Path], object] = str) -> Path:
    """Put source/configs into a package as a team would have them after `change`, and what they
    resolve to into configs/."""
    source = package.folder / "source" / "configs"
    shutil.copytree(CONFIGS, source, dirs_exist_ok=True)
    change(source)
    resolve(package.folder / "configs", **TINY, configs=source)
    return source


def taken_over(package: Package, tmp_path: Path, name: str = "plain") -> Path:
    target = Path(shutil.copytree(CONFIGS, tmp_path / "ours"))
    recipe.take_over(package, "tiny", name, target)
    return target


def edit_yaml(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def edit_file(source: Path) -> None:
        content = yaml.safe_load((source / name).read_text("utf-8"))
        change(content)
        write(source / name, yaml.safe_dump(content, sort_keys=False))

    return edit_file


def made_of(package: Package, configs: Path, run: Path, **more: Any) -> List[str]:
    """Return what of a package's configs does not come out of `configs`."""
    resolve(run / "config", **{**TINY, **more}, configs=configs)
    for name in (layout.CORPUS, layout.RECORDS, *layout.scored_files(layout.CHOSEN)[1:]):
        place = layout.places(package.best, package.checkpoints)[name]
        write(run / place, (package.folder / name).read_bytes())
    answers = layout.scored_files(package.best)[1]
    place = layout.places(package.best, package.checkpoints)[answers]
    write(run / place, (package.folder / answers).read_bytes())
    return [f"{row.group}: {row.why}" for row in again._made_rows(package, run) if not row.passed]


def test_our_own_configs_come_out_as_they_are(opened: Package, tmp_path: Path) -> None:
    assert recipe.variables_of(opened) == {**TINY, "hbm": None}
    with_configs(opened)
    assert made_of(opened, taken_over(opened, tmp_path), tmp_path / "run") == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tiny/finetune.yaml", lambda c: c["lr_schedule"].update(learning_rate=5e-4)),
        (
            "tiny/finetune.yaml",
            lambda c: c["model"]["model_config"]["pet_config"].update(
                lora_rank=2, target_modules=".*w1|.*w2"
            ),
        ),
        (
            "tiny/finetune.yaml",
            lambda c: c["optimizer"].update(type="LoraPlusAdamW", lora_plus_ratio=16),
        ),
        ("tiny/profile.yaml", lambda c: c["evaluation"]["max_new_tokens"].update(math=99)),
        ("recipes/plain.yaml", lambda c: c.update(repeat=3)),
    ],
)
def test_what_a_team_may_choose_is_taken_over(
    opened: Package, tmp_path: Path, name: str, change: Callable[[dict], object]
) -> None:
    with_configs(opened, edit_yaml(name, change))
    assert made_of(opened, CONFIGS, tmp_path / "without")
    target = taken_over(opened, tmp_path)
    assert made_of(opened, target, tmp_path / "run") == []


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("tiny/finetune.yaml", lambda c: c.update(load_checkpoint="/x"), "load_checkpoint"),
        ("tiny/finetune.yaml", lambda c: c["trainer"].update(type="Evil"), "trainer.type"),
        ("tiny/finetune.yaml", lambda c: c.update(evil=1), "finetune.yaml: evil"),
        (
            "tiny/finetune.yaml",
            lambda c: c["callbacks"].append({"type": "Evil"}),
            "callbacks.1.type",
        ),
        (
            "tiny/finetune.yaml",
            lambda c: c["model"]["model_config"].update(num_layers=9000),
            "model.model_config.num_layers",
        ),
        (
            "tiny/finetune.yaml",
            lambda c: c["optimizer"].update(type="os.system"),
            "optimizer.type",
        ),
        ("tiny/finetune.yaml", lambda c: c["context"].pop("mode"), "context.mode"),
        (
            "tiny/profile.yaml",
            lambda c: c["model"].update(denominator=10**12),
            "profile.yaml: model",
        ),
        ("tiny/profile.yaml", lambda c: c.update(artifacts=["x"]), "profile.yaml: artifacts"),
        ("tiny/profile.yaml", lambda c: c.update(evil=1), "evil"),
        ("recipes/plain.yaml", lambda c: c.update(evil=1), "evil"),
    ],
)
def test_what_a_team_may_not_choose_is_refused(
    opened: Package,
    tmp_path: Path,
    name: str,
    change: Callable[[dict], object],
    fault: str,
) -> None:
    source = opened.folder / "source" / "configs"
    shutil.copytree(CONFIGS, source, dirs_exist_ok=True)
    edit_yaml(name, change)(source)
    before = (CONFIGS / name).read_bytes()
    with pytest.raises(UserError) as caught:
        taken_over(opened, tmp_path)
    assert fault in caught.value.what
    assert (tmp_path / "ours" / name).read_bytes() == before


@pytest.mark.parametrize(
    "values",
    [
        {"profile": "../x"},
        {"recipe": "/etc/passwd"},
        {"budget": "quick; rm"},
        {"seed": 0},
        {"seed": "1"},
        {"cards": 10**9},
    ],
)
def test_variables_that_make_must_not_see(opened: Package, values: Dict[str, Any]) -> None:
    edit(opened.folder / layout.PROFILE, **values)
    with pytest.raises(UserError):
        recipe.variables_of(opened)


def test_a_recipe_of_a_teams_own_is_taken_over(opened: Package, tmp_path: Path) -> None:
    source = with_configs(opened)
    shutil.copy(source / "recipes/plain.yaml", source / "recipes/own.yaml")
    resolve(opened.folder / "configs", **{**TINY, "recipe": "own"}, configs=source)
    assert recipe.variables_of(opened)["recipe"] == "own"
    target = taken_over(opened, tmp_path, "own")
    assert made_of(opened, target, tmp_path / "run", recipe="own") == []


def test_a_profile_that_this_checkout_has_not(opened: Package, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such profile 'other'"):
        recipe.take_over(opened, "other", "plain", tmp_path)


def test_a_checkout_of_its_own(tmp_path: Path) -> None:
    copy = again._checkout(tmp_path / "copy", "tiny")
    assert (copy / ".venv").is_symlink()
    assert (copy / "Makefile").read_bytes() == (CONFIGS.parent / "Makefile").read_bytes()
    assert (copy / "tools/grade.py").is_file() and not (copy / "tests").exists()
    assert {lock.stat().st_mtime for lock in (copy / "requirements").glob("*.txt")} == {0}


@pytest.mark.parametrize("loss", [0.0, 0.5])
def test_a_run_made_again(
    honest: Dict[str, Path],
    opened: Package,
    tmp_path: Path,
    loss: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison, with the run itself in the place of the one that make would make."""
    with_configs(opened)
    run = Path(shutil.copytree(honest["run"], tmp_path / "made"))
    if loss:
        path = run / "finetune/loss.csv"
        path.write_text(path.read_text().replace("\n3,6.", "\n3,5."))
        shutil.copy(run / "finetune/adapters/1.ckpt", run / "finetune/adapters/3.ckpt")
        edit(run / "corpus/corpus.json", rows=10)
        edit(run / "evaluate/5/scores.json", parameters={"trained": 1})
        write(run / "evaluate/test.jsonl", math_answers(6, seed=4))
    monkeypatch.setattr(again, "_make", lambda checkout, words: run)
    made = remade.remake(opened, COUNTS)
    rows = failed(again.reproduce_rows(opened, made, tmp_path / "work"))
    assert rows == (
        [
            "data/corpus.json: those of its 15 figures that differ",
            "predictions/best-test.jsonl: problems that are not those held out from this training",
            "training/loss.csv: loss of step 3, which differs most",
            "adapter/adapter.ckpt: distance from the adapter that was trained again",
            "scores/5.json: parameters.trained, trained again",
        ]
        if loss
        else []
    )


@pytest.mark.parametrize("ours", ["float32", "bfloat16"])
def test_another_precision_allows_more(
    honest: Dict[str, Path], opened: Package, tmp_path: Path, ours: str
) -> None:
    """A loss that is 0.05 off passes where one of the two multiplied in bfloat16 alone."""
    run = Path(shutil.copytree(honest["run"], tmp_path / "made"))
    edit(opened.folder / "training/run.json", matmul_precision="bfloat16")
    edit(run / "finetune/run.json", matmul_precision=ours)
    path = run / "finetune/loss.csv"
    text = path.read_text()
    path.write_text(text.replace("\n3,6.47,", "\n3,6.42,"))
    assert path.read_text() != text
    rows = list(again._training_rows(opened, run))
    worst = "training/loss.csv: loss of step 3, which differs most"
    assert failed(rows) == ([worst] if ours == "bfloat16" else [])
    assert all(("bfloat16" in row.why) is (ours == "float32") for row in rows[1:])


def test_a_make_that_fails_is_told(tmp_path: Path) -> None:
    write(tmp_path / "Makefile", "evaluate:\n\t@test $(SEED) = 1 && exit 3\n")
    with pytest.raises(UserError, match=r"SEED=1 RUN=again ended with exit code 2"):
        again._make(tmp_path, ["SEED=1"])


def words_of(
    package: Package, work: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> List[str]:
    """Return what make is told, in whose place an error ends the run."""
    asked: List[str] = []

    def make(checkout: Path, words: List[str]) -> Path:
        asked.extend(words)
        assert ("INIT=init.ckpt" in words) is (checkout / "init.ckpt").is_file()
        raise UserError("asked")

    monkeypatch.setattr(again, "_make", make)
    with pytest.raises(UserError, match="asked"):
        list(again.reproduce_rows(package, {}, work, **more))
    return asked


def test_records_that_were_given_are_named_again(
    opened: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_configs(opened)
    plain = ["PROFILE=tiny", "BUDGET=quick", "RECIPE=plain", "SEED=1", "CARDS=2"]
    assert words_of(opened, tmp_path / "plain", monkeypatch) == plain
    edit(opened.folder / layout.RECORDS, given={"file": "train-fastchat192.mindrecord"})
    with pytest.raises(UserError, match=r"a file that the package does not hold.*--records"):
        list(again.reproduce_rows(opened, {}, tmp_path / "work"))
    records = write(tmp_path / "x", "")
    words = words_of(opened, tmp_path / "given", monkeypatch, records=records)
    assert words == [*plain, f"RECORDS={records}"]


def test_the_first_adapter_is_taken_from_the_package(
    opened: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_configs(opened)
    edit(opened.folder / layout.RUN, init={"path": "runs/first/finetune"})
    with pytest.raises(UserError, match=r"an adapter that the package does not hold"):
        list(again.reproduce_rows(opened, {}, tmp_path / "work"))
    write(opened.folder / layout.INIT, b"matrices")
    assert words_of(opened, tmp_path / "begun", monkeypatch)[-1] == "INIT=init.ckpt"


def test_how_a_team_called_its_records_and_first_adapter_is_no_difference(
    opened: Package, tmp_path: Path
) -> None:
    named = {"given": Path("a.mindrecord"), "init": Path("runs/first/finetune")}
    resolve(opened.folder / "configs", **TINY, **named)
    other = {"given": Path("b.mindrecord"), "init": Path("init.ckpt")}
    assert made_of(opened, CONFIGS, tmp_path / "run", **other) == []
    # Without packing, the architecture is MindFormers' own.
    assert made_of(opened, CONFIGS, tmp_path / "packed") == [
        "configs/finetune.yaml: model.arch.type",
        "configs/records.json: pack; vocab_size",
    ]


def test_faults_of_configs_are_refused_by_name(opened: Package, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"source/configs/tiny/profile\.yaml"):
        taken_over(opened, tmp_path)
    with_configs(opened, edit_yaml("tiny/finetune.yaml", lambda c: c["trainer"].update(type="E")))
    with pytest.raises(CheckFailed, match=r"cannot choose: .*finetune.yaml: trainer.type"):
        shutil.rmtree(tmp_path / "ours")
        taken_over(opened, tmp_path)

"""What is taken over from a package to train again, what never is, and the comparison."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import yaml
from grading_run import COUNTS, edit, failed, math_answers
from packaging_run import write

from tools.files.errors import CheckFailed, UserError
from tools.packaging import layout
from tools.packaging.contents import FolderContents
from tools.packaging.grading import again, figures, recipe
from tools.packaging.grading.recipe import Plan
from tools.packaging.grading.unpack import Package
from tools.settings.profile import CONFIGS

TINY = Plan("tiny", "quick", "plain", 1, 2)


def with_configs(package: Package, change: Callable[[Path], None]) -> Path:
    """Put source/configs into a package as a team would have them after `change`, and what they
    resolve to into configs/."""
    source = package.folder / "source" / "configs"
    shutil.copytree(CONFIGS, source, dirs_exist_ok=True)
    change(source)
    TINY.resolve(package.folder / "configs", source)
    return source


def taken_over(package: Package, tmp_path: Path) -> Path:
    target = Path(shutil.copytree(CONFIGS, tmp_path / "ours"))
    recipe.take_over(FolderContents(package.folder), TINY, target, tmp_path / "theirs")
    return target


def edit_yaml(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def edit_file(source: Path) -> None:
        content = yaml.safe_load((source / name).read_text("utf-8"))
        change(content)
        write(source / name, yaml.safe_dump(content, sort_keys=False))

    return edit_file


def test_our_own_configs_need_nothing_of_the_package(opened: Package, tmp_path: Path) -> None:
    assert recipe.plan_of(opened) == TINY
    assert recipe.differences(opened, TINY, CONFIGS, tmp_path / "resolved") == []
    assert TINY.words() == ["PROFILE=tiny", "BUDGET=quick", "RECIPE=plain", "SEED=1", "CARDS=2"]


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
    assert recipe.differences(opened, TINY, CONFIGS, tmp_path / "resolved")
    target = taken_over(opened, tmp_path)
    assert recipe.differences(opened, TINY, target, tmp_path / "resolved") == []


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
        recipe.plan_of(opened)


def test_a_recipe_of_a_teams_own_is_taken_over(opened: Package, tmp_path: Path) -> None:
    plan = TINY._replace(recipe="own")
    source = opened.folder / "source" / "configs"
    shutil.copytree(CONFIGS, source, dirs_exist_ok=True)
    shutil.copy(source / "recipes/plain.yaml", source / "recipes/own.yaml")
    plan.resolve(opened.folder / "configs", source)
    assert recipe.plan_of(opened) == plan
    assert recipe.differences(opened, plan, CONFIGS, tmp_path / "r") == ["there is no recipe own"]
    target = Path(shutil.copytree(CONFIGS, tmp_path / "ours"))
    recipe.take_over(FolderContents(opened.folder), plan, target, tmp_path / "theirs")
    assert recipe.differences(opened, plan, target, tmp_path / "resolved") == []


def test_a_profile_that_this_checkout_has_not(opened: Package, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no profile other"):
        recipe.take_over(
            FolderContents(opened.folder), TINY._replace(profile="other"), tmp_path, tmp_path / "x"
        )


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
    run = Path(shutil.copytree(honest["run"], tmp_path / "made"))
    if loss:
        path = run / "finetune/loss.csv"
        path.write_text(path.read_text().replace("\n3,6.", "\n3,5."))
        shutil.copy(run / "finetune/adapters/1.ckpt", run / "finetune/adapters/3.ckpt")
        edit(run / "corpus/corpus.json", rows=10)
        edit(run / "evaluate/5/scores.json", parameters={"trained": 1})
        write(run / "evaluate/test.jsonl", math_answers(6, seed=4))
    monkeypatch.setattr(again, "_make", lambda checkout, plan, records: run)
    measured = figures.measure(opened, COUNTS)
    rows = again.reproduce_rows(opened, FolderContents(opened.folder), measured, tmp_path / "work")
    assert failed(rows) == (
        [
            "data/corpus.json: figures that came out otherwise",
            "predictions/best-test.jsonl: problems that are not those held out from this training",
            "training/loss.csv: loss of step 3, which differs most",
            "adapter/adapter.ckpt: distance from the adapter that was trained again",
            "scores/5.json: trained parameters, trained again",
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


def test_a_make_that_fails_is_told(opened: Package, tmp_path: Path) -> None:
    write(tmp_path / "Makefile", "evaluate:\n\t@exit 3\n")
    with pytest.raises(UserError, match=r"PROFILE=tiny .* RUN=again ended with exit code 2"):
        again._make(tmp_path, TINY, None)


def test_records_that_were_given_are_named_again(opened: Package, tmp_path: Path) -> None:
    given = TINY._replace(given="train-fastchat192.mindrecord")
    given.resolve(opened.folder / "configs", CONFIGS)
    assert recipe.plan_of(opened) == given
    # Without packing, the architecture is MindFormers' own: none of that is the team's doing.
    assert recipe.differences(opened, given, CONFIGS, tmp_path / "resolved") == []
    assert recipe.differences(opened, TINY, CONFIGS, tmp_path / "resolved") == [
        "finetune.yaml: model.arch.type",
        "records.json: given",
        "records.json: pack",
        "records.json: vocab_size",
    ]
    rows = again.reproduce_rows(opened, FolderContents(opened.folder), {}, tmp_path / "work")
    with pytest.raises(UserError, match=r"train-fastchat192\.mindrecord, which .*--records"):
        list(rows)
    write(tmp_path / "Makefile", "evaluate:\n\t@test $(RECORDS) = $(CURDIR)/x && exit 3\n")
    with pytest.raises(UserError, match=r"PROFILE=tiny .* RECORDS=.*x RUN=again ended with"):
        again._make(tmp_path, given, tmp_path / "x")


def test_the_first_adapter_is_taken_from_the_package(opened: Package, tmp_path: Path) -> None:
    begun = TINY._replace(init="runs/first/finetune")
    begun.resolve(opened.folder / "configs", CONFIGS)
    assert recipe.plan_of(opened) == begun
    assert recipe.differences(opened, begun, CONFIGS, tmp_path / "resolved") == []
    assert recipe.differences(opened, TINY, CONFIGS, tmp_path / "resolved") == [
        "training.json: init"
    ]
    rows = again.reproduce_rows(opened, FolderContents(opened.folder), {}, tmp_path / "work")
    with pytest.raises(UserError, match=r"adapter runs/first/finetune, which .* does not hold"):
        list(rows)
    write(tmp_path / "Makefile", "evaluate:\n\t@test $(INIT) = init.ckpt && exit 3\n")
    with pytest.raises(UserError, match=r"PROFILE=tiny .* INIT=init\.ckpt RUN=again ended with"):
        again._make(tmp_path, begun, None)


@pytest.mark.parametrize("name", ["../x", "x y", "", 5])
def test_records_with_a_name_that_is_none(opened: Package, name: Any) -> None:
    edit(opened.folder / "configs/records.json", given=name)
    with pytest.raises(UserError, match="is not a name"):
        recipe.plan_of(opened)


def test_faults_of_configs_are_refused_by_name(opened: Package, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        taken_over(opened, tmp_path)
    with_configs(opened, edit_yaml("tiny/finetune.yaml", lambda c: c["trainer"].update(type="E")))
    with pytest.raises(CheckFailed, match=r"cannot choose: finetune.yaml: trainer.type"):
        shutil.rmtree(tmp_path / "ours")
        taken_over(opened, tmp_path)

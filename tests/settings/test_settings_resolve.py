"""The resolved files of a run: which there are, and which change with what."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tools.corpus.grammar import Rounding
from tools.corpus.verify import recorded_styles
from tools.corpus.worked.styles import Style
from tools.files.errors import UserError
from tools.settings.native import PACKED_ARCH, PLAIN_ARCH, read_finetune
from tools.settings.profile import CONFIGS, read_profile
from tools.settings.resolve import read_resolved, resolve

FILES = {
    "profile.json",
    "model.json",
    "tokenizer.json",
    "corpus.json",
    "records.json",
    "prompts.json",
    "evaluation.json",
    "training.json",
    "finetune.yaml",
}
PROFILES = sorted(path.parent.name for path in CONFIGS.glob("*/profile.yaml"))
CHOICE = {"profile": "tiny", "budget": "quick", "recipe": "plain", "seed": 1, "cards": None}


@pytest.fixture
def configs(tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    return tmp_path / "configs"


@pytest.fixture
def run(tmp_path, configs):
    """Resolve, by default as before; gives the names of the files that changed."""

    def call(**changed):
        done = resolve(tmp_path / "config", **{**CHOICE, **changed}, configs=configs)
        return {name for name, new in done.items() if new}

    return call


def alter(path, change):
    tree = yaml.safe_load(path.read_text("utf-8"))
    change(tree)
    path.write_text(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False), encoding="utf-8")


def test_exactly_these_files(run, tmp_path):
    assert run() == FILES
    assert {path.name for path in (tmp_path / "config").iterdir()} == FILES


def test_the_same_again_writes_nothing(run, tmp_path):
    run()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "config").iterdir()}
    assert run() == set()
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "config").iterdir()}
    assert after == before


@pytest.mark.parametrize("profile", PROFILES)
def test_every_budget_of_every_profile_resolves(tmp_path, profile):
    budgets = read_profile(CONFIGS / profile / "profile.yaml").budgets
    for name, budget in budgets.items():
        assert set(resolve(tmp_path / name, profile, name, None, 1, None)) == FILES
        told = json.loads((tmp_path / name / "profile.json").read_text())
        assert (told["budget"], told["recipe"]) == (name, budget.recipe)


def test_a_recipe_on_the_command_line_takes_the_place_of_the_budget_s(run, configs, tmp_path):
    (configs / "recipes" / "sums.yaml").write_text("about: x\ncounts: {add: 1}\n")
    alter(configs / "tiny" / "profile.yaml", set_key("budgets.quick.recipe", "sums"))
    for asked, taken in ((None, "sums"), ("plain", "plain"), ("sums", "sums")):
        run(recipe=asked)
        told = json.loads((tmp_path / "config" / "profile.json").read_text())
        assert told["recipe"] == taken


def test_a_budget_that_names_no_recipe_is_told_at_its_line(run, configs):
    path = configs / "tiny" / "profile.yaml"
    alter(path, set_key("budgets.quick.recipe", "none"))
    line = next(n for n, text in enumerate(path.read_text().split("\n"), 1) if "e: none" in text)
    with pytest.raises(UserError, match="no such recipe 'none'; choose one of: ") as caught:
        run(recipe=None)
    assert caught.value.where == f"{path}:{line}"


def test_exponents_and_separator_reach_the_corpus(run, configs, tmp_path):
    run()
    corpus = json.loads((tmp_path / "config" / "corpus.json").read_text())
    assert (corpus["exponents"], corpus["styles"]) == (None, {})
    text = "about: x\nexponents: [0, 2]\nseparator: ' '\n"
    text += "styles: {add: {style: columns, decimals: 2}}\n"
    (configs / "recipes" / "own.yaml").write_text(text)
    assert run(recipe="own") == {"profile.json", "corpus.json", "records.json"}
    corpus = json.loads((tmp_path / "config" / "corpus.json").read_text())
    assert corpus["exponents"] == [0, 2]
    assert recorded_styles(tmp_path / "config" / "corpus.json") == {
        "add": Style("columns", Rounding(2), " ")
    }


@pytest.fixture
def trained(run, tmp_path):
    """Resolve, and leave what a training that has ended, or one that was killed, leaves."""

    def leave(name):
        run()
        path = (
            tmp_path
            / {"finished": "finetune/run.json", "killed": "finetune.work/states/7.ckpt"}[name]
        )
        path.parent.mkdir(parents=True)
        path.touch()
        return {path.name: path.read_bytes() for path in (tmp_path / "config").iterdir()}

    return leave


OTHERS = [
    ({"recipe": "worked"}, "RECIPE=plain"),
    ({"seed": 2}, "SEED=1"),
    ({"cards": 1}, "CARDS=2"),
    ({"profile": "smollm2-135m"}, "PROFILE=tiny, CARDS=2"),
    ({"given": Path("x.mindrecord")}, "RECORDS=None"),
    ({"init": Path("runs/first/finetune")}, "INIT=None"),
]


@pytest.mark.parametrize("other, held", OTHERS)
def test_a_run_with_another_finished_training_is_refused(run, trained, tmp_path, other, held):
    before = trained("finished")
    for resume in (True, False):
        with pytest.raises(UserError) as caught:
            run(**other, resume=resume)
        what = f"{tmp_path}: holds a finished training of {held}; give RUN=NAME"
        assert (str(caught.value), caught.value.exit_code) == (what, 2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "config").iterdir()} == before


@pytest.mark.parametrize("other, held", OTHERS)
def test_another_unfinished_training_is_given_up_only_if_one_says_so(
    run, trained, tmp_path, other, held
):
    before = trained("killed")
    with pytest.raises(UserError, match=f"holds an unfinished training of {held}; .*RESUME=no"):
        run(**other)
    assert {path.name: path.read_bytes() for path in (tmp_path / "config").iterdir()} == before
    changed = run(**other, resume=False)
    assert changed & {"profile.json", "records.json", "training.json"}


@pytest.mark.parametrize("left", ["finished", "killed"])
def test_an_edited_config_of_the_same_training_is_resolved_as_before(run, trained, configs, left):
    trained(left)
    assert run() == set()
    alter(configs / "tiny" / "finetune.yaml", set_key("lr_schedule.learning_rate", 0.5))
    alter(configs / "tiny" / "profile.yaml", set_key("budgets.quick.corpus.train", 200))
    assert run() == {"finetune.yaml", "corpus.json"}


def test_without_a_training_any_choice_may_follow(run):
    run()
    assert "profile.json" in run(seed=2)


def test_given_records_are_not_packed_and_told_by_their_name(run, tmp_path):
    run()
    folder = tmp_path / "config"
    assert run(given=tmp_path / "train-fastchat256.mindrecord") == {"records.json", "finetune.yaml"}
    assert json.loads((folder / "records.json").read_text()) == {
        "seq_length": 192,
        "prompt": "alpaca",
        "recipe": "plain",
        "reading": 0,
        "pack": False,
        "given": "train-fastchat256.mindrecord",
        "vocab_size": 640,
    }
    assert read_finetune(folder / "finetune.yaml")["model"]["arch"]["type"] == PLAIN_ARCH
    assert run() == {"records.json", "finetune.yaml"}
    assert read_finetune(folder / "finetune.yaml")["model"]["arch"]["type"] == PACKED_ARCH


@pytest.mark.parametrize("name", ["a folder/x.mindrecord", "$(x).mindrecord", ".x", "a:b", "x*"])
def test_a_path_that_make_would_take_for_another_is_refused(run, name, tmp_path):
    with pytest.raises(UserError, match="RECORDS"):
        run(given=tmp_path / name)


@pytest.mark.parametrize("profile", PROFILES)
def test_bfloat16_is_for_trainings_of_the_pretrained_cpu_profile(run, tmp_path, profile):
    """The losses that tests expect of tiny are those of float32; cards have a config of theirs."""
    run(profile=profile)
    training = json.loads((tmp_path / "config" / "training.json").read_text())
    assert training == {"bfloat16_matmul": profile == "smollm2-135m", "init": None}


def test_bfloat16_on_cards_is_the_configs_own(run, configs):
    alter(configs / "llama3-8b" / "profile.yaml", put("bfloat16_matmul", True))
    with pytest.raises(UserError, match="bfloat16_matmul is for the CPU"):
        run(profile="llama3-8b")


def test_the_decoder_is_told_the_device(run, tmp_path):
    for profile, device in (("tiny", "CPU"), ("llama3-8b", "Ascend")):
        run(profile=profile)
        evaluation = json.loads((tmp_path / "config" / "evaluation.json").read_text())
        assert evaluation["device"] == device


def set_key(dotted, value):
    def change(tree):
        *above, own = dotted.split(".")
        for step in above:
            tree = tree[step]
        assert own in tree and tree[own] != value
        tree[own] = value

    return change


def put(dotted, value):
    """As set_key, where nothing need be there before."""

    def change(tree):
        *above, own = dotted.split(".")
        for step in above:
            tree = tree.setdefault(step, {})
        tree[own] = value

    return change


@pytest.mark.parametrize(
    "key, value, changed",
    [
        ("about", "another", {"profile.json"}),
        ("cards", 1, {"profile.json", "finetune.yaml"}),
        ("artifacts", ["squad-dev"], {"profile.json"}),
        ("model.tied", True, {"model.json"}),
        ("model.denominator", 7, {"model.json"}),
        ("tokenizer.kind", "gguf", {"tokenizer.json"}),
        ("prompt", "vicuna", {"tokenizer.json", "records.json", "prompts.json"}),
        ("pack", False, {"records.json", "finetune.yaml"}),
        ("bfloat16_matmul", True, {"training.json"}),
        ("budgets.quick.epochs", 2, {"finetune.yaml"}),
        ("budgets.quick.corpus.train", 200, {"corpus.json"}),
        ("budgets.quick.corpus.test", 20, {"corpus.json"}),
        ("budgets.quick.squad", 9, {"prompts.json"}),
        ("evaluation.batch_size", 4, {"evaluation.json"}),
        ("evaluation.max_new_tokens.math", 99, {"evaluation.json"}),
        ("evaluation.min_new_tokens", 0, {"evaluation.json"}),
    ],
)
def test_a_key_of_the_profile_changes_only_its_files(run, configs, key, value, changed):
    run()
    alter(configs / "tiny" / "profile.yaml", set_key(key, value))
    assert run() == changed


@pytest.mark.parametrize(
    "key, value, changed",
    [
        ("lr_schedule.learning_rate", 0.5, {"finetune.yaml"}),
        ("model.model_config.seq_length", 64, {"records.json", "finetune.yaml"}),
        ("model.model_config.num_layers", 1, {"model.json", "finetune.yaml"}),
        ("model.model_config.vocab_size", 700, {"model.json", "tokenizer.json", "finetune.yaml"}),
        ("model.model_config.pet_config.lora_rank", 4, {"model.json", "finetune.yaml"}),
        ("runner_config.epochs", 7, set()),  # the budget decides
        ("seed", 7, set()),  # SEED decides
        ("parallel_config.data_parallel", 7, set()),  # CARDS decides
    ],
)
def test_a_key_of_the_finetune_config_changes_only_its_files(run, configs, key, value, changed):
    run()
    alter(configs / "tiny" / "finetune.yaml", set_key(key, value))
    assert run() == changed


@pytest.mark.parametrize(
    "option, changed",
    [
        ({"seed": 2}, {"profile.json", "model.json", "corpus.json", "finetune.yaml"}),
        ({"cards": 1}, {"profile.json", "finetune.yaml"}),
        ({"cards": 2}, set()),  # what the profile has
        ({"recipe": None}, set()),  # the budget's, which is the same
        ({"profile": "smollm2-135m"}, FILES),
    ],
)
def test_an_option_changes_only_its_files(run, option, changed):
    run()
    assert run(**option) == changed
    assert run() == changed  # and back


def test_a_recipe_changes_the_corpus_only(run, configs):
    recipe = configs / "recipes" / "sums.yaml"
    recipe.write_text("about: x\ncounts: {add: 1}\n")
    run()
    assert run(recipe="sums") == {"profile.json", "corpus.json", "records.json"}
    alter(recipe, set_key("about", "y"))
    assert run(recipe="sums") == set()
    # … unless it frames its problems otherwise, or its solutions take more room.
    alter(recipe, put("prompt", "vicuna"))
    assert run(recipe="sums") == {"tokenizer.json", "records.json", "prompts.json"}
    longer = {"seq_length": 96, "batch_size": 3, "max_new_tokens": 77}
    alter(configs / "tiny" / "profile.yaml", put("recipes.sums", longer))
    assert run(recipe="sums") == {"records.json", "evaluation.json", "finetune.yaml"}
    assert run(recipe="plain") == FILES - {"model.json", "training.json"}


def test_a_recipe_may_decide_how_many_rows(run, tmp_path, configs):
    recipe = configs / "recipes" / "sums.yaml"
    recipe.write_text("about: x\ncounts: {add: 3, root: 4}\nrepeat: 2\n")
    alter(configs / "tiny" / "profile.yaml", set_key("budgets.quick.corpus.train", None))
    run(recipe="sums")
    corpus = json.loads((tmp_path / "config" / "corpus.json").read_text())
    assert (corpus["train"], corpus["weights"], corpus["repeat"]) == (7, {"add": 3, "root": 4}, 2)
    longer = {"seq_length": 96, "batch_size": 3, "max_new_tokens": 77}
    alter(configs / "tiny" / "profile.yaml", put("recipes.sums", longer))
    run(recipe="sums")
    config = read_finetune(tmp_path / "config" / "finetune.yaml")
    assert config["model"]["model_config"]["seq_length"] == 96
    for section in (config["runner_config"], config["train_dataset"]):
        assert section["batch_size"] == 3
    evaluation = json.loads((tmp_path / "config" / "evaluation.json").read_text())
    assert evaluation["max_new_tokens"] == ["squad=8", "valid=77", "test=77"]


def test_what_is_filled_in(run, tmp_path, configs):
    longer = {"recipe": "plain", "corpus": {"train": 9, "valid": 9, "test": 9}, "epochs": 3}
    alter(configs / "tiny" / "profile.yaml", put("budgets.longer", longer))
    run(budget="longer", seed=5, cards=4)
    config = read_finetune(tmp_path / "config" / "finetune.yaml")
    assert (config["seed"], config["runner_config"]["epochs"]) == (5, 3)
    assert config["parallel_config"]["data_parallel"] == 4 and config["use_parallel"] is True
    run(cards=1)
    config = read_finetune(tmp_path / "config" / "finetune.yaml")
    assert config["parallel_config"]["data_parallel"] == 1 and config["use_parallel"] is False
    evaluation = json.loads((tmp_path / "config" / "evaluation.json").read_text())
    assert evaluation["max_new_tokens"] == ["squad=8", "valid=56", "test=56"]
    written = read_finetune(configs / "tiny" / "finetune.yaml")
    assert config["model"].pop("arch") == {"type": PACKED_ARCH}  # tiny trains on packed rows
    assert written["model"].pop("arch") == {"type": PLAIN_ARCH}
    filled = ("seed", "use_parallel", "runner_config", "parallel_config")
    assert {k: v for k, v in config.items() if k not in filled} == {
        k: v for k, v in written.items() if k not in filled
    }


@pytest.mark.parametrize("arch", [PLAIN_ARCH, PACKED_ARCH, "Another"])
@pytest.mark.parametrize("pack", [True, False])
def test_packed_rows_take_their_architecture(run, tmp_path, configs, arch, pack):
    """Where rows are not packed, the config's own architecture stays."""
    alter(configs / "tiny" / "profile.yaml", lambda tree: tree.update(pack=pack))
    path = configs / "tiny" / "finetune.yaml"
    alter(path, lambda tree: tree["model"]["arch"].update(type=arch))
    if pack and arch == "Another":
        with pytest.raises(UserError, match="'Another', which cannot train on packed rows"):
            run()
        assert not (tmp_path / "config").exists()
        return
    run()
    config = read_finetune(tmp_path / "config" / "finetune.yaml")
    assert config["model"]["arch"]["type"] == (PACKED_ARCH if pack else arch)
    records = json.loads((tmp_path / "config" / "records.json").read_text())
    assert records["pack"] is pack


@pytest.mark.parametrize(
    "option, message",
    [
        ({"profile": "huge"}, "PROFILE: no such profile 'huge'; choose one of: llama3-8b"),
        ({"budget": "huge"}, "BUDGET: no such budget 'huge'; choose one of: quick"),
        ({"recipe": "huge"}, "RECIPE: no such recipe 'huge'; choose one of: "),
        ({"seed": 0}, "SEED: SEED is 0; choose a number from 1 on"),
        ({"seed": -1}, "SEED: SEED is -1"),
    ],
)
def test_unknown_choices_write_nothing(run, tmp_path, option, message):
    with pytest.raises(UserError) as caught:
        run(**option)
    assert str(caught.value).startswith(message) and caught.value.exit_code == 2
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize("section", ["runner_config", "callbacks", "context", "model", "optimizer"])
def test_a_finetune_config_without_a_section(configs, section):
    path = configs / "tiny" / "finetune.yaml"
    alter(path, lambda tree: tree.pop(section))
    with pytest.raises(UserError, match=f"lacks {section}"):
        read_finetune(path)


@pytest.mark.parametrize(
    "key, value, fault",
    [
        ("runner_config", None, r"runner_config\.epochs is missing"),
        ("runner_config", [1], r"runner_config\.epochs"),
        ("parallel_config.data_parallel", 0, "data_parallel is 0, not a whole number from 1 on"),
        ("train_dataset.batch_size", "4", "batch_size is '4'"),
        ("train_dataset.batch_size", True, "batch_size is True"),
        ("train_dataset.data_loader", "MindDataset", "data_loader is 'MindDataset'"),
        ("model.model_config", [], "model_config is .*, not a section"),
        ("model.model_config.seq_length", None, "seq_length is missing"),
        ("model.model_config.vocab_size", -1, "vocab_size is -1"),
        ("callbacks", {"type": "x"}, "not a list"),
        ("model.arch", None, "model.arch.type is missing, not a name"),
        ("model.arch.type", 3, "model.arch.type is 3, not a name"),
        ("callbacks", ["CheckpointMonitor"], "a callback has no type"),
    ],
)
def test_a_finetune_config_of_wrong_types(configs, key, value, fault):
    path = configs / "tiny" / "finetune.yaml"
    alter(path, set_key(key, value))
    with pytest.raises(UserError, match=fault) as caught:
        read_finetune(path)
    assert caught.value.where == path


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"a: [", b"\xff\xfe", b"[" * 1500])
def test_files_that_are_no_finetune_config(tmp_path, content):
    path = tmp_path / "finetune.yaml"
    with pytest.raises(UserError, match="no such file"):
        read_finetune(path)
    path.write_bytes(content)
    with pytest.raises(UserError):
        read_finetune(path)


def test_a_yaml_fault_names_its_line(tmp_path):
    path = tmp_path / "finetune.yaml"
    path.write_text("a: 1\nb: c: d\n")
    with pytest.raises(UserError, match=r"finetune\.yaml:2: not valid YAML"):
        read_finetune(path)


def test_code_in_yaml_is_not_run(tmp_path):
    path = tmp_path / "finetune.yaml"
    path.write_text(f"seed: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]\n")
    with pytest.raises(UserError):
        read_finetune(path)
    assert not (tmp_path / "made").exists()


def test_read_resolved(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": 1, "b": 2}')
    assert read_resolved(path, ["b"]) == {"a": 1, "b": 2}
    with pytest.raises(UserError, match="lacks c, d; make it again"):
        read_resolved(path, ["a", "c", "d"])
    for text in ("", "[1]", "{", "[" * 100000):
        path.write_text(text)
        with pytest.raises(UserError):
            read_resolved(path, ["a"])


def test_the_memory_of_a_card_decides_batch_recomputation_and_limit(tmp_path: Path) -> None:
    for hbm, recipe, batch, recompute, limit in (
        (None, "plain", 8, True, "26GB"),
        (32, "plain", 8, True, "26GB"),
        (64, "plain", 16, False, "58GB"),
        (32, "worked", 4, True, "26GB"),  # 512 tokens a row
        (64, "rank-01", 5, False, "58GB"),  # 768
    ):
        resolve(tmp_path, "llama3-8b", "quick", recipe, 1, 4, hbm)
        config = yaml.safe_load((tmp_path / "finetune.yaml").read_text("utf-8"))
        told = json.loads((tmp_path / "profile.json").read_text("utf-8"))
        assert told["hbm"] == (hbm or 32)
        assert {
            config["runner_config"]["batch_size"],
            config["train_dataset"]["batch_size"],
            config["model"]["model_config"]["batch_size"],
        } == {batch}
        assert config["recompute_config"]["recompute"] is recompute
        assert config["context"]["max_device_memory"] == limit


@pytest.mark.parametrize(
    ("profile", "hbm", "what"),
    [
        ("llama3-8b", 48, "no hardware entry for cards of 48GB"),
        ("tiny", 32, "HBM is 32, and the profile has no cards"),
    ],
)
def test_cards_that_a_profile_does_not_know(tmp_path: Path, profile, hbm, what) -> None:
    with pytest.raises(UserError, match=what):
        resolve(tmp_path, profile, "quick", "plain", 1, None, hbm)
    assert not list(tmp_path.iterdir())

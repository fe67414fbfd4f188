"""Absolute paths and secrets: found where they are, not found where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.packaging.leaks import absolute_paths, home_folders, secrets

ROOT = Path(__file__).resolve().parents[2]

# Put together here, so that no tool takes this file for one that holds secrets.
_TAIL = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
SECRETS = [
    "-----BEGIN " + "RSA PRIVATE KEY-----",
    "key AK" + "IA" + "ABCDEFGH12345678",
    "gh" + "p_" + _TAIL,
    "hf" + "_" + _TAIL,
    "glpat" + "-" + _TAIL,
    "xoxb" + "-1234567890-abc",
    "sk" + "-" + _TAIL,
    "eyJ" + "hbGciOiJIUzI1" + ".eyJ" + "zdWIiOiIxMjM0" + "." + _TAIL,
    "https://user:" + "hunter22@host/x",
    "pass" + f'word = "{_TAIL}"',
    '"secret' + f'_key": "{_TAIL}"',
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_found(text: str) -> None:
    found = list(secrets(["nothing", text]))
    assert [leak.line for leak in found][:1] == [2]
    assert text not in found[0].what


@pytest.mark.parametrize(
    "text",
    [
        "token = tokenizer.encode(text)",
        "password: ",
        "api_key = os.environ['API_KEY']",
        'secret = "<your secret goes in here>"',
        "sha256 82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",
        '"eos_token_id": 2, "pad_token": "<|im_end|>"',
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert not list(secrets([text]))


@pytest.mark.parametrize(
    "text",
    [
        "output_dir: /home/someone/out",
        'dataset_dir: "/data"',
        '{"path": "/weird/place/file.ckpt"}',
        "path=/tmp",
        "see (/root/x)",
        "C:\\Users\\me",
        "load_checkpoint: ~/model.ckpt",
    ],
)
def test_paths_are_found(text: str) -> None:
    assert [leak.line for leak in absolute_paths(["a", "b", text])] == [3]


@pytest.mark.parametrize(
    "text",
    [
        '"$ref": "#/definitions/callback"',
        "将分数 5/6 进行简化。密度为 10 克/立方厘米",
        "https://host.example/a/b/c?d=/e",
        "https\\://host.example/a/b",
        "<td>F1/EM</td></tr></table>",
        "configs/tiny/finetune.yaml and ./runs/a/b",
        "168 / 3 and km/h/s",
        '<img src="data:image/png;base64,iVBOR+/home/abc/def+/tmp/==">',
        "target_modules: .*wq|.*wk",
    ],
)
def test_what_is_no_path(text: str) -> None:
    assert not list(absolute_paths([text]))


@pytest.mark.parametrize(
    "text", ["X = '/home/someone'", "/Users/me/x", "cd /root/work", r"C:\Users\me", "a:/home/me"]
)
def test_home_folders_are_found(text: str) -> None:
    assert [leak.line for leak in home_folders(["/home/", text])] == [2]


@pytest.mark.parametrize(
    "text", ["/proc/cpuinfo", "https://x.example/home/me", "~/.cache", "a/root/b", "$HOME/x"]
)
def test_what_is_nobodys_home(text: str) -> None:
    assert not list(home_folders([text]))


def test_our_own_source_and_configs_are_clean() -> None:
    for path in [*ROOT.glob("tools/**/*.py"), *ROOT.glob("configs/**/*.yaml")]:
        lines = path.read_text(encoding="utf-8").split("\n")
        assert not list(secrets(lines)), path
        assert not list(home_folders(lines)), path
        if path.suffix == ".yaml":
            assert not list(absolute_paths(lines)), path


@pytest.mark.shared
def test_a_real_training_log_holds_no_secret(shared: Path) -> None:
    log = shared / "contest" / "train-worker_0.log"
    assert not list(secrets(log.read_text(encoding="utf-8", errors="replace").split("\n")))

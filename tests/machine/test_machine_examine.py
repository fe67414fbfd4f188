"""All checks together: what decides, what is printed, what is written as JSON."""

from __future__ import annotations

import json

from tools.machine.examine import CHECKS, Examination, judge
from tools.machine.network import SILENT, Reply
from tools.machine.verdicts import FAULT, OK, SKIPPED, WARNING, Line


def test_a_machine_that_has_everything(needs, ascend_needs, facts):
    found = judge(needs, facts)
    assert {line.verdict for line in found.lines} == {OK} and found.passes
    assert str(found).endswith("make all PROFILE=small can start")
    ready = facts._replace(
        setup=False,
        python=facts.python._replace(
            version=(3, 9, 1), packages={"mindspore": "2.3.0rc2", "mindformers": "1"}
        ),
    )
    assert {line.verdict for line in judge(ascend_needs, ready).lines} == {OK}


def test_every_check_has_a_line_of_its_own(ascend_needs, facts):
    lines = judge(ascend_needs, facts).lines
    assert len({line.check for line in lines}) == len(CHECKS) == 15
    for line in lines:
        text = str(line)
        assert "\n" not in text and text.startswith(line.verdict) and line.check in text


def test_only_a_fault_stops():
    lines = [Line("a", OK, "x"), Line("b", WARNING, "x", "y", "z"), Line("c", SKIPPED, "x")]
    found = Examination("p", lines)
    assert found.passes and str(found).endswith(
        "make all PROFILE=p can start: 1 warning, 1 skipped"
    )
    found = Examination("p", [*lines, *[Line("d", FAULT, "x", "y", "z")] * 2])
    assert not found.passes
    end = "make all PROFILE=p would fail: 2 faults, 1 warning, 1 skipped"
    assert str(found).splitlines()[-2:] == ["fault    d         x; needs y; z", end]


def test_one_fault_of_many_facts(needs, facts):
    found = judge(
        needs, facts._replace(reply=Reply("https://x", SILENT, "no answer"), shared=False)
    )
    assert [line.check for line in found.lines if line.verdict == FAULT] == ["folders", "index"]


def test_a_line_stays_one_line():
    assert str(Line("disk", FAULT, "a\nb", "", "c\nd")) == "fault    disk      a b; c d"


def test_json_says_the_same(needs, facts):
    found = judge(needs, facts)
    content = json.loads(json.dumps(found.as_json()))
    assert content["profile"] == "small" and content["passes"] is True
    assert [Line(**line) for line in content["checks"]] == found.lines

"""What a report says in words: plainly, and no more than the run has measured."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Tuple

from tools.packaging.facts import Facts
from tools.packaging.texts import Text, label, say
from tools.scoring.arithmetic import wilson

SUMS = ("add", "subtract")
_UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))


def subtitle(facts: Facts) -> Text:
    """Which profile and run the report is of."""
    about = facts.profile.get("about") or facts.profile.get("profile", facts.run)
    return say("page.subtitle", about=about, run=facts.run)


def opening(facts: Facts) -> Text:
    """What the model can do now that it could not before, or that this cannot be told."""
    before, after = facts.before["math"], facts.after["math"]
    seconds = sum(step.seconds for step in facts.steps)
    unit, size = next((pair for pair in _UNITS if seconds >= 2 * pair[1]), _UNITS[-1])
    held_out = "given" if facts.records.get("given") else "held_out"
    low, high = (100 * end for end in after["interval"])
    sides = [_count(math["by_kind"].get(kind) for kind in SUMS) for math in (before, after)]
    right, count = sides[1]
    sums = Text("", "")
    if count:
        ends = [100 * end for end in wilson(right, count)]
        values = {"before": sides[0][0], "right": right, "count": count}
        sums = say("opening.sums", low=ends[0], high=ends[1], **values)
    return say(
        f"opening.{facts.progress}",
        time=say(f"opening.{unit}", count=seconds / size),
        before=before["correct"],
        right=after["correct"],
        count=after["count"],
        unit=say(f"opening.{held_out}"),
        low=low,
        high=high,
        sums=sums,
    )


def tone(facts: Facts) -> str:
    """How the verdict is shown, and what it is called: nothing is good that has not learnt."""
    if not facts.eligible:
        return "not_eligible"
    return {"learnt": "eligible", "same": "not_learnt", "worse": "worse"}[facts.progress]


def verdict(facts: Facts) -> List[Text]:
    """Eligible or not, what reading came to, the score, the rank."""
    before, after = facts.before["squad"], facts.after["squad"]
    gate = say(
        "verdict.kept" if facts.eligible else "verdict.lost",
        share=kept_share(facts),
        f1_before=before["f1"],
        f1=after["f1"],
        em_before=before["em"],
        em=after["em"],
    )
    score = say(
        "verdict.score" if facts.eligible else "verdict.score_void",
        score=facts.after["contest"]["score"],
    )
    return [gate, score, _rank(facts)]


def claims(facts: Facts) -> List[Text]:
    """What the figures can and cannot say."""
    arithmetic, asked = facts.after["math"], facts.after["squad"]["count"]
    judge = label("judges", arithmetic["judge"])
    given = facts.records.get("given")
    told = {"count": arithmetic["count"], "judge": judge}
    lines = [say("claims.held_out", **told)]
    if given:
        lines = [say("claims.given", file=given["file"], **told)]
    if not facts.contest_model:
        lines.append(say("claims.other_model"))
    if not facts.before["squad"]["em"] or not facts.before["squad"]["f1"]:
        lines.append(say("claims.reads_nothing"))
    if asked < facts.rules.squad.questions:
        questions = facts.rules.squad.questions
        lines.append(
            say("claims.fewer_questions", asked=asked, questions=questions, step=100 / asked)
        )
    fewest = min(share["count"] for share in arithmetic["by_kind"].values())
    if fewest < 100:
        lines.append(say("claims.few_rows", count=fewest))
    commits = sorted({str(stage.get("commit")) for stage in facts.stages})
    if len(commits) > 1:
        lines.append(say("claims.commits", count=len(commits)))
    if any(commit.endswith("-dirty") for commit in commits):
        lines.append(say("claims.dirty"))
    return lines


def notes(facts: Facts) -> Dict[str, Text]:
    """One paragraph on how each part was measured or made, by the part's name."""
    judge = label("judges", facts.after["math"]["judge"])
    plain = ("lines", "method", "inference", "examples", "none_right", "none_wrong")
    return {
        "reading": say("notes.reading", questions=facts.after["squad"]["count"]),
        "judges": say("notes.judges", judge=judge),
        "corpus": _corpus(facts.corpus),
        "records": _records(facts.records),
        **{name: say(f"notes.{name}") for name in (*plain, "versions", "stages", "weights")},
    }


def figures(facts: Facts) -> Dict[str, Text]:
    """What each picture shows, for its caption and for those who do not see it."""
    before, after = facts.before["math"], facts.after["math"]
    asked = [kind for kind in facts.kinds if kind in after["by_kind"]]
    shares = {kind: 100 * after["by_kind"][kind]["accuracy"] for kind in asked}
    best = max(asked, key=shares.__getitem__)
    chosen = next(item for item in facts.checkpoints if item.number == facts.best).scores["math"]
    steps = facts.steps
    rates = [max(step.learning_rate, step.out_learning_rate) for step in steps]
    return {
        "kinds": say(
            "figures.kinds",
            was=100 * before["accuracy"],
            now=100 * after["accuracy"],
            worst=min(shares.values()),
            best=shares[best],
            kind=label("kinds", best),
        ),
        "loss": say(
            "figures.loss", steps=steps[-1].step, first=steps[0].loss, tail=tail_loss(facts)
        ),
        "rates": say("figures.rates", steps=steps[-1].step, peak=max(rates), last=rates[-1]),
        "checkpoints": say(
            "figures.checkpoints",
            count=len(facts.checkpoints),
            best=facts.best,
            accuracy=100 * chosen["accuracy"],
            f1=facts.after["squad"]["f1"],
            em=facts.after["squad"]["em"],
            f1_least=facts.minimum.f1,
            em_least=facts.minimum.em,
        ),
    }


def kept_share(facts: Facts) -> str:
    """The share of the base model's reading that must be kept."""
    return f"{100 * facts.rules.squad.keep:.0f} %"


def tail_loss(facts: Facts) -> float:
    """The mean loss of the last tenth of all steps."""
    tail = facts.steps[-max(1, len(facts.steps) // 10) :]
    return sum(step.loss for step in tail) / len(tail)


def teams(facts: Facts) -> int:
    """How many teams are on the published leaderboard."""
    return len(facts.rules.leaderboard)


def _corpus(content: Dict[str, Any]) -> Text:
    """Where the rows come from and how many are duplicates."""
    source = content.get("source")
    values = {
        "rows": content.get("rows"),
        "duplicates": content.get("duplicates"),
        "misfits": (content.get("misfits") or {}).get("count", 0),
    }
    if source == "generated":
        return say("notes.corpus_generated", **values)
    return say("notes.corpus_from", source=source, **values)


def _records(content: Dict[str, Any]) -> Text:
    """What training saw of the rows."""
    given = content.get("given")
    if given:
        return say(
            "notes.records_given",
            file=given["file"],
            sha256=given["sha256"],
            rows=content.get("rows"),
            length=content.get("seq_length"),
            without=content.get("without_labels"),
        )
    return say(
        "notes.records_packed" if content.get("pack") else "notes.records_padded",
        examples=content.get("examples"),
        frame=content.get("frame"),
        rows=content.get("rows"),
        length=content.get("seq_length"),
        used=100 * content.get("used", 0),
        left_out=content.get("left_out"),
    )


def _count(shares: Iterable[Optional[Dict[str, Any]]]) -> Tuple[int, int]:
    """How many were right, of how many; None stands for what was not asked."""
    asked = [share for share in shares if share]
    return sum(share["correct"] for share in asked), sum(share["count"] for share in asked)


def _rank(facts: Facts) -> Text:
    rank = facts.after["contest"]["rank"]
    if not facts.eligible or rank is None:
        return say("verdict.no_rank")
    name = "verdict.rank" if facts.contest_model else "verdict.rank_void"
    return say(name, teams=teams(facts), rank=rank)

"""What a report says in words: plainly, and no more than the run has measured."""

from __future__ import annotations

from typing import Any, Dict, List

from tools.packaging.facts import Facts


def title(facts: Facts) -> str:
    """The report's headline."""
    return f"Fine-tuning report: {facts.profile.get('profile', facts.run)}, run {facts.run}"


def verdict(facts: Facts) -> List[str]:
    """Eligible or not, what reading and arithmetic came to, and the score."""
    reading, before = facts.after["squad"], facts.before["squad"]
    contest = facts.after["contest"]
    share = f"{100 * facts.rules.squad.keep:.0f} %"
    gate = (
        f"Eligible: the best checkpoint has kept {share} of the base model's reading"
        if facts.eligible
        else f"Not eligible: the best checkpoint has not kept {share} of the base model's reading"
    )
    return [
        f"{gate} (F1 {before['f1']:.2f} before, {reading['f1']:.2f} after; "
        f"EM {before['em']:.2f} before, {reading['em']:.2f} after).",
        _change(facts),
        f"Contest score {contest['score']:.6f}"
        + ("." if facts.eligible else ", which does not count without eligibility."),
        _rank(facts),
    ]


def caveats(facts: Facts) -> List[str]:
    """What the figures cannot say."""
    arithmetic = facts.after["math"]
    lines = [
        f"The accuracy is over {arithmetic['count']} problems held out from training, by the judge "
        f"called {arithmetic['judge']}; the contest's hidden set and judge are not public.",
    ]
    if not facts.contest_model:
        lines.append(
            "This is not the contest's model on the contest's questions. Score and rank follow "
            "its formula, but compare only with other runs of this profile."
        )
    if not facts.before["squad"]["em"] or not facts.before["squad"]["f1"]:
        lines.append(
            "The base model itself reads nothing right (F1 or EM 0), so that part of the gate is "
            "passed by any model."
        )
    if facts.after["squad"]["count"] < facts.rules.squad.questions:
        lines.append(
            f"{facts.after['squad']['count']} reading questions were asked, where the contest "
            f"asks {facts.rules.squad.questions}: one answer moves EM by "
            f"{100 / facts.after['squad']['count']:.2f} points."
        )
    kinds = min(share["count"] for share in arithmetic["by_kind"].values())
    if kinds < 100:
        lines.append(
            f"Some kinds of problem have only {kinds} test rows: look at the intervals before "
            "the figures."
        )
    commits = sorted({str(stage.get("commit")) for stage in facts.stages})
    if len(commits) > 1:
        lines.append(f"The stages were run from {len(commits)} different commits.")
    if any(commit.endswith("-dirty") for commit in commits):
        lines.append("Files were changed after the commit that is named below.")
    return lines


def corpus(facts: Facts) -> str:
    """Where the rows come from and how many are duplicates."""
    content = facts.corpus
    source = content.get("source")
    first = (
        "The problems were generated in the slots of the contest's train.json"
        if source == "generated"
        else f"The problems come from {source}"
    )
    misfits = (content.get("misfits") or {}).get("count", 0)
    return (
        f"{first}. Of {content.get('rows')} rows {content.get('duplicates')} were duplicates and "
        f"went first; {misfits} fitted no kind. No problem stands in two splits."
    )


def records(facts: Facts) -> str:
    """What training saw of the rows."""
    content = facts.records
    together = ", several whole ones a row" if content.get("pack") else ""
    return (
        f"Training saw {content.get('examples')} examples in the frame {content.get('frame')}, in "
        f"{content.get('rows')} rows of {content.get('seq_length')} tokens{together} "
        f"({100 * content.get('used', 0):.1f} % of the positions in use). "
        f"{content.get('left_out')} did not fit and were left out, none was cut."
    )


def _change(facts: Facts) -> str:
    before, after = facts.before["math"], facts.after["math"]
    was, now = 100 * before["accuracy"], 100 * after["accuracy"]
    counts = f"{after['correct']} of {after['count']} problems"
    if now == was:
        return f"Arithmetic accuracy did not change: {now:.2f} % before and after ({counts})."
    word = "rose" if now > was else "fell: fine-tuning made the model worse,"
    text = f"Arithmetic accuracy {word} from {was:.2f} % to {now:.2f} % ({counts})"
    if _overlap(before, after):
        return f"{text}; the 95 % intervals overlap, so that this may be chance."
    return f"{text}; the 95 % intervals do not overlap."


def _overlap(before: Dict[str, Any], after: Dict[str, Any]) -> bool:
    (low, high), (other_low, other_high) = before["interval"], after["interval"]
    return low <= other_high and other_low <= high


def _rank(facts: Facts) -> str:
    rank = facts.after["contest"]["rank"]
    teams = len(facts.rules.phases[facts.after["contest"]["phase"]].leaderboard)
    if not facts.eligible or rank is None:
        return "No rank."
    if facts.contest_model:
        return f"On the published leaderboard of {teams} teams this would be rank {rank}."
    return (
        f"The formula would give rank {rank} beside the {teams} published teams; that means "
        "nothing here, since they fine-tuned LLaMA3-8B."
    )

"""Reading comprehension: the contest's F1/EM and the official SQuAD 1.1 ones.

The contest's metric is MindFormers' EmF1Metric, computed here without MindFormers: same
segments, same sums in the same order, hence the same last digit. It differs from the official
metric in that it counts the longest *contiguous* run of common segments (the official one
counts common words wherever they stand), segments Chinese with jieba, keeps articles, and
removes hyphens, underscores and Chinese punctuation but neither `.` nor `,`.
"""

from __future__ import annotations

import functools
import re
import string
from collections import Counter
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from tools.files.errors import UserError

# EmF1Metric's list also holds the two-character "……", which no single character equals.
_REMOVED = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_HAN = re.compile("[\u4e00-\u9fa5]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Answer(NamedTuple):
    """A model's answer; `references[0]` is the one that the contest compares with."""

    prediction: str
    references: Tuple[str, ...]


def first_line(text: str) -> str:
    """What the organisers take of an output: its first line, leading empty lines aside."""
    return text.strip().split("\n")[0]


def em_f1(prediction: str, reference: str) -> Tuple[float, int]:
    """Return EmF1Metric's F1 (0 to 1) and exact match (0 or 1) of one answer."""
    ours, right = _segments(prediction), _segments(reference)
    common = _longest_common_run(right, ours)
    f1: float = 0
    if common:
        precision, recall = 1.0 * common / len(ours), 1.0 * common / len(right)
        f1 = (2 * precision * recall) / (precision + recall)
    return f1, int(_bare(prediction) == _bare(reference))


def official_em_f1(prediction: str, references: Sequence[str]) -> Tuple[float, int]:
    """Return the official SQuAD 1.1 F1 (0 to 1) and exact match, the best over `references`.

    Normalisation and overlap as in the evaluation script of SQuAD 1.1 (Rajpurkar et al.,
    2016, arXiv 1606.05250): lower case, no punctuation, no articles, common words.
    """
    ours = _normalised(prediction)
    f1, em = 0.0, 0
    for reference in references:
        right = _normalised(reference)
        em = max(em, int(ours == right))
        words, right_words = ours.split(), right.split()
        common = sum((Counter(words) & Counter(right_words)).values())
        if common:
            precision, recall = common / len(words), common / len(right_words)
            f1 = max(f1, 2 * precision * recall / (precision + recall))
    return f1, em


def running_scores(answers: Iterable[Answer]) -> Iterable[Tuple[float, int, float, int]]:
    """Yield each answer's (f1, em) and the sums up to it, added in EmF1Metric's order."""
    f1_sum: float = 0
    em_sum = 0
    for answer in answers:
        f1, em = em_f1(first_line(answer.prediction), answer.references[0])
        f1_sum, em_sum = f1_sum + f1, em_sum + em
        yield f1, em, f1_sum, em_sum


def score_squad(answers: Sequence[Answer]) -> Dict[str, Any]:
    """Return {"f1", "em", "count", "official": {"f1", "em", "references"}}, in percent.

    f1 and em are EmF1Metric's, against the first reference; "official" is over all of them,
    and "references" says how many there were. Raises UserError without any answer.
    """
    if not answers:
        raise UserError("no answer to score", None, "name a file with at least one")
    *_, (_, _, f1_sum, em_sum) = running_scores(answers)
    count = len(answers)
    official = [official_em_f1(first_line(row.prediction), row.references) for row in answers]
    return {
        "f1": 100.0 * f1_sum / count,
        "em": 100.0 * em_sum / count,
        "count": count,
        "official": {
            "f1": 100.0 * sum(f1 for f1, _ in official) / count,
            "em": 100.0 * sum(em for _, em in official) / count,
            "references": sum(len(row.references) for row in answers),
        },
    }


def _segments(text: str) -> List[str]:
    """Segments in lower case: a Han character each, the rest as jieba cuts it."""
    segments: List[str] = []
    run = ""
    for char in text.lower().strip():
        if char in _REMOVED:
            continue
        if _HAN.match(char):
            if run:
                segments.extend(_cut(run))
                run = ""
            segments.append(char)
        else:
            run += char
    if run:
        segments.extend(_cut(run))
    return segments


def _cut(text: str) -> Iterable[str]:
    return _jieba().cut(text)


@functools.cache
def _jieba() -> Any:
    try:
        import jieba
    except ImportError as error:
        remedy = "run `make setup`, or install jieba 0.42.1"
        raise UserError("the contest's F1 needs jieba", None, remedy) from error
    # jieba.initialize() would read $TMPDIR/jieba.cache, whoever wrote it, if it is newer than the
    # dictionary. Reading the dictionary itself takes half a second more.
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer


def _bare(text: str) -> str:
    return "".join(char for char in text.lower().strip() if char not in _REMOVED)


def _longest_common_run(left: Sequence[str], right: Sequence[str]) -> int:
    best = 0
    previous = [0] * (len(right) + 1)
    for segment in left:
        current = [0]
        for index, other in enumerate(right):
            current.append(previous[index] + 1 if segment == other else 0)
        best = max(best, max(current))
        previous = current
    return best


def _normalised(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())

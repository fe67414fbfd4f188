"""From a problem to the source's own sentences, digit for digit."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from tools.corpus.grammar import OPERATORS, Problem, operands
from tools.corpus.solve import Value, number_text, solve

# By kind: the problem, and the solution with {value} for its number.
_TEMPLATES: Dict[str, Tuple[str, str]] = {
    **{
        kind: (f"计算 {{}} {sign} {{}} 等于多少？", f"{{}} {sign} {{}} = {{value}}")
        for kind, sign in OPERATORS.items()
    },
    # A negative base is printed without brackets though it is raised with its sign:
    # -456.58^4 is positive.
    "power": ("计算 {} 的 {} 次方？", "{}^{} = {value}"),
    "root": ("计算 {} 的平方根？", "√{} = {value}"),
    "equation": ("解方程 {}x + {} = 0", "方程的解为：{value}"),
    "function": ("当 x = {} 时，求函数 y = {}x^{} 的值", "函数的值为：{value}"),
    "mean": ("求以下数据的平均值：[{}]", "平均值为 {value}"),
    "area": ("一个长方形的长为 {} 厘米，宽为 {} 厘米，请计算其面积。", "面积为 {value} 平方厘米"),
    "discount": ("商品原价为 {} 元，打折后的价格为 {} 元，请计算打折的折扣比例。", "{value}"),
    "sales": ("去年销售额为 {} 万元，今年销售额增加了 {}%，请计算今年的销售额。", "{value}"),
    "mass": (
        "某物体的密度为 {} 克/立方厘米，体积为 {} 立方厘米，请计算该物体的质量。",
        "{value} 克",
    ),
    "fraction": ("将分数 {}/{} 进行简化。", "最简化的形式为：{value}"),
}


def problem_text(problem: Problem) -> str:
    """Print the problem as the source asks it."""
    numbers = operands(problem)
    if problem.kind == "mean":
        numbers = [", ".join(numbers)]
    return _TEMPLATES[problem.kind][0].format(*numbers)


def solution_text(problem: Problem, value: Optional[Value] = None) -> str:
    """Print the solution as the source states it; `value` saves solving once more."""
    if value is None:
        value = solve(problem)
    return _TEMPLATES[problem.kind][1].format(*operands(problem), value=number_text(value))


def render(problem: Problem, value: Optional[Value] = None) -> Tuple[str, str]:
    """Return the problem and its solution in the source's words; `grammar.parse` inverts it.

    `value` saves solving once more.
    """
    return problem_text(problem), solution_text(problem, value)

"""What is printed is printed as it is: rich takes brackets in names and errors for markup unless it is told not to."""

from __future__ import annotations

import ast
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2] / 'hoigen'


def faults(source: str) -> list[int]:
    """Lines that make a console, or a column of text that is not constant, which reads markup."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        constant = bool(node.args) and isinstance(node.args[0], ast.Constant) and '{' not in str(node.args[0].value)
        if node.func.id == 'Console' or (node.func.id == 'TextColumn' and not constant):
            told = {keyword.arg: keyword.value for keyword in node.keywords}.get('markup')
            if not (isinstance(told, ast.Constant) and told.value is False):
                lines.append(node.lineno)
    return lines


def test_nothing_printed_is_taken_for_markup() -> None:
    assert {str(path): lines for path in sorted(HOUSE.rglob('*.py')) if (lines := faults(path.read_text()))} == {}


def test_the_lint_fires() -> None:
    source = (
        "Console()\nConsole(markup=False)\nTextColumn('frames')\nTextColumn('{task.description}')\n"
        'TextColumn(name)\nTextColumn(name, markup=False)\n'
    )
    assert faults(source) == [1, 4, 5]

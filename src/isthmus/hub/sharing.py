"""One model file and its card, in a folder or in a repository of the Hub."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import isthmus
from isthmus.errors import require_path
from isthmus.hub.card import LIBRARY, complete_card, renew_card, write_card
from isthmus.persistence import load, save
from isthmus.storage import replacing

# Names of the two files, as the Hub has them.
FILE, CARD = "model.safetensors", "README.md"
# Name of a repository: that of its owner and its own. Other names are those of folders.
NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
# What an error of the Hub means, by the name of its class; derived classes come first.
MEANINGS = {
    "RevisionNotFoundError": "has no such revision",
    "GatedRepoError": "is open only to users who have accepted its conditions on its page",
    "RepositoryNotFoundError": "does not exist, or it is private and the token gives no access",
    "LocalEntryNotFoundError": f"cannot be reached, and the cache has no copy of its {FILE}",
    "EntryNotFoundError": f"has no file {FILE}, so it was not written by push_to_hub",
}


def save_pretrained(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    card: str | None = None,
    license: str | None = None,
    tags: Sequence[str] = (),
) -> None:
    """Write a fitted estimator to a folder, in the layout of a repository of the Hub.

    The folder gets the model file ``model.safetensors`` and the model card ``README.md``.

    Parameters
    ----------
    model : fitted estimator
        One that ``isthmus.save`` takes.
    folder : str or path
        It is created if it does not exist. A model file in it is replaced.
    card : str or None, default=None
        Text of the card in Markdown, with or without a metadata block. None writes facts about the model. In a folder
        with a card, it replaces the facts that isthmus has written there, and keeps everything else.
    license : str or None, default=None
        License of the model for the card, such as "mit". None states none.
    tags : sequence of str, default=()
        Words by which users of the Hub search, in addition to "isthmus" and "autoencoder".

    Raises
    ------
    ImportError
        Without huggingface_hub.
    NotFittedError, ValueError
        As in ``isthmus.save``.
    OSError
        If a file cannot be written.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from isthmus import Autoencoder
    >>> from isthmus.hub import from_pretrained, save_pretrained
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> model = Autoencoder(2, max_epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_pretrained(model, folder, license="mit", tags=["tabular"])
    ...     again = from_pretrained(folder)
    >>> bool((again.transform(X) == model.transform(X)).all())
    True
    """
    require_path("folder", folder)
    _save_model(model, Path(folder))
    _write_card(model, Path(folder), Path(folder).resolve().name, card, license, tags)


def push_to_hub(
    model: Any,
    repo_id: str,
    *,
    card: str | None = None,
    license: str | None = None,
    tags: Sequence[str] = (),
    private: bool | None = None,
    token: str | None = None,
    message: str = "Upload a model of isthmus",
) -> str:
    """Upload a fitted estimator to a repository of the Hugging Face Hub, which is created if it does not exist.

    A model file may contain values of training rows: categories, exemplars, the rows of a kernel density estimate.

    Parameters
    ----------
    model : fitted estimator
        One that ``isthmus.save`` takes.
    repo_id : str
        Name of the repository, such as "user/digits".
    card, license : str or None, default=None
        As in ``save_pretrained``, for the card of the repository.
    tags : sequence of str, default=()
        As in ``save_pretrained``.
    private : bool or None, default=None
        Whether a new repository is private; None is the default of the account, in general public.
    token : str or None, default=None
        Token of the account; None takes the one of ``hf auth login`` or of the environment variable HF_TOKEN.
    message : str, default="Upload a model of isthmus"
        Message of the commit.

    Returns
    -------
    str
        Address of the commit.

    Raises
    ------
    ImportError
        Without huggingface_hub.
    NotFittedError, ValueError
        As in ``isthmus.save``, or if ``repo_id`` is not a valid name.
    OSError
        If the Hub cannot be reached, or refuses the upload.

    Examples
    --------
    >>> from isthmus.hub import push_to_hub
    >>> push_to_hub(model, "user/digits", license="mit", private=True)  # doctest: +SKIP
    'https://huggingface.co/user/digits/commit/...'
    """
    api = _open_hub(token)
    with TemporaryDirectory() as folder:
        _save_model(model, Path(folder))
        with _hub_errors(repo_id):
            api.create_repo(repo_id, private=private, exist_ok=True)
            if api.file_exists(repo_id, CARD):
                shutil.copy(api.hf_hub_download(repo_id, CARD), folder)
            _write_card(model, Path(folder), repo_id, card, license, tags)
            commit = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)
    return str(commit.commit_url)


def from_pretrained(
    source: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    parts: Sequence[type] = (),
    device: str = "auto",
) -> Any:
    """Load a fitted estimator from a folder or from a repository of the Hugging Face Hub.

    As with ``isthmus.load``, no code of the file is executed.

    Parameters
    ----------
    source : str or path
        A folder that ``save_pretrained`` wrote, or the name of a repository, such as "user/digits".
    revision : str or None, default=None
        Branch, tag or commit of the repository. A commit always gives the same file.
    token : str or None, default=None
        As in ``push_to_hub``.
    parts : sequence of classes, default=()
        Your own part classes that the model uses.
    device : str, default="auto"
        Device of the model.

    Returns
    -------
    estimator
        The fitted estimator.

    Raises
    ------
    ImportError
        Without huggingface_hub, unless ``source`` is a folder.
    FileNotFoundError
        If there is no such folder, repository, revision or model file.
    OSError
        If the Hub cannot be reached and the cache has no copy of the file.
    ValueError
        If the name is not valid, or as in ``isthmus.load``.

    Examples
    --------
    See ``save_pretrained``.
    """
    require_path("source", source)
    folder = Path(source)
    if folder.is_dir():
        return load(folder / FILE, parts, device)
    if not NAME.fullmatch(str(source)):
        raise FileNotFoundError(
            f"there is no folder {str(folder.absolute())!r}, and {str(source)!r} is not the name of a repository, such "
            "as 'user/name'"
        )
    return load(_download(str(source), revision, token), parts, device)


def _save_model(model: Any, folder: Path) -> None:
    _import_hub()
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder / FILE)


def _write_card(
    model: Any, folder: Path, name: str, card: str | None, license: str | None, tags: Sequence[str]
) -> None:
    """Write a card, or renew the facts of the one in the folder; one that its author wrote without them is kept."""
    path = folder / CARD
    if card is None and path.exists():
        old = path.read_text(encoding="utf-8")
        card = renew_card(old, model, name)
        if card == old and not (license or tags):
            return
    text = complete_card(write_card(model, name) if card is None else card, license, tags)
    with replacing(path) as file:
        file.write(text.encode())


def _download(repo_id: str, revision: str | None, token: str | None) -> str:
    """Return the path of the model file in the cache."""
    api = _open_hub(token)
    try:
        with _hub_errors(repo_id):
            path: str = api.hf_hub_download(repo_id, FILE, revision=revision)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; there is no folder {str(Path(repo_id).absolute())!r} either") from error
    return path


def _import_hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError('the Hub needs huggingface_hub: pip install "isthmus[hub]"') from error
    return huggingface_hub


def _open_hub(token: str | None) -> Any:
    return _import_hub().HfApi(token=token, library_name=LIBRARY, library_version=isthmus.__version__)


@contextmanager
def _hub_errors(repo_id: str) -> Iterator[None]:
    """Convert errors of the Hub to errors with one sentence that names the repository."""
    from huggingface_hub import errors

    # The base class of all errors of the HTTP library, which depends on the version of huggingface_hub.
    http_error: Any = errors.HfHubHTTPError.__bases__[0]
    try:
        yield
    except errors.HFValidationError as error:
        raise ValueError(f"{repo_id!r} is not the name of a repository, such as 'user/name'") from error
    except (errors.EntryNotFoundError, http_error) as error:
        kinds = ((getattr(errors, name), meaning) for name, meaning in MEANINGS.items())
        meaning = next((meaning for kind, meaning in kinds if isinstance(error, kind)), None)
        if meaning is None:
            raise OSError(f"the Hub did not answer for {repo_id!r}: {str(error).partition(chr(10))[0]}") from error
        raise FileNotFoundError(f"the repository {repo_id!r} {meaning}") from error

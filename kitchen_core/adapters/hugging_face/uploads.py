"""Taking a model folder to the hub, in one commit."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from kitchen_core.adapters.hugging_face.access import Asking
from kitchen_core.adapters.hugging_face.failures import SECRETS, first_line
from kitchen_core.train.ports.errors import AuthError, InvalidRequest, Unavailable
from kitchen_core.train.ports.hub import Uploaded

_CARD = "README.md"
_PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})


def upload(api: HfApi, asking: Asking, folder: Path, card: str, private: bool) -> Uploaded:
    """Upload a folder's files and the card. Blocks."""
    access, repo = asking.access, asking.repo or ""
    if access.token is None:
        raise AuthError(
            "no token is set, and uploading needs one that may write",
            hint=f"Make one at {access.page('model', 'settings/tokens')}, and set "
            f"{access.token_env} in {SECRETS}.",
        )
    files = uploadable(folder)
    if not files:
        raise InvalidRequest(f"{folder} has no files to upload", hint="Give a model folder.")
    additions = [CommitOperationAdd(name, path) for name, path in files.items()]
    additions.append(CommitOperationAdd(_CARD, card.encode()))
    try:
        if not api.repo_exists(repo):
            api.create_repo(repo, private=private, exist_ok=True)
        made = api.create_commit(repo, additions, commit_message="Upload the model")
    except HfHubHTTPError as error:
        if error.response.status_code == 403:
            raise _may_not_write(asking) from error
        raise
    except ValueError as error:  # what the hub finds wrong with the card or the files
        said = " ".join(str(error).split())
        raise InvalidRequest(
            f"the hub refuses the upload: {said}", hint="Nothing changed."
        ) from error
    except RuntimeError as error:  # the storage's own client has no errors of its own
        raise Unavailable(
            f"the upload broke off: {first_line(error)}", hint="Try again."
        ) from error
    return Uploaded(access.page("model", repo), made.oid)


def uploadable(folder: Path) -> dict[str, Path]:
    """`{name: path}` of what goes to the hub: no pickles, nothing hidden, and the card is ours."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): path
        for name, path in found.items()
        if name.suffix not in _PICKLES
        and not any(part.startswith(".") for part in name.parts)
        and name.as_posix() != _CARD
    }


def _may_not_write(asking: Asking) -> AuthError:
    access = asking.access
    owner = (asking.repo or "").partition("/")[0]
    return AuthError(
        f"the token may not write to {owner}",
        hint=f"Give {access.token_env} a token that may, from "
        f"{access.page('model', 'settings/tokens')}, or name a repository of its account.",
    )

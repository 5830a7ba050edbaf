"""Models of the Hugging Face hub: only the files that a model needs, each checked."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from huggingface_hub import HfApi, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, but not so marked
    build_hf_headers,
    hf_raise_for_status,
)

from loquent.checkpoints.sources.names import HubSource, hub_by_hand, is_plain
from loquent.checkpoints.sources.partial import (
    Partial,
    Progress,
    git_blob_of,
    need_room,
    refuse_pointer,
    sha256_of,
)
from loquent.checkpoints.sources.wanted import model_files, pickled
from loquent.errors import CheckpointError, nearest

ATTEMPTS = 5  # without a single byte
PAUSE_SECONDS = 0.25  # before the next attempt; doubled each time
TIMEOUT_SECONDS = 30.0  # for a connection, and without a byte
RECEIVE_BYTES = 1 << 16
PARTIAL_CONTENT = 206
SHA256 = re.compile(r"[0-9a-f]{64}")  # the hub's tag of a large file
GIT_BLOB = re.compile(r"[0-9a-f]{40}")  # and of a small one
# The last is the base of the errors of the HTTP library, which changes with the hub's version.
FAULTS: tuple[type[Exception], ...] = (OSError, ValueError, HfHubHTTPError.__mro__[1])
REASONS = (  # the first that fits; a gated repository is a kind of one that is not found
    (GatedRepoError, "asks for its terms to be accepted on its page, and for HF_TOKEN to be set"),
    (RevisionNotFoundError, "has no such revision"),
    (RepositoryNotFoundError, "is not on the hub, or is private and needs HF_TOKEN"),
    (EntryNotFoundError, "has no such file"),
)


@dataclass(frozen=True)
class Remote:
    """A file of a repository as the hub describes it."""

    name: str  # under which it is kept
    url: str
    bytes: int
    tag: str  # SHA-256 of a large file, git's name of a small one


def fetch(
    source: HubSource, folder: Path, progress: Progress, *, allow_pickle: bool
) -> tuple[str, dict[str, str]]:
    """Bring a model's files into `folder`: the commit, and the files' names and SHA-256.

    What an earlier try has left in `folder` is continued. Raises CheckpointError.
    """
    endpoint = os.environ.get("HF_ENDPOINT") or None
    wanted = source.path or "config.json and the weights"
    try:
        info = HfApi(endpoint=endpoint, library_name="loquent").model_info(
            source.repository, revision=source.revision
        )
        commit = str(info.sha)
        names = _chosen(source, [each.rfilename for each in info.siblings or []], allow_pickle)
        remotes = []
        for wanted in names:
            url = hf_hub_url(source.repository, wanted, revision=commit, endpoint=endpoint)
            kept = wanted.rpartition("/")[2] if source.path else wanted
            remotes.append(_described(kept, url))
    except FAULTS as fault:
        raise _explained(fault, source, wanted) from fault
    total = sum(remote.bytes for remote in remotes)
    need_room(folder, total - sum(_bytes_here(folder, remote) for remote in remotes))
    done = 0
    found = {}
    for remote in remotes:
        path = folder / remote.name
        _bring(remote, path, source, partial(_tell, progress, done, total))
        done += remote.bytes
        found[remote.name] = sha256_of(path)
    return commit, found


def _chosen(source: HubSource, names: list[str], allow_pickle: bool) -> list[str]:
    where = f"hf:{source.repository}"
    if source.path:
        if source.path not in names:
            raise CheckpointError(
                f"has no file {source.path!r}.", where=where, fix=nearest(source.path, names)
            )
        return [source.path]
    if chosen := model_files(filter(is_plain, names), allow_pickle=allow_pickle):
        return chosen
    if pickled(name for name in names if "/" not in name):
        raise CheckpointError(
            "has its weights only as pickle files, which can run any code.",
            where=where,
            fix="Use --allow-pickle (allow_pickle=True) if you trust it.",
        )
    packed = [name for name in names if name.endswith(".gguf")]
    raise CheckpointError(
        "has several GGUF files." if packed else "has no weights in safetensors or GGUF.",
        where=where,
        fix=f"Choose one: {', '.join(f'{where}/{name}' for name in packed)}" if packed else "",
    )


def _tell(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def _described(name: str, url: str) -> Remote:
    """Ask the hub for a file's length and checksum."""
    about = get_hf_file_metadata(url, library_name="loquent")
    tag = about.etag or ""
    if about.size is None or not (SHA256.fullmatch(tag) or GIT_BLOB.fullmatch(tag)):
        raise CheckpointError("comes without a length and a checksum.", where=url)
    return Remote(name, url, about.size, tag)


def _bytes_here(folder: Path, remote: Remote) -> int:
    path = folder / remote.name
    here = path if path.exists() else path.with_name(f"{path.name}.partial")
    return min(here.stat().st_size, remote.bytes) if here.exists() else 0


def _bring(remote: Remote, path: Path, source: HubSource, tell: Callable[[int], None]) -> None:
    """Fetch a file until it is whole and right; a wrong one is fetched anew once."""
    if path.exists() and _is_right(path, remote):
        tell(remote.bytes)
        return
    for _ in range(2):
        with Partial(path, limit=remote.bytes, progress=tell) as file:
            if file.tell() > remote.bytes:
                file.truncate(0)
            _continue(remote, file, source)
            file.flush()
            refuse_pointer(file.unfinished, remote.url)
            if _is_right(file.unfinished, remote):
                file.finish()
                return
            file.discard()
    raise CheckpointError(
        f"does not have the hub's checksum {remote.tag}; it was deleted.",
        where=remote.url,
        fix="Try again; if it stays so, the mirror or a proxy on the way changes files.",
    )


def _continue(remote: Remote, file: Partial, source: HubSource) -> None:
    """Fetch what is missing of a file; as long as bytes come, broken connections do not matter."""
    failures = 0
    while (before := file.tell()) < remote.bytes:
        try:
            _receive(remote, file)
        except FAULTS as fault:
            failures = 0 if file.tell() > before else failures + 1
            if failures == ATTEMPTS or _is_final(fault):
                raise _explained(fault, source, remote.name) from fault
            time.sleep(PAUSE_SECONDS * 2**failures)


def _receive(remote: Remote, file: Partial) -> None:
    headers = {
        **build_hf_headers(library_name="loquent"),
        "Accept-Encoding": "identity",  # so that a range counts the file's own bytes
        "Range": f"bytes={file.tell()}-",
    }
    # Redirects are followed; on the way to another host the client drops the token.
    with get_session().stream(
        "GET", remote.url, headers=headers, timeout=TIMEOUT_SECONDS
    ) as answer:
        hf_raise_for_status(answer)
        if answer.status_code != PARTIAL_CONTENT:
            file.truncate(0)
        for chunk in answer.iter_bytes(RECEIVE_BYTES):
            file.write(chunk)
    if file.tell() < remote.bytes:
        raise OSError(f"the connection ended after {file.tell()} of {remote.bytes} bytes")


def _is_final(fault: Exception) -> bool:
    """Whether a fault is an answer that will not change: not found, not allowed."""
    if not isinstance(fault, HfHubHTTPError):
        return False
    status = fault.response.status_code
    return status < 500 and status not in (408, 429)


def _is_right(path: Path, remote: Remote) -> bool:
    if path.stat().st_size != remote.bytes:
        return False
    return (sha256_of if SHA256.fullmatch(remote.tag) else git_blob_of)(path) == remote.tag


def _explained(fault: BaseException, source: HubSource, wanted: str) -> CheckpointError:
    where = f"hf:{source.repository}@{source.revision}"
    for kind, reason in REASONS:
        if isinstance(fault, kind):
            return CheckpointError(f"{reason}.", where=where)
    told = (str(fault).strip().splitlines() or [type(fault).__name__])[0].rstrip(".")
    return CheckpointError(
        f"could not be fetched (wanted: {wanted}): {told}.",
        where=where,
        fix=f"Is there a network? What was fetched is kept: the same command continues. "
        f"{hub_by_hand(source)}",
    )

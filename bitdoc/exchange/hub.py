"""Networks that the hub (huggingface.co) keeps: found in its cache or downloaded, and checked by their hash."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bitdoc.exchange.passport import LICENSES, Passport
from bitdoc.network.weights import WeightsError
from bitdoc.records.files import sha256

_NAME = re.compile(r"(?:hf[-_]hub:)?([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", re.ASCII)
#: The authors' networks: those that timm converted from their files, and transformers' copy of one of them.
_AUTHORS = re.compile(r"timm/resnetv2_(\d+x\d)_bit\.goog_(\w+)|google/bit-50")
#: What was trained where, by the ending of timm's names.
_STAGES = {"in21k": "", "in21k_ft_in1k": "-ILSVRC2012"}
_MISSING = "pip install huggingface_hub"


def is_name(name: str) -> bool:
    """Whether ``name`` looks like a repository of the hub: ``owner/name``, with ``@`` and a revision if need be."""
    return bool(_NAME.fullmatch(name))


def is_authors(name: str) -> bool:
    """Whether a repository keeps a network that BiT's authors trained."""
    match = _NAME.fullmatch(name)
    return bool(match and _AUTHORS.fullmatch(match[1]))


def model_name(name: str) -> str:
    """What bitdoc calls a network of the authors': ``BiT-M-R50x1`` for ``timm/resnetv2_50x1_bit.goog_in21k``.

    Raises
    ------
    WeightsError
        If the repository is not one that keeps the authors' networks.
    """
    match = _NAME.fullmatch(name)
    theirs = _AUTHORS.fullmatch(match[1]) if match else None
    if not theirs:
        raise WeightsError(
            f"{name} keeps none of the authors' networks; expected timm/resnetv2_50x1_bit.goog_in21k or its kin, or "
            f"google/bit-50"
        )
    tag = theirs[2] or "in21k_ft_in1k"
    return f"BiT-M-R{theirs[1] or '50x1'}{_STAGES.get(tag, f'-goog_{tag}')}"


def signed(passport: Passport, name: str) -> Passport:
    """Say in a passport where the network is from, and the license where that is known."""
    if not is_authors(name):
        return replace(passport, origin=name)
    return replace(passport, origin=f"{model_name(name)}, kept as {name}", license=LICENSES["M"])


def fetch(name: str, weights: Sequence[str], beside: Sequence[str]) -> Path:
    """Return the folder of the hub's cache that holds a repository's network; what is not there is downloaded.

    Parameters
    ----------
    weights : sequence of str
        Files that may hold the network, the best first; one of them is fetched.
    beside : sequence of str
        Files that are fetched too, where the repository has them.

    Raises
    ------
    WeightsError
        Without ``huggingface_hub``, without network for what is not in the cache, for a repository that is not there
        or holds none of the files, and for a file that is not the one the hub announced.
    """
    try:
        from huggingface_hub import errors
    except ImportError:
        raise WeightsError(f"{name} is on the hub, and reading it needs huggingface_hub: {_MISSING}") from None
    match = _NAME.fullmatch(name)
    repository, revision = match.groups() if match else (name, None)
    try:
        found = _first(repository, weights, revision, here=True) or _first(repository, weights, revision, here=False)
        if found is None:
            raise WeightsError(f"{repository} holds no network: expected {' or '.join(weights)}")
        for file in beside:  # of the same commit; what is neither in the cache nor in reach is done without
            with suppress(errors.EntryNotFoundError):
                _first(repository, [file], found.parent.name, here=False)
    except errors.RepositoryNotFoundError:
        raise WeightsError(f"the hub has no repository {repository}, or it asks for a login; check the name") from None
    except errors.RevisionNotFoundError:
        raise WeightsError(f"{repository} has no revision {revision}; leave it out for the newest") from None
    except errors.LocalEntryNotFoundError:
        raise WeightsError(
            f"{repository} is not in the hub's cache, and the hub cannot be reached; try again, or load a file by path"
        ) from None
    except (OSError, errors.HFValidationError) as error:
        raise WeightsError(f"{repository}: {' '.join(str(error).split())[:200]}") from None
    return found.parent


def _first(repository: str, files: Sequence[str], revision: str | None, here: bool) -> Path | None:
    """The first of ``files`` that the repository has, sound; ``here`` looks into the cache alone."""
    from huggingface_hub import errors, hf_hub_download

    none = errors.EntryNotFoundError if here else errors.RemoteEntryNotFoundError
    for file in files:
        with suppress(none):
            path = Path(hf_hub_download(repository, file, revision=revision, local_files_only=here))
            _check(path, repository)
            return path
    return None


def _check(path: Path, repository: str) -> None:
    """Compare a large file with its name in the cache, which is the SHA-256 that the hub announced."""
    blob = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", blob.name) and (found := sha256(blob)) != blob.name:
        raise WeightsError(
            f"{path.name} of {repository} is altered: SHA-256 {found[:12]}..., expected {blob.name[:12]}...; delete "
            f"{blob} and try again"
        )

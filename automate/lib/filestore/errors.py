"""What an error of a storage means: worth another attempt, or not."""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import SuspiciousOperation

# What will be so next time too: rights, names, and a folder where a file should be.
LASTING = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR,
        errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.EILSEQ,
    }
)  # fmt: skip
PASSING_STATUSES = frozenset({408, 409, 425, 429})
PASSING_CODES = frozenset({"RequestTimeout", "SlowDown", "ThrottlingException"})
# Of botocore's errors those about what we ask, not about the way there.
LASTING_NAMES = frozenset(
    {
        "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError",
        "ParamValidationError", "InvalidRegionError", "NoRegionError",
        "UnknownEndpointError",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether to try again, a stable class name, and a sentence."""

    passing: bool
    error_class: str
    message: str


def judge(error: Exception) -> Judgement | None:
    """What an error of a storage means; None when it is none of a storage's."""
    if isinstance(error, SuspiciousOperation):
        return Judgement(
            passing=False, error_class="StorageRefused", message=str(error)
        )
    botocore: Any = sys.modules.get("botocore.exceptions")
    if botocore and isinstance(error, botocore.ClientError):
        return _answered(getattr(error, "response", {}))
    if botocore and isinstance(error, botocore.BotoCoreError):
        name = type(error).__name__
        text = f"the storage could not be asked: {error}"
        return Judgement(name not in LASTING_NAMES, name, text)
    if isinstance(error, OSError):
        text = f"the storage failed: {error.strerror or error}"
        lasting = error.errno in LASTING
        return Judgement(
            not lasting, "StorageRefused" if lasting else "StorageFailed", text
        )
    return None


def _answered(response: dict[str, Any]) -> Judgement:
    code = str(response.get("Error", {}).get("Code", ""))
    said = str(response.get("Error", {}).get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    passing = status >= 500 or status in PASSING_STATUSES or code in PASSING_CODES
    text = f"the storage answered {status} {code}: {said}"
    return Judgement(passing, "StorageFailed" if passing else "StorageRefused", text)

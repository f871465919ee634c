"""current.json of a store: the version that serves, and the versions before it.

Its content is not trusted: a machine makes and removes folders of the names in it.
"""

import json
import re
from dataclasses import asdict, dataclass

from marquee.core.errors import InputError

POINTER = "current.json"
NAME_LENGTH = 16
NAME = re.compile(f"[0-9a-f]{{{NAME_LENGTH}}}")


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """The content of current.json."""

    version: str
    """The folder below versions/."""
    model_version: str
    manifest_sha256: str
    """Of the version's bundle.json: the chain from the pointer to every byte."""
    promoted_at: str
    previous: tuple[str, ...] = ()
    """Versions before it, newest first."""

    @classmethod
    def from_json(cls, content: bytes, store_url: str) -> "Pointer":
        """Parse current.json; InputError that names the store if it is damaged."""
        try:
            values = json.loads(content)
            pointer = cls(**values | {"previous": tuple(values["previous"])})
            for version in (pointer.version, *pointer.previous):
                if not (isinstance(version, str) and NAME.fullmatch(version)):
                    raise ValueError(f"{version!r} is not a version's name")
            return pointer
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            remove = "aws s3 rm" if store_url.startswith("s3://") else "rm"
            raise InputError(
                f"{store_url}/{POINTER}: not a pointer ({error}); services keep the version they "
                f"have: {remove} {store_url}/{POINTER}, then "
                f"marquee releases promote VERSION {store_url}"
            ) from error

    def to_json(self) -> bytes:
        """Return the content of current.json."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

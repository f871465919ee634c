"""current.json of a store: which version serves, and what did before.

What it says is not trusted: a machine makes and removes folders of the names that stand in it.
"""

import json
import re
from dataclasses import asdict, dataclass, fields

from marquee.core.errors import InputError

POINTER = "current.json"
NAME_LENGTH = 16
NAME = re.compile(f"[0-9a-f]{{{NAME_LENGTH}}}")


@dataclass(frozen=True)
class Pointer:
    """What current.json says."""

    version: str
    """The folder below versions/."""
    model_version: str
    manifest_sha256: str
    """Of the version's bundle.json: the chain from the pointer to every byte."""
    promoted_at: str
    previous: tuple[str, ...] = ()
    """Versions before it, newest first."""

    @classmethod
    def of(cls, content: bytes, where: str) -> "Pointer":
        try:
            said = json.loads(content)
            if not isinstance(said, dict) or set(said) != {each.name for each in fields(cls)}:
                raise ValueError(
                    f"its fields are not {', '.join(each.name for each in fields(cls))}"
                )
            found = cls(**said | {"previous": tuple(said["previous"])})
            # A machine makes and removes folders of these names.
            for name in (found.version, *found.previous):
                if not (isinstance(name, str) and NAME.fullmatch(name)):
                    raise ValueError(f"{name!r} is no version's name")
            return found
        except (ValueError, TypeError, RecursionError) as error:
            remove = "aws s3 rm" if where.startswith("s3://") else "rm"
            raise InputError(
                f"{where}/{POINTER}: not a pointer ({error}); services go on with what they have: "
                f"{remove} {where}/{POINTER}, then marquee releases promote VERSION {where}"
            ) from error

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

"""The requests that write rules; marquee/recommender/rules/parsing.py checks their values."""

from typing import Any, Literal

from pydantic import Field

from marquee.api.request_base import ListRequest, Request, Text, Viewer
from marquee.api.requests import Params
from marquee.api.validation import ABOUT_TIME

WHERE = "a filter over items, as filters.where; {} matches all"
ACTION = (
    '"exclude", "require" or "bury"; {"pin": {"place": 2}}, {"boost": {"by": 1.5}}, '
    '{"cap": {"attribute": "genres", "most": 2}} or {"share": {"least": 0.2}}'
)


class RuleWhen(Request):
    """The requests for which a rule holds: of some surfaces, and of some viewers."""

    surface: str | list[str] | None = None
    viewer: dict[str, Any] | None = Field(None, description="a filter over the request's viewer")


class RuleIn(ListRequest):
    """A rule that every list keeps, from the next request on."""

    when: RuleWhen | None = None
    where: dict[str, Any] = Field(description=WHERE)
    action: Literal["exclude", "require", "bury"] | dict[str, Any] = Field(description=ACTION)
    from_: str | None = Field(None, alias="from", description=ABOUT_TIME)
    until: str | None = Field(None, description=ABOUT_TIME)
    priority: int | None = Field(None, description="the higher wins, then the name; by default 0")
    note: str | None = Field(None, description="for the people who keep the rules")

    def document(self) -> dict[str, Any]:
        """Return the rule as the store keeps it."""
        return self.model_dump(by_alias=True, exclude_none=True)


class RulePreviewRequest(RuleIn):
    """A rule to try on a sample of lists, in place of the stored one of its name."""

    name: Text = "new-rule"
    viewer: Viewer | None = None
    surface: str | None = Field(None, max_length=64, description="of the lists; by default its own")
    num_lists: int = Field(50, ge=1, le=200, description="how many lists to compare")

    def document(self) -> dict[str, Any]:
        """Return the rule alone."""
        own = set(RuleIn.model_fields)
        return self.model_dump(by_alias=True, exclude_none=True, include=own)


class RuleParams(Params):
    name: str = Field(max_length=64, pattern="^[A-Za-z0-9._~-]+$")

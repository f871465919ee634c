"""Create, change and remove the stack of template.yaml, and report each step.

A change that fails leaves the stack as it was. A first stack that fails leaves nothing but its
name, which `down` removes.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from deploy.aws import Aws, one_line
from marquee.core.errors import InputError

TEMPLATE = Path(__file__).parent / "template.yaml"
WAIT_S = 3600
BROKEN_STATES = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""States that no update can leave."""
Report = Callable[[str], object]


@dataclass(kw_only=True)
class Stack:
    """A stack by its name.

    report: called with a line for each step. poll_s: seconds between two polls.
    """

    aws: Aws
    name: str
    report: Report = print
    poll_s: float = 5.0
    _seen: set[str] = field(init=False, default_factory=set)

    def describe(self) -> dict[str, Any] | None:
        """Return CloudFormation's description; None if there is no such stack."""
        try:
            stacks = self.aws.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(stacks[0])

    def require(self) -> dict[str, Any]:
        description = self.describe()
        if description is None:
            location = f"in {self.aws.region} of account {account(self.aws)}"
            raise InputError(
                f"there is no stack {self.name} {location}, expected one; name another --region "
                "or --stack, or make it: python -m deploy up"
            )
        return description

    def outputs(self) -> dict[str, str]:
        """Return Address, Bucket, LogGroup, …, as the template names them."""
        pairs = self.require().get("Outputs", ())
        return {output["OutputKey"]: output["OutputValue"] for output in pairs}

    def apply(self, parameters: Mapping[str, str]) -> bool:
        """Create or change the stack; return whether anything changed.

        Parameters that are absent stay. Raises InputError with the reason of the first part that
        failed.
        """
        description = self.describe()
        self.refuse(description)
        request: dict[str, Any] = {
            "StackName": self.name,
            "TemplateBody": self.valid(),
            "Parameters": self._parameters(parameters, description),
            "Capabilities": ["CAPABILITY_IAM"],
        }
        self._events(description)
        try:
            if description is None:
                self.aws.cloudformation.create_stack(**request, OnFailure="ROLLBACK")
            else:
                self.aws.cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        status = self._wait()
        if not status.endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")) or "ROLLBACK" in status:
            raise InputError(
                f"{self.name}: {status} ({self.reason()}), expected a finished change"
                f"{self._remedy(status)}"
            )
        return True

    def remove(self) -> None:
        self._events(self.describe())
        self.aws.cloudformation.delete_stack(StackName=self.name)
        if (status := self._wait()) != "DELETE_COMPLETE":
            raise InputError(
                f"{self.name}: {status} ({self.reason()}), expected DELETE_COMPLETE; "
                "mend that, then down again"
            )

    def refuse(self, description: Mapping[str, Any] | None) -> None:
        """Raise InputError if the stack is in a state that cannot be changed."""
        status = description["StackStatus"] if description else ""
        if status in BROKEN_STATES:
            raise InputError(
                f"{self.name}: {status} ({self.reason()}), expected a stack that can change"
                f"{self._remedy(status)}"
            )
        if status == "UPDATE_ROLLBACK_FAILED":
            raise InputError(
                f"{self.name}: {status} ({self.reason()}), expected a stack that can change; "
                "mend that, then: aws cloudformation continue-update-rollback "
                f"--stack-name {self.name}"
            )
        if status.endswith("_IN_PROGRESS"):
            raise InputError(
                f"{self.name}: {status}, expected no change under way; "
                "wait for it: python -m deploy status"
            )

    def valid(self) -> str:
        """Return the template, validated by CloudFormation."""
        body = TEMPLATE.read_text()
        try:
            self.aws.cloudformation.validate_template(TemplateBody=body)
        except ClientError as error:
            if error.response["Error"].get("Code") != "ValidationError":
                raise
            message = one_line(error.response["Error"].get("Message", ""))
            raise InputError(
                f"{TEMPLATE.name}: {message}, expected a valid template; "
                "cfn-lint deploy/template.yaml shows the line"
            ) from error
        return body

    def reason(self) -> str:
        """Return the reason of the last failed change: the first part that failed."""
        pages = self.aws.cloudformation.get_paginator("describe_stack_events")
        reason = "no reason is given"
        for page in pages.paginate(StackName=self.name):
            for event in page["StackEvents"]:  # newest first
                if event["ResourceStatus"].endswith("_FAILED"):
                    message = one_line(event.get("ResourceStatusReason", ""))
                    if "cancelled" not in message:
                        reason = f"{event['LogicalResourceId']}: {message}".rstrip(".")
                elif is_start(event, self.name):
                    return reason
        return reason

    def _remedy(self, status: str) -> str:
        if status in BROKEN_STATES:
            return f"; remove it: python -m deploy down --stack {self.name}, then up again"
        return "; the stack is as it was before; python -m deploy logs may say more"

    def _parameters(
        self, values: Mapping[str, str], description: Mapping[str, Any] | None
    ) -> list[dict[str, Any]]:
        previous = (description or {}).get("Parameters", ())
        previous_keys = {parameter["ParameterKey"] for parameter in previous}
        new = [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()]
        return new + [
            {"ParameterKey": k, "UsePreviousValue": True} for k in sorted(previous_keys - {*values})
        ]

    def _wait(self) -> str:
        """Wait until nothing is in progress; return the last status."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            description = self.describe()
            if description is None:
                return "DELETE_COMPLETE"
            self._events(description, self.report)
            if not description["StackStatus"].endswith("_IN_PROGRESS"):
                return str(description["StackStatus"])
            time.sleep(self.poll_s)
        return "still in progress after an hour"

    def _events(self, description: Mapping[str, Any] | None, report: Report | None = None) -> None:
        """Report new events of the stack's parts, oldest first; without `report` only mark them."""
        if description is None:
            return
        events = self.aws.cloudformation.describe_stack_events(StackName=description["StackId"])
        for event in reversed(events["StackEvents"]):
            if event["EventId"] not in self._seen:
                self._seen.add(event["EventId"])
                if report:
                    report(line(event))


class Tagged(yaml.SafeLoader):  # type: ignore[misc]
    """A loader of templates that reads !Ref and the like as their argument."""


Tagged.add_multi_constructor("!", lambda loader, _, node: getattr(node, "value", None))


def rules() -> dict[str, dict[str, Any]]:
    """Return the template's parameters."""
    return dict(yaml.load(TEMPLATE.read_text(), Tagged)["Parameters"])


def defaults() -> dict[str, str]:
    """Return the defaults of the template's parameters."""
    return {name: str(rule["Default"]) for name, rule in rules().items() if "Default" in rule}


def check(values: Mapping[str, str]) -> None:
    """Raise InputError for a value that the template would refuse minutes later."""
    for name, rule in rules().items():
        value = values.get(name)
        if value is None:
            continue
        expected = ""
        if not re.fullmatch(pattern := rule.get("AllowedPattern", ".*"), value):
            expected = pattern
        if value not in rule.get("AllowedValues", [value]):
            expected = ", ".join(rule["AllowedValues"])
        if "MinValue" in rule and int(value) < rule["MinValue"]:
            expected = f"{rule['MinValue']} or more"
        if expected:
            option = re.sub(r"(?<=.)([A-Z])", r"-\1", name).lower()
            raise InputError(f"--{option} {value}: expected {expected}; python -m deploy up --help")


def line(event: Mapping[str, Any]) -> str:
    reason = one_line(event.get("ResourceStatusReason", ""))
    at = f"{event['Timestamp']:%H:%M:%S}"
    return f"{at}  {event['ResourceStatus']:<28} {event['LogicalResourceId']}  {reason}".rstrip()


def is_start(event: Mapping[str, Any], stack: str) -> bool:
    """Return whether the event starts a change of the whole stack."""
    starts = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    return event["LogicalResourceId"] == stack and event["ResourceStatus"] in starts


def account(aws: Aws) -> str:
    return str(aws.sts.get_caller_identity()["Account"])

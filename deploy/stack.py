"""The stack of template.yaml: made, changed, removed, each step of it told.

A change that fails leaves what was there before; a first stack that fails leaves nothing but its
name, and is removed by `down`.
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
UNFINISHED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""What such a stack has been, no update can change."""
Tell = Callable[[str], object]


@dataclass
class Stack:
    """tell: called with a line for each step. poll_s: seconds between two looks."""

    aws: Aws
    name: str
    tell: Tell = print
    poll_s: float = 5.0
    _seen: set[str] = field(default_factory=set)

    def found(self) -> dict[str, Any] | None:
        """CloudFormation's description; None where there is no such stack."""
        try:
            found = self.aws.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(found[0])

    def must_be_there(self) -> dict[str, Any]:
        found = self.found()
        if found is None:
            where = f"in {self.aws.region} of account {account(self.aws)}"
            raise InputError(
                f"there is no stack {self.name} {where}; give --region or --stack, or make it: "
                "python -m deploy up"
            )
        return found

    def outputs(self) -> dict[str, str]:
        """Address, Bucket, LogGroup, …, as the template names them."""
        given = self.must_be_there().get("Outputs", ())
        return {output["OutputKey"]: output["OutputValue"] for output in given}

    def apply(self, parameters: Mapping[str, str]) -> bool:
        """Make the stack, or change it: parameters that are not given stay. False where it is so
        already; InputError where it cannot be, with the reason of the first part that failed."""
        found = self.found()
        self.refuse(found)
        asked: dict[str, Any] = {
            "StackName": self.name,
            "TemplateBody": self.valid(),
            "Parameters": self._parameters(parameters, found),
            "Capabilities": ["CAPABILITY_IAM"],
        }
        self._events(found)
        try:
            if found is None:
                self.aws.cloudformation.create_stack(**asked, OnFailure="ROLLBACK")
            else:
                self.aws.cloudformation.update_stack(**asked)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        ended = self._wait()
        if not ended.endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")) or "ROLLBACK" in ended:
            raise InputError(f"{self.name} is {ended}: {self.reason()}{self._remedy(ended)}")
        return True

    def remove(self) -> None:
        self._events(self.found())
        self.aws.cloudformation.delete_stack(StackName=self.name)
        if (ended := self._wait()) != "DELETE_COMPLETE":
            raise InputError(f"{self.name} is {ended}: {self.reason()}; put that right, down again")

    def refuse(self, found: Mapping[str, Any] | None) -> None:
        """InputError where the stack is in a state that cannot be changed from."""
        status = found["StackStatus"] if found else ""
        if status in UNFINISHED:
            raise InputError(f"{self.name} is {status}: {self.reason()}{self._remedy(status)}")
        if status == "UPDATE_ROLLBACK_FAILED":
            raise InputError(
                f"{self.name} is {status}: {self.reason()}; put that right, then: "
                f"aws cloudformation continue-update-rollback --stack-name {self.name}"
            )
        if status.endswith("_IN_PROGRESS"):
            raise InputError(
                f"{self.name} is being changed ({status}); wait for it: python -m deploy status"
            )

    def valid(self) -> str:
        """The template, as CloudFormation takes it."""
        body = TEMPLATE.read_text()
        try:
            self.aws.cloudformation.validate_template(TemplateBody=body)
        except ClientError as error:
            if error.response["Error"].get("Code") != "ValidationError":
                raise
            message = one_line(error.response["Error"].get("Message", ""))
            raise InputError(
                f"{TEMPLATE.name} is not valid: {message}; cfn-lint deploy/template.yaml says where"
            ) from error
        return body

    def reason(self) -> str:
        """Why the last change failed: the first part that did not do what it should."""
        pages = self.aws.cloudformation.get_paginator("describe_stack_events")
        reason = "no reason is given"
        for page in pages.paginate(StackName=self.name):
            for event in page["StackEvents"]:  # newest first
                if event["ResourceStatus"].endswith("_FAILED"):
                    said = one_line(event.get("ResourceStatusReason", ""))
                    if "cancelled" not in said:
                        reason = f"{event['LogicalResourceId']}: {said}".rstrip(".")
                elif began(event, self.name):
                    return reason
        return reason

    def _remedy(self, status: str) -> str:
        if status in UNFINISHED:
            return f"; remove it: python -m deploy down --stack {self.name}, then up again"
        return "; what was there before is there still. python -m deploy logs may say more"

    def _parameters(
        self, given: Mapping[str, str], found: Mapping[str, Any] | None
    ) -> list[dict[str, Any]]:
        known = {each["ParameterKey"] for each in (found or {}).get("Parameters", ())}
        new = [{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()]
        return new + [
            {"ParameterKey": k, "UsePreviousValue": True} for k in sorted(known - {*given})
        ]

    def _wait(self) -> str:
        """Until nothing is in progress: the status at the end."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            found = self.found()
            if found is None:
                return "DELETE_COMPLETE"
            self._events(found, self.tell)
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                return str(found["StackStatus"])
            time.sleep(self.poll_s)
        return "still in progress after an hour"

    def _events(self, found: Mapping[str, Any] | None, tell: Tell | None = None) -> None:
        """Tell what is new of the stack's parts, oldest first; with no one to tell, what there is
        now is not new any more."""
        if found is None:
            return
        events = self.aws.cloudformation.describe_stack_events(StackName=found["StackId"])
        for event in reversed(events["StackEvents"]):
            if event["EventId"] not in self._seen:
                self._seen.add(event["EventId"])
                if tell:
                    tell(line(event))


class Tagged(yaml.SafeLoader):  # type: ignore[misc]
    """Reads a template: !Ref and its like as what they are applied to."""


Tagged.add_multi_constructor("!", lambda loader, _, node: getattr(node, "value", None))


def rules() -> dict[str, dict[str, Any]]:
    """The template's parameters."""
    return dict(yaml.load(TEMPLATE.read_text(), Tagged)["Parameters"])


def defaults() -> dict[str, str]:
    """Of those parameters of the template that have one."""
    return {name: str(each["Default"]) for name, each in rules().items() if "Default" in each}


def check(asked: Mapping[str, str]) -> None:
    """InputError for a value that the template would refuse, some minutes and a bucket later."""
    for name, rule in rules().items():
        value = asked.get(name)
        if value is None:
            continue
        needed = ""
        if not re.fullmatch(pattern := rule.get("AllowedPattern", ".*"), value):
            needed = pattern
        if value not in rule.get("AllowedValues", [value]):
            needed = ", ".join(rule["AllowedValues"])
        if "MinValue" in rule and int(value) < rule["MinValue"]:
            needed = f"{rule['MinValue']} or more"
        if needed:
            option = re.sub(r"(?<=.)([A-Z])", r"-\1", name).lower()
            raise InputError(f"--{option} {value}: needed {needed}; python -m deploy up --help")


def line(event: Mapping[str, Any]) -> str:
    reason = one_line(event.get("ResourceStatusReason", ""))
    at = f"{event['Timestamp']:%H:%M:%S}"
    return f"{at}  {event['ResourceStatus']:<28} {event['LogicalResourceId']}  {reason}".rstrip()


def began(event: Mapping[str, Any], stack: str) -> bool:
    """Whether this is where a change of the whole stack began."""
    starts = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
    return event["LogicalResourceId"] == stack and event["ResourceStatus"] in starts


def account(aws: Aws) -> str:
    return str(aws.sts.get_caller_identity()["Account"])

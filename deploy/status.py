"""What runs and what it says: `status` and `logs`."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx

from deploy.rollout import parameters
from deploy.stack import Stack


def status(stack: Stack) -> None:
    """The stack, each machine as the load balancer sees it, and the model that answers."""
    found = stack.must_be_there()
    given, outputs = parameters(found), stack.outputs()
    stack.tell(f"stack    {stack.name}: {found['StackStatus']}, {stack.aws.region}")
    stack.tell(f"address  {outputs.get('Address', 'not yet')}")
    stack.tell(f"store    s3://{given['Bucket']}/models/{given['Model']}")
    stack.tell(f"code     {given.get('Code') or 'none yet: python -m deploy up'}")
    for machine in machines(stack, outputs.get("Group", ""), outputs.get("TargetGroup", "")):
        stack.tell(f"machine  {machine}")
    if "Address" in outputs:
        stack.tell(f"model    {answering(outputs['Address'])}")


def machines(stack: Stack, group: str, targets: str) -> Iterator[str]:
    if not group:
        return
    health = stack.aws.elbv2.describe_target_health(TargetGroupArn=targets)
    seen = {
        each["Target"]["Id"]: each["TargetHealth"] for each in health["TargetHealthDescriptions"]
    }
    asked = stack.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    for one in asked["AutoScalingGroups"][0]["Instances"]:
        said = seen.get(one["InstanceId"], {"State": "not registered yet"})
        reason = f" ({said['Description']})" if said.get("Description") else ""
        yield f"{one['InstanceId']}  {one['LifecycleState']}, {said['State']}{reason}"


def answering(address: str) -> str:
    """What /readyz says, which needs no key."""
    try:
        answer = httpx.get(f"{address}/readyz", timeout=10)
        said = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return f"no answer from {address}/readyz ({type(error).__name__}); python -m deploy logs"
    if answer.status_code != 200:
        return f"not ready ({answer.status_code}); python -m deploy logs"
    parts = (f"{name} {said[name]}" for name in ("events", "releases") if name in said)
    return ", ".join([str(said.get("model_version")), *parts])


def logs(stack: Stack, since_s: float, follow: bool, poll_s: float = 2.0) -> None:
    """What machines wrote since so many seconds ago, oldest first; with follow, and go on."""
    group = stack.outputs()["LogGroup"]
    start, told = int((time.time() - since_s) * 1000), set[str]()
    while True:
        pages = stack.aws.logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, startTime=start):
            for event in page["events"]:
                if event["eventId"] not in told:
                    told.add(event["eventId"])
                    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                    message = event["message"].rstrip()
                    stack.tell(f"{at:%m-%d %H:%M:%S}  {event['logStreamName']}  {message}")
        if not follow:
            return
        time.sleep(poll_s)

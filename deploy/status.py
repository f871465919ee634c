"""`status` and `logs`: the machines, the serving model, and their log lines."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx

from deploy.rollout import parameters
from deploy.stack import Stack


def status(stack: Stack) -> None:
    """Report the stack, each machine's health, and the serving model."""
    description = stack.require()
    values, outputs = parameters(description), stack.outputs()
    stack.report(f"stack    {stack.name}: {description['StackStatus']}, {stack.aws.region}")
    stack.report(f"address  {outputs.get('Address', 'not yet')}")
    stack.report(f"store    s3://{values['Bucket']}/models/{values['Model']}")
    stack.report(f"code     {values.get('Code') or 'none yet: python -m deploy up'}")
    for machine in machines(stack, outputs.get("Group", ""), outputs.get("TargetGroup", "")):
        stack.report(f"machine  {machine}")
    if "Address" in outputs:
        stack.report(f"model    {answering(outputs['Address'])}")


def machines(stack: Stack, group: str, targets: str) -> Iterator[str]:
    if not group:
        return
    health = stack.aws.elbv2.describe_target_health(TargetGroupArn=targets)
    health_by_id = {
        target["Target"]["Id"]: target["TargetHealth"]
        for target in health["TargetHealthDescriptions"]
    }
    response = stack.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    for machine in response["AutoScalingGroups"][0]["Instances"]:
        health_state = health_by_id.get(machine["InstanceId"], {"State": "not registered yet"})
        reason = f" ({health_state['Description']})" if health_state.get("Description") else ""
        state = f"{machine['LifecycleState']}, {health_state['State']}{reason}"
        yield f"{machine['InstanceId']}  {state}"


def answering(address: str) -> str:
    """Return the state that /readyz reports; it needs no key."""
    try:
        answer = httpx.get(f"{address}/readyz", timeout=10)
        content = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return f"no answer from {address}/readyz ({type(error).__name__}); python -m deploy logs"
    if answer.status_code != 200:
        return f"not ready ({answer.status_code}); python -m deploy logs"
    parts = (f"{name} {content[name]}" for name in ("events", "releases") if name in content)
    return ", ".join([str(content.get("model_version")), *parts])


def logs(stack: Stack, since_s: float, follow: bool, poll_s: float = 2.0) -> None:
    """Report log lines of the last `since_s` seconds, oldest first.

    follow: go on until ctrl-C.
    """
    group = stack.outputs()["LogGroup"]
    start, event_ids = int((time.time() - since_s) * 1000), set[str]()
    while True:
        pages = stack.aws.logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, startTime=start):
            for event in page["events"]:
                if event["eventId"] not in event_ids:
                    event_ids.add(event["eventId"])
                    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                    message = event["message"].rstrip()
                    stack.report(f"{at:%m-%d %H:%M:%S}  {event['logStreamName']}  {message}")
        if not follow:
            return
        time.sleep(poll_s)

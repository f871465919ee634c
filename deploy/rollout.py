"""What `up`, `restore`, `release` and `down` do, step by step; every step may be repeated.

The bucket comes first, then code and a model in it, then machines: one that finds no model would
never be ready.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy import code
from deploy.stack import Stack, account, check, defaults
from marquee.core.errors import InputError
from marquee.releases.pointer import POINTER

SETTINGS = ("API_KEYS", "EVENTS_URL")
"""Without keys the service answers its own machine only, and without one database each machine
would know other persons."""


def up(
    stack: Stack, given: Mapping[str, str], restored: bool = False, root: Path = code.ROOT
) -> None:
    """Make or change the stack so that it serves; given: parameters of the template.

    restored: with the code that the bucket says, instead of that of this clone. Raises InputError
    where something is missing, before anything is made where it can be known before.
    """
    found = stack.found()
    stack.refuse(found)
    stack.tell(f"{stack.name}: account {account(stack.aws)}, {stack.aws.region}")
    asked = defaults() | parameters(found) | dict(given)
    if not asked.get("Model"):
        raise InputError("no model is named; give --model ml-1m, as in s3://BUCKET/models/ml-1m")
    check(asked)
    if int(asked["Max"]) <= int(asked["Min"]):
        raise InputError(
            f"--max {asked['Max']} is not above --min {asked['Min']}; a new machine answers before "
            "an old one goes"
        )
    if asked.get("Bucket") != parameters(found).get("Bucket", asked.get("Bucket")):
        raise InputError(
            f"{stack.name} has a bucket; for another: --stack NAME, or down and restore"
        )
    secret(stack, asked["Settings"])
    if found is None:
        asked |= network(stack, given) | bucket(stack, given, restored)
        stack.apply(asked)
    version = sent(stack, asked["Bucket"], root) if not restored else kept(stack, asked["Bucket"])
    promoted(stack, asked["Bucket"], asked["Model"])
    roll(stack, given, version)
    if not asked["Certificate"]:
        stack.tell("without --certificate ARN answers and API keys travel in clear")


def release(stack: Stack, version: str, upload_only: bool = False, root: Path = code.ROOT) -> None:
    """New code on every machine, one after the other; an empty version is that of this clone.

    With the code that they have machines are replaced too: they read settings when they start.
    """
    found = stack.must_be_there()
    stack.refuse(found)
    into = parameters(found)["Bucket"]
    if not version:
        version = sent(stack, into, root)
    elif not code.there(stack.aws.s3, into, f"code/{version}/marquee.tar.gz"):
        raise InputError(f"there is no code {version} in s3://{into}/code/; aws s3 ls names those")
    if not upload_only:
        promoted(stack, into, parameters(found)["Model"])
        if not roll(stack, {}, version):
            renew(stack)


def roll(stack: Stack, given: Mapping[str, str], version: str) -> bool:
    """Whether something was changed. A machine counts when it has answered; where one does not,
    CloudFormation goes back to the version before, and the bucket still names that one."""
    stack.tell(f"machines with code {version}")
    changed = stack.apply(dict(given) | {"Code": version})
    outputs = stack.outputs()
    code.record(stack.aws.s3, outputs["Bucket"], version)
    stack.tell(f"{'' if changed else 'nothing to change; '}serving at {outputs['Address']}")
    return changed


def renew(stack: Stack) -> None:
    """Replace every machine by one like it, which is ready before the old one goes."""
    group = {"AutoScalingGroupName": stack.outputs()["Group"]}
    began = stack.aws.autoscaling.start_instance_refresh(
        **group, Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    )
    ids, told = [began["InstanceRefreshId"]], ""
    while True:
        asked = stack.aws.autoscaling.describe_instance_refreshes(**group, InstanceRefreshIds=ids)
        (found,) = asked["InstanceRefreshes"]
        status = found["Status"]
        line = f"machines anew: {status}, {found.get('PercentageComplete', 0)}%"
        if line != told:
            stack.tell(told := line)
        if status == "Successful":
            return
        if status in ("Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"):
            reason = found.get("StatusReason", "no reason is given")
            raise InputError(f"{line}: {reason}; python -m deploy logs may say more")
        time.sleep(stack.poll_s)


def down(stack: Stack, typed: str) -> None:
    """Remove everything but the bucket; that too where its name was typed."""
    found = stack.must_be_there()
    kept = parameters(found)["Bucket"]
    if typed and typed != kept:
        raise InputError(f"the bucket is {kept}, not {typed}; nothing was removed")
    stack.remove()
    if not typed:
        stack.tell(f"s3://{kept} stays, with every model and all code; to serve from it again: up")
        return
    for page in stack.aws.s3.get_paginator("list_object_versions").paginate(Bucket=kept):
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            stack.aws.s3.delete_object(Bucket=kept, Key=each["Key"], VersionId=each["VersionId"])
    stack.aws.s3.delete_bucket(Bucket=kept)
    stack.tell(f"s3://{kept} is removed, with every version of everything in it")


def sent(stack: Stack, into: str, root: Path) -> str:
    version, keys = code.upload(stack.aws.s3, into, root)
    stack.tell(f"code {version}: {f'{len(keys)} objects sent' if keys else 'there already'}")
    return version


def kept(stack: Stack, where: str) -> str:
    version = code.current(stack.aws.s3, where)
    if not version:
        raise InputError(
            f"s3://{where}/code/current is missing, so no code was ever rolled out: up"
        )
    return version


def promoted(stack: Stack, where: str, model: str) -> None:
    if not code.there(stack.aws.s3, where, f"models/{model}/{POINTER}"):
        store = f"s3://{where}/models/{model}"
        raise InputError(
            f"no model is promoted in {store}; marquee releases push bundles/{model} {store}, "
            f"marquee releases promote VERSION {store}, then this again"
        )


def secret(stack: Stack, path: str) -> None:
    """InputError where a setting is missing, or lies there for everybody to read."""
    names = [f"{path}/{name}" for name in SETTINGS]
    found = stack.aws.ssm.get_parameters(Names=names)["Parameters"]
    kinds = {each["Name"]: each["Type"] for each in found}
    for name in names:
        if kinds.get(name) != "SecureString":
            reason = f"is a {kinds[name]}" if name in kinds else "is not in Parameter Store"
            raise InputError(
                f"{name} {reason}; aws ssm put-parameter --type SecureString --overwrite "
                f"--region {stack.aws.region} --name {name} --value …"
            )


def bucket(stack: Stack, given: Mapping[str, str], restored: bool) -> dict[str, str]:
    """Its name, and whether the stack makes it."""
    name = given.get("Bucket") or f"{stack.name}-{account(stack.aws)}-{stack.aws.region}"
    try:
        stack.aws.s3.head_bucket(Bucket=name)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404 and not restored:
            return {"Bucket": name, "MakeBucket": "yes"}
        reason = {404: "is not there", 301: "is in another region"}.get(
            status, "is somebody else's"
        )
        raise InputError(f"the bucket {name} {reason}; give --bucket NAME, or --region") from error
    return {"Bucket": name, "MakeBucket": "no"}


def network(stack: Stack, given: Mapping[str, str]) -> dict[str, str]:
    """The VPC that is given, else the region's default one, and a subnet in two of its zones."""
    default = {"Filters": [{"Name": "is-default", "Values": ["true"]}]}
    vpcs = stack.aws.ec2.describe_vpcs(**({} if "Vpc" in given else default))["Vpcs"]
    names = [each["VpcId"] for each in vpcs]
    if not names or given.get("Vpc", names[0]) not in names:
        what = f"no VPC {given['Vpc']}" if "Vpc" in given else "no default VPC"
        there = f"; there are {', '.join(names)}" if names else ""
        raise InputError(
            f"{what} in {stack.aws.region}{there}; give --vpc and --subnets, or --region"
        )
    vpc = given.get("Vpc", names[0])
    if "Subnets" in given:
        return {"Vpc": vpc}
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    subnets: list[dict[str, Any]] = stack.aws.ec2.describe_subnets(Filters=inside)["Subnets"]
    zones = {each["AvailabilityZone"]: each["SubnetId"] for each in subnets}
    if len(zones) < 2:
        raise InputError(f"{vpc} has subnets in {len(zones)} zones; a load balancer needs two")
    return {"Vpc": vpc, "Subnets": ",".join(zones[name] for name in sorted(zones)[:2])}


def parameters(found: Mapping[str, Any] | None) -> dict[str, str]:
    """As the stack has them; none where there is no stack."""
    given = (found or {}).get("Parameters", ())
    return {each["ParameterKey"]: each["ParameterValue"] for each in given}

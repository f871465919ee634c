"""The steps of `up`, `restore`, `release` and `down`; every step may be repeated.

The bucket comes first, then code and a model in it, then machines: a machine without a model would
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
"""Without keys the service answers its own machine only; without one database each machine would
know other users."""


def up(
    stack: Stack, options: Mapping[str, str], restored: bool = False, root: Path = code.ROOT
) -> None:
    """Create or change the stack so that it serves.

    options: parameters of the template. restored: with the code that the bucket names, instead of
    that of this clone. Raises InputError if something is missing, before anything is created if
    that can be known.
    """
    description = stack.describe()
    stack.refuse(description)
    stack.report(f"{stack.name}: account {account(stack.aws)}, {stack.aws.region}")
    values = defaults() | parameters(description) | dict(options)
    if not values.get("Model"):
        raise InputError("no model is named, expected --model ml-1m as in s3://BUCKET/models/ml-1m")
    check(values)
    if int(values["Max"]) <= int(values["Min"]):
        raise InputError(
            f"--max {values['Max']}: expected more than --min {values['Min']}; a new machine "
            "answers before an old one goes"
        )
    if values.get("Bucket") != parameters(description).get("Bucket", values.get("Bucket")):
        raise InputError(
            f"{stack.name}: has a bucket already, expected no other --bucket; "
            "for another: --stack NAME, or down and restore"
        )
    require_secrets(stack, values["Settings"])
    if description is None:
        values |= network(stack, options) | bucket(stack, options, restored)
        stack.apply(values)
    version = (
        upload_code(stack, values["Bucket"], root)
        if not restored
        else recorded_code(stack, values["Bucket"])
    )
    require_promoted(stack, values["Bucket"], values["Model"])
    roll(stack, options, version)
    if not values["Certificate"]:
        stack.report("without --certificate ARN answers and API keys travel unencrypted")


def release(stack: Stack, version: str, upload_only: bool = False, root: Path = code.ROOT) -> None:
    """Roll code out to every machine, one after the other.

    version: "" for this clone's code. Machines that have this code are replaced, too: they read
    settings when they start.
    """
    description = stack.require()
    stack.refuse(description)
    bucket_name = parameters(description)["Bucket"]
    if not version:
        version = upload_code(stack, bucket_name, root)
    elif not code.exists(stack.aws.s3, bucket_name, f"code/{version}/marquee.tar.gz"):
        raise InputError(
            f"no code {version} in s3://{bucket_name}/code/, expected a version there; "
            "aws s3 ls lists them"
        )
    if not upload_only:
        require_promoted(stack, bucket_name, parameters(description)["Model"])
        if not roll(stack, {}, version):
            renew(stack)


def roll(stack: Stack, options: Mapping[str, str], version: str) -> bool:
    """Roll a version out; return whether the stack changed.

    A machine counts when it has answered. Where one does not, CloudFormation goes back to the
    version before, and the bucket still names that one.
    """
    stack.report(f"machines with code {version}")
    changed = stack.apply(dict(options) | {"Code": version})
    outputs = stack.outputs()
    code.record(stack.aws.s3, outputs["Bucket"], version)
    stack.report(f"{'' if changed else 'nothing to change; '}serving at {outputs['Address']}")
    return changed


def renew(stack: Stack) -> None:
    """Replace every machine by a like one, which is ready before the old one goes."""
    group = {"AutoScalingGroupName": stack.outputs()["Group"]}
    started = stack.aws.autoscaling.start_instance_refresh(
        **group, Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    )
    ids, last_line = [started["InstanceRefreshId"]], ""
    while True:
        response = stack.aws.autoscaling.describe_instance_refreshes(
            **group, InstanceRefreshIds=ids
        )
        (refresh,) = response["InstanceRefreshes"]
        status = refresh["Status"]
        line = f"machines anew: {status}, {refresh.get('PercentageComplete', 0)}%"
        if line != last_line:
            stack.report(last_line := line)
        if status == "Successful":
            return
        if status in ("Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"):
            reason = refresh.get("StatusReason", "no reason is given")
            raise InputError(
                f"{line} ({reason}), expected Successful; python -m deploy logs may say more"
            )
        time.sleep(stack.poll_s)


def down(stack: Stack, confirmation: str) -> None:
    """Remove everything but the bucket.

    confirmation: the bucket's name removes the bucket, too; "" leaves it.
    """
    description = stack.require()
    bucket_name = parameters(description)["Bucket"]
    if confirmation and confirmation != bucket_name:
        raise InputError(
            f"--delete-bucket {confirmation}: another name, expected {bucket_name}; "
            "nothing was removed"
        )
    stack.remove()
    if not confirmation:
        stack.report(
            f"s3://{bucket_name} stays, with every model and all code; to serve from it again: up"
        )
        return
    for page in stack.aws.s3.get_paginator("list_object_versions").paginate(Bucket=bucket_name):
        for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            stack.aws.s3.delete_object(
                Bucket=bucket_name, Key=entry["Key"], VersionId=entry["VersionId"]
            )
    stack.aws.s3.delete_bucket(Bucket=bucket_name)
    stack.report(f"s3://{bucket_name} is removed, with every version of everything in it")


def upload_code(stack: Stack, bucket_name: str, root: Path) -> str:
    version, keys = code.upload(stack.aws.s3, bucket_name, root)
    stack.report(f"code {version}: {f'{len(keys)} objects sent' if keys else 'there already'}")
    return version


def recorded_code(stack: Stack, bucket_name: str) -> str:
    version = code.current(stack.aws.s3, bucket_name)
    if not version:
        raise InputError(
            f"s3://{bucket_name}/code/current: missing, expected the code that was rolled out "
            "last; python -m deploy up"
        )
    return version


def require_promoted(stack: Stack, bucket_name: str, model: str) -> None:
    if not code.exists(stack.aws.s3, bucket_name, f"models/{model}/{POINTER}"):
        store = f"s3://{bucket_name}/models/{model}"
        raise InputError(
            f"no model is promoted in {store}, expected one; "
            f"marquee releases push bundles/{model} {store}, "
            f"marquee releases promote VERSION {store}, then this again"
        )


def require_secrets(stack: Stack, path: str) -> None:
    """Raise InputError if a setting is missing, or stored unencrypted."""
    names = [f"{path}/{name}" for name in SETTINGS]
    settings = stack.aws.ssm.get_parameters(Names=names)["Parameters"]
    kinds = {setting["Name"]: setting["Type"] for setting in settings}
    for name in names:
        if kinds.get(name) != "SecureString":
            reason = f"a {kinds[name]}" if name in kinds else "not in Parameter Store"
            raise InputError(
                f"{name}: {reason}, expected a SecureString; "
                "aws ssm put-parameter --type SecureString --overwrite "
                f"--region {stack.aws.region} --name {name} --value …"
            )


def bucket(stack: Stack, options: Mapping[str, str], restored: bool) -> dict[str, str]:
    """Return the bucket's name, and `MakeBucket` if the stack creates it."""
    name = options.get("Bucket") or f"{stack.name}-{account(stack.aws)}-{stack.aws.region}"
    try:
        stack.aws.s3.head_bucket(Bucket=name)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404 and not restored:
            return {"Bucket": name, "MakeBucket": "yes"}
        problem = {404: "missing", 301: "in another region"}.get(status, "of another account")
        raise InputError(
            f"bucket {name}: {problem}, expected one of this account and region; "
            "name another with --bucket, or --region"
        ) from error
    return {"Bucket": name, "MakeBucket": "no"}


def network(stack: Stack, options: Mapping[str, str]) -> dict[str, str]:
    """Return the VPC of the options, else the default one, and its subnets.

    There is one subnet in each of two zones, unless the options name subnets.
    """
    default = {"Filters": [{"Name": "is-default", "Values": ["true"]}]}
    vpcs = stack.aws.ec2.describe_vpcs(**({} if "Vpc" in options else default))["Vpcs"]
    names = [vpc["VpcId"] for vpc in vpcs]
    if not names or options.get("Vpc", names[0]) not in names:
        problem = f"no VPC {options['Vpc']}" if "Vpc" in options else "no default VPC"
        expected = f"one of {', '.join(names)}" if names else "one"
        raise InputError(
            f"{problem} in {stack.aws.region}, expected {expected}; "
            "name it with --vpc and --subnets, or another --region"
        )
    vpc = options.get("Vpc", names[0])
    if "Subnets" in options:
        return {"Vpc": vpc}
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    subnets: list[dict[str, Any]] = stack.aws.ec2.describe_subnets(Filters=inside)["Subnets"]
    zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
    if len(zones) < 2:
        raise InputError(
            f"{vpc}: subnets in {len(zones)} zones, expected two for a load balancer; "
            "name another with --vpc and --subnets"
        )
    return {"Vpc": vpc, "Subnets": ",".join(zones[name] for name in sorted(zones)[:2])}


def parameters(description: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the parameters of a stack; none if there is no stack."""
    pairs = (description or {}).get("Parameters", ())
    return {pair["ParameterKey"]: pair["ParameterValue"] for pair in pairs}

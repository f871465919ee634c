"""The service on EC2, from the command line.

    python -m deploy up --model ml-1m          make it, or make it as this clone says: 10 min
    python -m deploy status                    machines, their health, the model that answers
    python -m deploy logs --since 15           what they wrote in the last 15 minutes; --follow
    python -m deploy release                   this clone's code, machine after machine
    python -m deploy release --code VERSION    back to code that was released before
    python -m deploy restore --bucket NAME     all of it anew, from what a bucket holds
    python -m deploy down                      remove it; the bucket stays

New weights need none of this: marquee releases promote. deploy/README.md has costs and failures.
"""

import argparse
import sys

from deploy import rollout, status
from deploy.aws import Aws, explained_errors
from deploy.stack import Stack
from marquee.core.command import ArgumentParser, run_command

MAX_MINUTES = 366 * 24 * 60
PARAMETERS = {
    "model": "name of the model: its releases are at s3://BUCKET/models/MODEL",
    "bucket": "its name (default: STACK-ACCOUNT-REGION); made if it is not there",
    "vpc": "default: the region's default VPC",
    "subnets": "comma-separated, in two zones or more (default: one in each of two)",
    "instance-type": "default: t3.medium",
    "min": "fewest machines (default: 1)",
    "max": "most machines, above --min (default: 2)",
    "certificate": "ARN of an ACM certificate, for HTTPS",
    "callers": "addresses that may ask (default: 0.0.0.0/0)",
    "settings": "path in Parameter Store of API_KEYS and EVENTS_URL (default: /marquee)",
    "topic": "ARN of an SNS topic for alarms",
    "repository": "OWNER/NAME at GitHub whose workflows may push models and code",
}


def main(args: list[str] | None = None) -> int:
    """Run one of up, status, logs, release, restore and down.

    Returns the exit status: 2 for an error that the caller can mend.
    """
    args = sys.argv[1:] if args is None else args
    return run_command(
        "deploy",
        lambda: connect_and_run(args),
        interrupted="stopped looking; AWS goes on: python -m deploy status",
    )


def connect_and_run(args: list[str]) -> None:
    options = parser().parse_args(args)
    aws = Aws.connect(options.region)
    with explained_errors(aws.region):
        run(Stack(aws=aws, name=options.stack), options)


def run(stack: Stack, options: argparse.Namespace) -> None:
    match options.command:
        case "up" | "restore":
            rollout.up(stack, template_parameters(options), restored=options.command == "restore")
        case "release":
            rollout.release(stack, options.code, options.upload_only)
        case "status":
            status.status(stack)
        case "logs":
            status.logs(stack, options.since * 60, options.follow)
        case "down":
            rollout.down(stack, options.delete_bucket)


def template_parameters(options: argparse.Namespace) -> dict[str, str]:
    """Return the options that are set under the template's names.

    --instance-type t3.large becomes InstanceType=t3.large.
    """
    pairs = ((name, getattr(options, name.replace("-", "_"))) for name in PARAMETERS)
    return {name.title().replace("-", ""): str(value) for name, value in pairs if value is not None}


def minutes(text: str) -> float:
    """Parse minutes; argparse refuses a ValueError."""
    if not 0 < (value := float(text)) < MAX_MINUTES:
        raise ValueError
    return value


def parser() -> ArgumentParser:
    root = ArgumentParser(
        prog="python -m deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=summary, description=summary)
        subparser.add_argument("--stack", default="marquee", help="its name (default: marquee)")
        subparser.add_argument("--region", help="default: as the AWS command finds it")
        return subparser

    for name, summary in (
        ("up", "make the stack, or change it: parameters that are left out stay"),
        ("restore", "make the stack anew, with the code and the model that a bucket holds"),
    ):
        subparser = command(name, summary)
        for option, meaning in PARAMETERS.items():
            kind = int if option in ("min", "max") else str
            subparser.add_argument(f"--{option}", type=kind, help=meaning)
    subparser = command("release", "new code on every machine, one after the other")
    code_options = subparser.add_mutually_exclusive_group()
    code_options.add_argument(
        "--code", default="", metavar="VERSION", help="one that is in the bucket"
    )
    code_options.add_argument(
        "--upload-only", action="store_true", help="send it, and change no machine"
    )
    command("status", "the stack, its machines, the model that answers")
    subparser = command("logs", "what the machines wrote")
    subparser.add_argument(
        "--since", type=minutes, default=15, metavar="MINUTES", help="default: 15"
    )
    subparser.add_argument("--follow", action="store_true", help="go on, until ctrl-C")
    subparser = command("down", "remove the stack; the bucket stays")
    subparser.add_argument(
        "--delete-bucket", default="", metavar="NAME", help="and this bucket for good"
    )
    return root


if __name__ == "__main__":
    sys.exit(main())

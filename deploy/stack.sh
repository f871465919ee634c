#!/usr/bin/env bash
# The service on EC2, through `aws cloudformation`. Every command may be repeated.
#
#   deploy/stack.sh up --model ml-1m        make the stack, or change it: options that are left out stay
#   deploy/stack.sh status                  the stack, its machines, the model that answers
#   deploy/stack.sh logs --since 15         log lines of the last 15 minutes; --follow yes goes on
#   deploy/stack.sh release                 this clone's code, machine after machine
#   deploy/stack.sh release --code VERSION  back to code that was released before
#   deploy/stack.sh upload                  send this clone's code to the bucket, and change no machine
#   deploy/stack.sh restore --bucket NAME --model ml-1m    make the stack from what a bucket holds
#   deploy/stack.sh down                    remove the stack; --delete-bucket NAME removes the bucket, too
#
# Options of all: --stack NAME (default marquee), --region REGION. Options of up and restore are the
# parameters of template.yaml: --model --bucket --vpc --subnets --instance-type --min --max --certificate
# --callers --settings --topic --repository. It needs the AWS CLI, signed in; `logs` needs its version 2.
# Exit status: 2 for an error that the caller can mend. docs/deploy.md has costs, durations, failures.
set -euo pipefail
cd "$(dirname "$0")/.."
export AWS_PAGER=""
STACK=marquee CODE="" CHANGED=no SINCE=15 FOLLOW="" DELETE_BUCKET="" POLL_S=${POLL_S:-5}
PARAMETERS="Model Bucket Vpc Subnets InstanceType Min Max Certificate Callers Settings Topic Repository"
declare -A OPTIONS=() # parameters of the template, as given
declare -A VALUES=()  # parameters, outputs and status of the stack, as it is

fail() {
  echo "stack: error: $*" >&2
  exit 2
}

parse_options() {
  while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || fail "$1: no value, expected one; deploy/stack.sh help"
    case $1 in
      --stack) STACK=$2 ;;
      --region) export AWS_REGION=$2 AWS_DEFAULT_REGION=$2 ;;
      --code) CODE=$2 ;;
      --since) SINCE=$2 ;;
      --follow) FOLLOW=--follow ;;
      --delete-bucket) DELETE_BUCKET=$2 ;;
      --*)
        local words name
        IFS=- read -ra words <<<"${1#--}" # instance-type -> InstanceType
        name=$(printf %s "${words[@]^}")
        [[ " $PARAMETERS " == *" $name "* ]] || fail "$1: unknown, expected an option of deploy/stack.sh help"
        OPTIONS[$name]=$2
        ;;
      *) fail "$1: expected an option of deploy/stack.sh help" ;;
    esac
    shift 2
  done
}

sign_in() {
  ACCOUNT=$(aws sts get-caller-identity --query Account --output text) \
    || fail "no session with AWS, expected one; aws sso login, or AWS_PROFILE=NAME"
  REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region)}} \
    || fail "no AWS region is set, expected one; --region us-east-1, or AWS_DEFAULT_REGION"
  echo "$STACK: account $ACCOUNT, $REGION"
}

exists() { aws s3api head-object --bucket "$1" --key "$2" >/dev/null 2>&1; }

# Fill VALUES; STATUS is empty where there is no stack.
read_stack() {
  local lines name value
  VALUES=([Status]="")
  if ! lines=$(aws cloudformation describe-stacks --stack-name "$STACK" --output text --query \
    "Stacks[0].[[['Status', StackStatus]], Parameters[].[ParameterKey, ParameterValue],
     Outputs[].[OutputKey, OutputValue]][]" 2>&1); then
    [[ $lines == *"does not exist"* ]] || fail "$lines"
    lines=""
  fi
  while IFS=$'\t' read -r name value; do [ -z "$name" ] || VALUES[$name]=$value; done <<<"$lines"
  STATUS=${VALUES[Status]}
}

require_stack() {
  read_stack
  [ -n "$STATUS" ] || fail "there is no stack $STACK in $REGION of account $ACCOUNT, expected one; name another" \
    "--region or --stack, or make it: deploy/stack.sh up"
}

# Refuse a stack that cannot be changed.
require_changeable() {
  case $STATUS in
    UPDATE_ROLLBACK_FAILED)
      fail "$STACK: $STATUS ($(reason)), expected a stack that can change; mend that, then: aws cloudformation" \
        "continue-update-rollback --stack-name $STACK" ;;
    ROLLBACK_COMPLETE | *_FAILED)
      fail "$STACK: $STATUS ($(reason)), expected a stack that can change; deploy/stack.sh down, then up" ;;
    *_IN_PROGRESS) fail "$STACK: $STATUS, expected no change under way; wait for it: deploy/stack.sh status" ;;
  esac
}

# Print the part that failed last, and why.
reason() {
  aws cloudformation describe-stack-events --stack-name "$STACK" --output text --query \
    "StackEvents[?ends_with(ResourceStatus, '_FAILED') && !contains(not_null(ResourceStatusReason, ''), 'cancelled')]
     | [0].[LogicalResourceId, ResourceStatusReason]"
}

# Make or change the stack: apply [CODE]; what is left out stays. A failure leaves it as it was.
apply() {
  local verb=update name answer parameters=()
  [ -n "$STATUS" ] || verb=create
  [ $# = 0 ] || OPTIONS[Code]=$1
  for name in $PARAMETERS Code MakeBucket; do
    if [ -n "${OPTIONS[$name]+set}" ]; then
      parameters+=("ParameterKey=$name,ParameterValue=${OPTIONS[$name]//,/\\,}")
    elif [ -n "${VALUES[$name]+set}" ]; then
      parameters+=("ParameterKey=$name,UsePreviousValue=true")
    fi
  done
  CHANGED=yes
  if ! answer=$(aws cloudformation "$verb-stack" --stack-name "$STACK" --template-body file://deploy/template.yaml \
    --capabilities CAPABILITY_IAM --parameters "${parameters[@]}" 2>&1); then
    [[ $answer == *"No updates are to be performed"* ]] || fail "$STACK: $answer"
    CHANGED=no
    return
  fi
  aws cloudformation wait "stack-$verb-complete" --stack-name "$STACK" || {
    read_stack
    fail "$STACK: $STATUS ($(reason)), expected a finished change; deploy/stack.sh logs may say more"
  }
  read_stack
}

require_secrets() { # without keys the service answers its own machine only
  local name secure
  secure=$(aws ssm get-parameters --names "$1/API_KEYS" "$1/EVENTS_URL" --output text \
    --query "Parameters[?Type=='SecureString'].Name")
  for name in "$1/API_KEYS" "$1/EVENTS_URL"; do
    [[ " ${secure//[[:space:]]/ } " == *" $name "* ]] || fail "$name: not in Parameter Store as a SecureString," \
      "expected one; aws ssm put-parameter --type SecureString --overwrite --name $name --value …"
  done
}

require_promoted() {
  local store="s3://$1/models/$2"
  exists "$1" "models/$2/current.json" || fail "no model is promoted in $store, expected one; marquee releases push" \
    "bundles/$2 $store, marquee releases promote VERSION $store, then this again"
}

# Set Bucket and MakeBucket for a new stack.
choose_bucket() {
  local error
  OPTIONS[Bucket]=${OPTIONS[Bucket]:-$STACK-$ACCOUNT-$REGION}
  OPTIONS[MakeBucket]=no
  error=$(aws s3api head-bucket --bucket "${OPTIONS[Bucket]}" 2>&1 >/dev/null) && return
  [[ $error == *404* && $1 == up ]] || fail "bucket ${OPTIONS[Bucket]}: $error, expected one of this account and" \
    "region; name another with --bucket, or --region"
  OPTIONS[MakeBucket]=yes
}

# Set Vpc and Subnets for a new stack: the default VPC, and a subnet in each of two zones.
choose_network() {
  OPTIONS[Vpc]=${OPTIONS[Vpc]:-$(aws ec2 describe-vpcs --filters Name=is-default,Values=true --output text \
    --query "Vpcs[0].VpcId")}
  [[ ${OPTIONS[Vpc]} == vpc-* ]] || fail "no default VPC in $REGION, expected one; name one with --vpc and --subnets"
  [ -z "${OPTIONS[Subnets]:-}" ] || return 0
  local subnets
  subnets=$(aws ec2 describe-subnets --filters "Name=vpc-id,Values=${OPTIONS[Vpc]}" --output text \
    --query "Subnets[].[AvailabilityZone, SubnetId]" | sort -u -k1,1 | awk 'NR < 3 {print $2}' | paste -sd,)
  [[ $subnets == *,* ]] || fail "${OPTIONS[Vpc]}: subnets in fewer than two zones, expected two for a load" \
    "balancer; name another with --vpc and --subnets"
  OPTIONS[Subnets]=$subnets
}

# Roll a version of the code out: CloudFormation goes back where a machine does not answer.
roll() {
  echo "machines with code $1"
  apply "$1"
  local folder="s3://${VALUES[Bucket]}/code" encryption=()
  [ -z "${AWS_SSE:-}" ] || encryption+=(--sse "$AWS_SSE")
  [ -z "${AWS_SSE_KMS_KEY_ID:-}" ] || encryption+=(--sse-kms-key-id "$AWS_SSE_KMS_KEY_ID")
  aws s3 cp --only-show-errors "${encryption[@]}" "$folder/$1/restore.sh" "$folder/restore.sh"
  printf %s "$1" | aws s3 cp --only-show-errors "${encryption[@]}" - "$folder/current"
  echo "serving at ${VALUES[Address]}"
}

# Replace every machine by a like one, which is ready before the old one goes: for new settings.
renew() {
  local group refresh line last=""
  group=${VALUES[Group]}
  refresh=$(aws autoscaling start-instance-refresh --auto-scaling-group-name "$group" --output text \
    --preferences MinHealthyPercentage=100,MaxHealthyPercentage=200 --query InstanceRefreshId)
  while true; do
    line=$(aws autoscaling describe-instance-refreshes --auto-scaling-group-name "$group" --output text \
      --instance-refresh-ids "$refresh" --query "InstanceRefreshes[0].[Status, PercentageComplete, StatusReason]")
    [ "$line" = "$last" ] || echo "machines anew: $line"
    last=$line
    case $line in
      Successful*) return ;;
      Failed* | Cancelled* | Rollback*) fail "machines anew: $line, expected Successful; deploy/stack.sh logs" ;;
    esac
    sleep "$POLL_S"
  done
}

upload() { "${PYTHON:-.venv/bin/python}" -m deploy.code "$1"; }

up() { # or restore
  read_stack
  require_changeable
  local name bucket=${VALUES[Bucket]:-}
  local -A new=([Settings]=/marquee [Min]=1 [Max]=2 [Model]="")
  for name in "${!VALUES[@]}"; do new[$name]=${VALUES[$name]}; done
  for name in "${!OPTIONS[@]}"; do new[$name]=${OPTIONS[$name]}; done
  [ -n "${new[Model]}" ] || fail "no model is named, expected --model ml-1m as in s3://BUCKET/models/ml-1m"
  [ "${new[Max]}" -gt "${new[Min]}" ] || fail "--max ${new[Max]}: expected more than --min ${new[Min]}; a new machine" \
    "answers before an old one goes"
  [ -z "$bucket" ] || [ "$bucket" = "${new[Bucket]}" ] || fail "$STACK: has the bucket $bucket already, expected" \
    "no other --bucket; for another: --stack NAME, or down and restore"
  require_secrets "${new[Settings]}"
  if [ -z "$STATUS" ]; then
    choose_bucket "$1"
    choose_network
    apply
  fi
  bucket=${VALUES[Bucket]}
  if [ "$1" = up ]; then CODE=$(upload "$bucket")
  else
    CODE=$(aws s3 cp "s3://$bucket/code/current" - 2>/dev/null) || fail "s3://$bucket/code/current: missing, expected" \
      "the code that was rolled out last; deploy/stack.sh up"
  fi
  require_promoted "$bucket" "${new[Model]}"
  roll "$CODE"
  [ -n "${VALUES[Certificate]}" ] || echo "without --certificate ARN answers and API keys travel unencrypted"
}

release() {
  require_stack
  require_changeable
  local bucket=${VALUES[Bucket]}
  if [ -z "$CODE" ]; then CODE=$(upload "$bucket")
  else
    exists "$bucket" "code/$CODE/marquee.tar.gz" || fail "no code $CODE in s3://$bucket/code/, expected a version" \
      "there; aws s3 ls lists them"
  fi
  require_promoted "$bucket" "${VALUES[Model]}"
  roll "$CODE"
  [ $CHANGED = yes ] || renew
}

status() {
  require_stack
  local address=${VALUES[Address]:-}
  echo "stack    $STACK: $STATUS, $REGION"
  echo "address  ${address:-not yet}"
  echo "store    s3://${VALUES[Bucket]}/models/${VALUES[Model]}"
  echo "code     ${VALUES[Code]:-none yet: deploy/stack.sh up}"
  [ -n "${VALUES[TargetGroup]:-}" ] || return 0
  aws elbv2 describe-target-health --target-group-arn "${VALUES[TargetGroup]}" --output text --query \
    "TargetHealthDescriptions[].['machine ', Target.Id, TargetHealth.State, TargetHealth.Description]"
  echo "model    $(curl -sS --max-time 10 "$address/readyz" 2>&1 || echo "; deploy/stack.sh logs")"
}

logs() {
  require_stack
  # shellcheck disable=SC2086 # FOLLOW is one word or none
  aws logs tail "${VALUES[LogGroup]}" --since "${SINCE}m" --format short $FOLLOW
}

down() {
  require_stack
  local bucket=${VALUES[Bucket]} objects
  [ -z "$DELETE_BUCKET" ] || [ "$DELETE_BUCKET" = "$bucket" ] || fail "--delete-bucket $DELETE_BUCKET: another name," \
    "expected $bucket; nothing was removed"
  aws cloudformation delete-stack --stack-name "$STACK"
  aws cloudformation wait stack-delete-complete --stack-name "$STACK" \
    || fail "$STACK: not removed ($(reason)), expected DELETE_COMPLETE; mend that, then down again"
  if [ -z "$DELETE_BUCKET" ]; then
    echo "s3://$bucket stays, with every model and all code; to serve from it again: deploy/stack.sh restore"
    return
  fi
  for kind in Versions DeleteMarkers; do
    while objects=$(aws s3api list-object-versions --bucket "$bucket" --max-items 500 --output json \
      --query "{Objects: ${kind}[].{Key: Key, VersionId: VersionId}}") && [[ $objects == *VersionId* ]]; do
      aws s3api delete-objects --bucket "$bucket" --delete "$objects" >/dev/null
    done
  done
  aws s3api delete-bucket --bucket "$bucket"
  echo "s3://$bucket is removed, with every version of everything in it"
}

command=${1:-help}
shift || true
case $command in
  up | restore | release | upload | status | logs | down)
    parse_options "$@"
    sign_in
    ;;
  help | -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' deploy/stack.sh && exit ;;
  *) fail "$command: unknown, expected up, restore, release, upload, status, logs or down" ;;
esac
case $command in
  up | restore) up "$command" ;;
  upload) require_stack && upload "${VALUES[Bucket]}" ;;
  *) "$command" ;;
esac

#!/usr/bin/env bash
# Makes this machine serve Marquee, from a bucket and a database alone. Machines of the stack run it
# when they start; any other, Amazon Linux 2023 or Debian 12, x86_64, with systemd and the aws command:
#
#   aws s3 cp s3://BUCKET/code/restore.sh - \
#     | sudo BUCKET=… MODEL=ml-1m API_KEYS=… EVENTS_URL=postgresql://… bash
#
# BUCKET      holds code/ (deploy/stack.sh release) and models/ (marquee releases)
# MODEL       its releases lie under models/MODEL
# CODE        version of the code (default: the one in code/current)
# SETTINGS    path in Parameter Store with API_KEYS, EVENTS_URL and so on, where they are not given
# LOG_GROUP   where the log goes in CloudWatch (default: it stays in /var/log/marquee)
#
# Packages are installed from the bucket, with their hashes checked. Running it twice is fine: what is
# there is kept, the service restarts. It ends when a recommendation has been answered, else with 1.
set -euo pipefail

ROOT=/opt/marquee
HERE=http://127.0.0.1:3000
READY_S=${READY_S:-600}
SERVICE_SETTINGS=(API_KEYS EVENTS_URL RATE_LIMIT CORS_ORIGINS LOG_REQUESTS WORKERS KEEP_ALIVE_S)
AWS_SETTINGS=(AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN)

say() { echo "restore: $*"; }
refuse() { echo "restore: $*" >&2; exit 1; }
fetch() { aws s3 cp --only-show-errors "s3://$BUCKET/$1" "$2"; }
version_of() { sha256sum "$1" | cut -c1-16; }

check() {
  [ "$(id -u)" = 0 ] || refuse "run it as root: sudo BUCKET=… bash"
  for name in BUCKET MODEL; do
    [ -n "${!name:-}" ] || refuse "$name is not set; see the head of deploy/restore.sh"
  done
}

packages() {
  local missing=()
  if command -v dnf >/dev/null; then
    command -v python3.11 >/dev/null || missing+=(python3.11)
    [ -z "${LOG_GROUP:-}" ] || missing+=(amazon-cloudwatch-agent)
    [ "${#missing[@]}" = 0 ] || dnf install -y -q "${missing[@]}"
  elif command -v apt-get >/dev/null; then
    python3.11 -c "import ensurepip" 2>/dev/null || missing+=(python3.11-venv)
    command -v curl >/dev/null || missing+=(curl)
    [ "${#missing[@]}" = 0 ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; }
  fi
  command -v python3.11 >/dev/null || refuse "there is no python3.11, and neither dnf nor apt-get to install it"
}

# A folder for each version, whole or without .whole; `current` is swapped in one step.
code() {
  [ -n "${CODE:-}" ] || CODE=$(fetch code/current -)
  local folder=$ROOT/$CODE
  if [ ! -e "$folder/.whole" ]; then
    say "code $CODE"
    rm -rf "$folder"
    mkdir -p "$folder/wheels"
    fetch "code/$CODE/marquee.tar.gz" "$folder/marquee.tar.gz"
    [ "$(version_of "$folder/marquee.tar.gz")" = "$CODE" ] \
      || refuse "s3://$BUCKET/code/$CODE/marquee.tar.gz is damaged; upload it again: deploy/stack.sh release"
    tar -xzf "$folder/marquee.tar.gz" -C "$folder" --no-same-owner
    fetch "code/wheels/$(version_of "$folder/requirements-serving.lock").tar" - | tar -x -C "$folder/wheels"
    python3.11 -m venv "$folder/.venv"
    "$folder/.venv/bin/pip" install -q --disable-pip-version-check --no-index --no-deps \
      --find-links "$folder/wheels" --require-hashes -r "$folder/requirements-serving.lock"
    python3.11 -m compileall -q "$folder" -x '\.venv' # the service may not write here
    rm -rf "$folder/wheels" "$folder/marquee.tar.gz"
    touch "$folder/.whole"
  fi
  ln -sfn "$folder" "$ROOT/current.new"
  mv -T "$ROOT/current.new" "$ROOT/current"
}

# In double quotes systemd takes four signs for its own.
# shellcheck disable=SC2001
quoted() { printf '"%s"' "$(sed 's/[\\"`$]/\\&/g' <<<"$1")"; }

# A file that only root and systemd read.
settings() {
  local found="" path value name
  if [ -n "${SETTINGS:-}" ]; then
    found=$(aws ssm get-parameters --with-decryption --names "${SERVICE_SETTINGS[@]/#/$SETTINGS/}" \
      --query "Parameters[].[Name,Value]" --output text)
    while IFS=$'\t' read -r path value; do
      [ -z "$path" ] || printf -v "${path##*/}" %s "$value"
    done <<<"$found"
  fi
  for name in API_KEYS EVENTS_URL; do
    [ -n "${!name:-}" ] || refuse "$name is not given${SETTINGS:+ and not in Parameter Store as $SETTINGS/$name}"
  done
  {
    echo "BUNDLE=s3://$BUCKET/models/$MODEL"
    echo "BUNDLE_CACHE=/var/cache/marquee"
    echo "BENTOML_HOME=/var/lib/marquee"
    echo "BENTOML_DO_NOT_TRACK=True"
    for name in "${SERVICE_SETTINGS[@]}" "${AWS_SETTINGS[@]}"; do
      [ -z "${!name:-}" ] || echo "$name=$(quoted "${!name}")"
    done
  } | install -m 0600 /dev/stdin /etc/marquee.env
}

logs() {
  mkdir -p /var/log/marquee /etc/logrotate.d
  cat >/etc/logrotate.d/marquee <<'END'
/var/log/marquee/service.log {
  size 100M
  rotate 3
  compress
  copytruncate
  missingok
}
END
  [ -n "${LOG_GROUP:-}" ] || return 0
  cat >/etc/marquee-logs.json <<END
{"logs": {"logs_collected": {"files": {"collect_list": [
  {"file_path": "/var/log/marquee/service.log", "log_group_name": "$LOG_GROUP", "log_stream_name": "{instance_id}/service"},
  {"file_path": "/var/log/cloud-init-output.log", "log_group_name": "$LOG_GROUP", "log_stream_name": "{instance_id}/start"}
]}}}}
END
  /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl \
    -a fetch-config -m ec2 -s -c file:/etc/marquee-logs.json >/dev/null
}

start() {
  install -m 0644 "$ROOT/current/deploy/marquee.service" /etc/systemd/system/marquee.service
  systemctl daemon-reload
  systemctl enable --quiet marquee
  systemctl restart marquee
}

# Ready means a verified model and a recommendation. The key goes through stdin: arguments are public.
answers() {
  local since=$SECONDS
  until curl -fs -o /dev/null --max-time 5 "$HERE/readyz"; do
    if [ $((SECONDS - since)) -ge "$READY_S" ]; then
      tail -n 20 /var/log/marquee/service.log >&2 || true
      refuse "the service was not ready after $READY_S s; its last lines are above"
    fi
    sleep 1
  done
  printf 'Authorization: Bearer %s\n' "$(cut -d, -f1 <<<"$API_KEYS" | tr -d ' ')" \
    | curl -fsS -o /dev/null --max-time 30 -H @- -H "Content-Type: application/json" -d '{"k": 1}' "$HERE/recommend" \
    || refuse "the service is ready, but did not answer POST /recommend"
  say "ready after $((SECONDS - since)) s: $(curl -fsS --max-time 5 "$HERE/readyz")"
}

# Called in the last line, so that a script cut short on its way does nothing.
main() {
  check
  packages
  settings
  code
  logs
  start
  answers
  find "$ROOT" -mindepth 1 -maxdepth 1 -type d ! -name "$CODE" -exec rm -rf {} +
}

main

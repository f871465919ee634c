#!/bin/sh
# Print the newest CPython from 3.11 on: deploy/find_python.sh [PYTHON]. With PYTHON only that one counts.
candidates=${1:-python3.15 python3.14 python3.13 python3.12 python3.11 python3 python}
for python in $candidates; do
  if "$python" -c 'import sys; sys.exit(sys.implementation.name != "cpython" or sys.version_info < (3, 11))' 2>/dev/null; then
    command -v "$python"
    exit 0
  fi
done
echo "setup: no CPython 3.11 or newer among: $candidates" >&2
echo "setup: install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)," >&2
echo "setup: or name it: make PYTHON=/path/to/python3.13" >&2
exit 1

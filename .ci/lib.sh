# shellcheck shell=bash
# What the steps share. Sourced first by each of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# fail says why, and ends the step.
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# need fails unless a file or folder that the step checks is there: a check of nothing
# must not pass.
need() {
  local path
  for path in "$@"; do
    [[ -e $path ]] || fail "$path is missing"
  done
}

# scratch makes a folder in $scratch that is gone when the step ends. Others may enter
# it: as root, PostgreSQL runs under another account.
scratch() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/erpgraph-ci.XXXXXX")
  chmod 755 "$scratch"
  trap 'rm -rf "$scratch"' EXIT
}

# copy_tree copies the project into a folder: all that Git tracks or would track, as it
# lies in the work tree, so that a check works on uncommitted changes and leaves them be.
copy_tree() {
  local file
  mkdir -p "$1"
  git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do
      [[ ! -e $file && ! -L $file ]] || printf '%s\0' "$file"
    done |
    tar --create --null --files-from=- | tar --extract --directory="$1"
}

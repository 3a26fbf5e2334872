# What the commands of bin/ share: where things lie, how they speak, and the environment of the tools.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH="$PWD/.venv/bin:$PATH:/usr/sbin:/sbin"
export ANSIBLE_CONFIG="$PWD/ansible/ansible.cfg"
# Root and the caller keep their own; both may run after each other.
ANSIBLE_HOME="$PWD/.lab/ansible-$(id -u)"
export ANSIBLE_HOME

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
refuse() {
    printf 'casemate: %s\n' "$*" >&2
    exit 2
}

# Mounts, namespaces and packages need root; whoever has sudo need not think of it.
need_root() {
    [ "$(id -u)" = 0 ] && return
    command -v sudo >/dev/null || refuse "this needs root (mounts, network namespaces, Debian packages) and there is no sudo here. Run it as root."
    exec sudo --preserve-env=CASEMATE_MIRROR,XDG_CACHE_HOME,PYTHON,INVENTORY,TAGS,YES,ARGS,CI "$0" "$@"
}

# One run of a kind at a time: a second would break the first's host under its hands.
only_one() {
    exec 9>>"/run/lock/casemate-$1"
    flock --nonblock 9 || refuse "another \`make $1\` is running here (process $(cat "/run/lock/casemate-$1")); wait until it has finished, or end it."
    : >"/run/lock/casemate-$1"
    echo "$$" >&9
}

# One at a time too, but a second waits its turn: the work is the same for both.
in_turn() {
    exec 8>>"/run/lock/casemate-$1"
    flock 8
}

need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    say "Installing the Debian packages ${missing[*]}"
    local log
    log=$(mktemp)
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 8>&- 9>&- ||
        { tail -n 5 "$log" >&2; refuse "apt could not install ${missing[*]} (above: its words). Check the network and the sources, or install them yourself."; }
    rm -f "$log"
}

lab_packages() { need_packages systemd-container mmdebstrap nftables iproute2 openssh-client zstd openssl; }

# Under sudo, what lies in the checkout belongs to the person who called.
give_back() {
    [ -n "${SUDO_UID:-}" ] || return 0
    local place
    for place in .lab dist evidence .venv; do
        [ ! -e "$place" ] || chown -R --no-dereference "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$place"
    done
}

# lab NAME NETWORK STATE ANSIBLE-ARGUMENT…: make (or, with lab_present=false, remove) a lab
lab() {
    local name=$1 network=$2 state=$3
    shift 3
    ansible-playbook ansible/lab.yml -i localhost, -e "lab_name=$name lab_network=$network lab_state_dir=$state" "$@" 8>&- 9>&-
}

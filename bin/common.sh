# What the commands of bin/ share: where things lie, how they speak, and the environment of the tools.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH="$PWD/.venv/bin:$PATH:/usr/sbin:/sbin"
export ANSIBLE_CONFIG="$PWD/ansible/ansible.cfg"
# Root and the caller keep their own; both may run after each other.
ANSIBLE_HOME="$PWD/.lab/ansible-$(id -u)"
export ANSIBLE_HOME
# Root would leave compiled files in the caller's folders, who could not remove them.
[ -z "${SUDO_UID:-}" ] || export PYTHONDONTWRITEBYTECODE=1
# What molecule remembers of its hosts is of this checkout.
export MOLECULE_EPHEMERAL_DIRECTORY="$PWD/.lab/molecule"

# The first two numbers of the labs' networks. Another pair gives a second checkout labs of its own beside the first one's.
export CASEMATE_NETWORKS=${CASEMATE_NETWORKS:-10.77}
[[ $CASEMATE_NETWORKS =~ ^10\.[1-9][0-9]$ ]] || { echo "casemate: CASEMATE_NETWORKS is '$CASEMATE_NETWORKS'; it is 10.10 to 10.99, as in 10.78." >&2; exit 2; }
own=-${CASEMATE_NETWORKS//./-}
[ "$own" != -10-77 ] || own=

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
refuse() {
    printf 'casemate: %s\n' "$*" >&2
    exit 2
}

# Mounts, namespaces and packages need root; whoever has sudo need not think of it.
need_root() {
    [ "$(id -u)" = 0 ] && return
    command -v sudo >/dev/null || refuse "this needs root (mounts, network namespaces, Debian packages) and there is no sudo here. Run it as root."
    exec sudo --preserve-env=CASEMATE_MIRROR,CASEMATE_NETWORKS,XDG_CACHE_HOME,PYTHON,INVENTORY,TAGS,IDENTITY,SNAPSHOT,OVERWRITE,YES,ARGS,CI,SSH_AUTH_SOCK,FROM,LIMIT "$0" "$@"
}

# One run of a kind at a time: a second would break the first's host under its hands. Its children hold the lock as well, so
# that what a killed run leaves running counts; none of them outlives its work (ssh's masters and lab hosts close what they inherit).
only_one() {
    local lock="/run/lock/casemate-$1$own"
    exec 9>>"$lock"
    flock --nonblock 9 && return
    exec 9>&-
    refuse "another \`make $1\` is running here (processes $(holders "$lock")); wait until it has finished, or end it."
}
holders() { find /proc/[0-9]*/fd -lname "$1" 2>/dev/null | cut -d/ -f3 | sort -nu | xargs; }

# One at a time too, but a second waits its turn: the work is the same for both.
in_turn() {
    exec 8>>"/run/lock/casemate-$1$own"
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

lab_packages() {
    local environments=()
    # Debian leaves this part of Python out; a Python from elsewhere brings it along.
    "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || environments=(python3-venv)
    need_packages systemd-container mmdebstrap nftables iproute2 openssh-client zstd openssl age "${environments[@]}"
    lab_escrow
    lab_collector
}

# The identity that opens the keys of the labs' backups. A real installation's lies on no machine of it.
lab_escrow() {
    [ ! -s .lab/escrow/recipient ] || return 0
    mkdir -p .lab/escrow
    chmod 0700 .lab/escrow
    rm -f .lab/escrow/identity
    age-keygen -o .lab/escrow/identity 2>/dev/null
    age-keygen -y .lab/escrow/identity >.lab/escrow/recipient
}

# The collector of the labs' logs is somebody else's: it has an authority of its own, a certificate in its name, and knows the appliance by
# one in the site's. `foreign` is in the collector's name and of nobody, `other` of the same authority and in another name.
lab_collector() {
    local place=.lab/collector name usage authority host
    [ ! -s "$place/done" ] || return 0
    mkdir -p "$place"
    chmod 0700 "$place"
    for name in ca foreign; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -subj "/CN=Lab of the collector, $name" \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
            -keyout "$place/$name-authority.key" -out "$place/$name-authority.crt" 2>/dev/null
    done
    while read -r name usage authority host; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$host" -keyout "$place/$name.key" 2>/dev/null |
            openssl x509 -req -days 3650 -CA "$place/$authority-authority.crt" -CAkey "$place/$authority-authority.key" -out "$place/$name.crt" 2>/dev/null \
                -extfile <(printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=DNS:%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' "$usage" "$host")
    done <<'END'
server serverAuth ca collector.casemate.test
other serverAuth ca elsewhere.casemate.test
foreign serverAuth foreign collector.casemate.test
client clientAuth ca casemate.test
END
    echo made >"$place/done"
}

# Under sudo, what lies in the checkout belongs to the person who called.
give_back() {
    [ -n "${SUDO_UID:-}" ] || return 0
    local place
    for place in .lab dist evidence .venv "$@"; do
        [ ! -e "$place" ] || chown -R --no-dereference "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$place"
    done
}

declare -A third=([up]=0 [test]=1 [dev]=2 [build]=3 [own]=4 [drill]=5 [four]=6 [upgrade]=7)
# lab NAME STATE ANSIBLE-ARGUMENT…: make (or, with lab_present=false, remove) a lab
lab() {
    local name=$1 state=$2
    shift 2
    ansible-playbook ansible/lab.yml -i localhost, -e "lab_name=$name lab_network=$CASEMATE_NETWORKS.${third[$name]} lab_state_dir=$state" "$@"
}
# remove_lab NAME STATE [--host HOST]: all of a lab, or one host of it
remove_lab() { python3 roles/lab/files/lab.py destroy --lab "$1" --network "$CASEMATE_NETWORKS.${third[$1]}" --state "$2" "${@:3}"; }

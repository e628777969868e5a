#!/usr/bin/env bash
# Benchmark and tests on a machine with an NVIDIA GPU, in about ten minutes:
#
#     benchmarks/accelerator.sh [folder]              # results; default: accelerator-results
#     WHEELS=/path benchmarks/accelerator.sh          # install from a folder of wheels only
#     DEVICE=cpu ROWS=600 benchmarks/accelerator.sh   # does the script work?
#
# PYTHON is the interpreter (default: python3); with VENV=/path an environment that exists is used as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-accelerator-results} device=${DEVICE:-cuda} venv=${VENV:-$PWD/.venv-accelerator}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH} ISTHMUS_TEST_DEVICE=$device
mkdir -p "$out"
out=$(cd "$out" && pwd)

if [ "$device" = cuda ] && ! nvidia-smi --list-gpus 2> /dev/null | grep -q GPU; then
    echo "no NVIDIA GPU was found: nvidia-smi lists none" >&2
    exit 2
fi

status=0
part() { # name, seconds, command: a part that fails does not stop the others
    local name=$1 seconds=$2
    shift 2
    echo "$(date +%T) $name"
    if ! timeout "$seconds" "$@" > "$out/$name.txt" 2>&1; then
        echo "$name failed or took more than $seconds s, see $out/$name.txt" >&2
        status=1
    fi
}

install() {
    "${PYTHON:-python3}" -m venv "$venv"
    local jax='jax[cuda12]' pinned=constraints.txt
    if [ "$device" = cpu ]; then
        jax=jax
    else # the package index has torch with CUDA, of any version that a folder of wheels has
        pinned=$out/constraints.txt
        grep -v '^torch==' constraints.txt > "$pinned"
    fi
    "$venv/bin/pip" install --quiet -c "$pinned" ${WHEELS:+--no-index --find-links "$WHEELS"} '.[test]' torch "$jax" keras
}

speed() {
    "$venv/bin/python" benchmarks/speed.py "$@" --device "$device" --rounds 1 --out "$out" ${ROWS:+--rows "$ROWS"}
}
export -f install speed
export out device venv

[ -n "${VENV:-}" ] || part install 240 bash -euo pipefail -c install
[ "$device" = cpu ] || part card 20 nvidia-smi
part recorded 90 bash -euc 'speed recorded zoo'
part epochs 240 bash -euc 'speed small deep table conv --peers isthmus keras-jax keras-jax-steps torch torch-resident torch-captured'
part scoring 90 bash -euc 'speed score-deep score-table memory --peers isthmus keras-jax torch-resident'
part tests 300 "$venv/bin/python" -m pytest -q -n "${JOBS:-8}" --dist worksteal ${TESTS:-tests}
exit $status

#!/usr/bin/env bash
# Fills the table of one GPU: first that it computes what the CPU computes, then how fast it trains and translates in
# every precision that it has. Needs an NVIDIA driver and uv; installs TensorFlow's CUDA libraries.
#
#     bash benchmarks/gpu.sh DIR [--write]      DIR holds Multi30k
#
# A K80 (compute capability 3.7) is measured with TensorFlow 2.14.1, in float32 alone: it has neither tensor cores nor
# bfloat16, and XLA no longer knows it.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() { printf 'gpu.sh: %s\n' "$*" >&2; exit 2; }
say() { printf '\n== %s\n' "$*"; }

[ $# -ge 1 ] || stop "say where Multi30k lies: bash benchmarks/gpu.sh DIR [--write]"
data=$1; shift
write=${1:-}
[ -d "$data" ] || stop "found no folder $data, expected the one that holds Multi30k"
[ -z "$write" ] || [ "$write" = --write ] || stop "found $write, expected --write or nothing"
command -v uv >/dev/null || stop "found no uv; install it with: pip install uv"
command -v nvidia-smi >/dev/null || stop "found no nvidia-smi, so no NVIDIA driver; nothing was measured"
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) || true
[ -n "$gpu" ] || stop "nvidia-smi names no GPU; nothing was measured"
capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1) || true
say "$gpu, compute capability ${capability:-unknown to this driver}"

major=${capability%%.*}
case $gpu in *K80*) major=3 ;; esac
if [ "${major:-9}" -lt 6 ] 2>/dev/null; then
  say "the lane for old GPUs: TensorFlow 2.14.1"
  export UV_PROJECT_ENVIRONMENT=.venv-tf214
  run() { uv run -q --no-default-groups --group tf214 --extra k80 -p 3.11 "$@"; }
  precisions="float32"
  xla=
else
  run() { uv run -q --extra gpu "$@"; }
  precisions="float32 float16"
  xla=--xla
  [ "${major:-0}" -ge 8 ] 2>/dev/null && precisions="float32 bfloat16 float16"
fi

say "what TensorFlow sees"
run python -c 'import tensorflow as tf, sys
found = tf.config.list_physical_devices("GPU")
print(tf.__version__, found)
sys.exit(0 if found else "TensorFlow finds no GPU: the driver is too old for its CUDA libraries, or they are missing")' ||
  stop "nothing was measured"

say "the same numbers as the CPU"
run python -m benchmarks.gpu_equal --precision $precisions $xla || stop "the GPU does not compute what the CPU does; speed does not matter then"

say "matrix products"
run python -m benchmarks.peak --device gpu

say "training"
run python -m benchmarks.step --data "$data" --device gpu --only ours --precision $precisions --ours train.xla=false --noisy $write

if [ -n "$xla" ]; then
  say "training with and without XLA: train.py takes from now on what is faster here"
  run python -m benchmarks.xla --data "$data" --precision $precisions --noisy $write
fi

say "translating"
run python -m benchmarks.search --data "$data" --device gpu --peers --precision $precisions --noisy $write

#!/usr/bin/env bash
# All that waits for an NVIDIA GPU, in half an hour, with training in an hour: bench/on_gpu.sh RESULTS [STEP ...]
#
# Steps, and the order in which all of them run where none is named: checkpoints self-test tests order inference
# pipeline train decay quality. Each has a time limit of its own and writes what it prints to RESULTS as it goes; one
# that fails stops none of the others.
#
# `checkpoints` downloads what `inference` and `pipeline` measure. Where it can't, it says so, and they measure random
# weights, on which speed does not depend. Their rows become tables for docs/benchmarks.md, in RESULTS/table.md.
# Upstream's vos_optimized, beside which ours is measured, has to be compiled, which needs a C compiler and takes
# minutes; what was compiled is kept in STATE. `order` looks for work on two streams that nothing keeps in order, by
# torch's CUDA sanitizer. `train` goes on for nine minutes with the embedded checkpoint's next network, at each call;
# `decay` ends a training in three more minutes and exports it to RESULTS, where `quality` measures it.
#
# PYTHON   that has the engine's packages and a CUDA build of torch; default: .runtime/engine's, else python3
# STATE    the folder of the training and its rendered shots (clips/); default: .runtime/training
# DEVICE   cuda; cpu tries these steps out
# SIZE     of the photos of `pipeline`; default: 6000x9000
set -u
results=$(realpath -m "${1:?usage: bench/on_gpu.sh RESULTS [STEP ...]}")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
device=${DEVICE:-cuda}
size=${SIZE:-6000x9000}
state=${STATE:-.runtime/training}
python=${PYTHON:-.runtime/engine/bin/python}
[ -x "$(command -v "$python")" ] || python=python3
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} SPLAT_MATTE_TEST_DEVICE=$device PYTHONUNBUFFERED=1
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$(realpath -m "$state")/compiled}
if [ "$device" = cuda ] && ! "$python" -c "import sys, torch; sys.exit(not torch.cuda.is_available())"; then
    echo "Error: $python has no torch that finds an NVIDIA GPU here. Set PYTHON to one that does." >&2
    exit 2
fi
mkdir -p "$results"
{ date; nvidia-smi -L; "$python" -c "import torch; print('torch', torch.__version__)"; } 2>&1 | tee -a "$results/summary.txt"

# limited SECONDS NAME MODULE ARGUMENTS...: run a Python module, its output to RESULTS/NAME.txt
limited() {
    local limit=$1 name=$2 began=$SECONDS
    shift 2
    echo "== $name"
    timeout -k 20 "$limit" "$python" -P -m "$@" 2>&1 | tee "$results/$name.txt"
    echo "$name: exit code ${PIPESTATUS[0]} after $((SECONDS - began)) s" | tee -a "$results/summary.txt"
}

for step in ${@:-checkpoints self-test tests order inference pipeline train decay quality}; do
    case $step in
    checkpoints)
        for model in tiny large; do
            limited 120 "checkpoint-$model" vendor_setup checkpoint "sam2.1_hiera_$model"
        done
        ;;
    self-test) limited 60 self-test addon.engine self-test --device "$device" ;;
    tests) limited 240 tests pytest -q -p no:cacheprovider tests/engine/test_parity.py tests/engine/test_tracks.py \
        tests/engine/test_features.py tests/engine/test_things.py tests/engine/test_graphs.py ;;
    order) TORCH_CUDA_SANITIZER=1 limited 120 order pytest -q -p no:cacheprovider tests/engine/test_graphs.py \
        -k real_gpu ;;
    inference)
        for model in tiny large; do
            for objects in 1 5; do
                limited 360 "inference-$model-$objects" bench.inference --checkpoint "sam2.1_hiera_$model" \
                    --objects "$objects" --frames 10 --device "$device" --table "$results/table.md"
            done
        done
        ;;
    pipeline)
        for model in tiny large; do
            for objects in 1 5; do
                limited 360 "pipeline-$model-$objects" bench.pipeline --checkpoint "sam2.1_hiera_$model" \
                    --objects "$objects" --photos 60 --size "$size" --device "$device" --table "$results/table.md"
            done
        done
        # the default memory, which asks what a frame shows
        limited 360 pipeline-selected bench.pipeline --checkpoint sam2.1_hiera_large --memory selected --objects 5 \
            --photos 60 --size "$size" --device "$device" --table "$results/table.md"
        ;;
    train) limited 570 train training train --resume --state "$state" \
        --clips "$state/clips" --device "$device" --batch 8 --workers 14 --minutes 8.7 ;;
    decay)
        limited 220 decay training train --resume --decay --state "$state" --clips "$state/clips" \
            --device "$device" --batch 8 --workers 14 --minutes 3
        limited 30 export training export "$state/average.pt" --to "$results/embedded.pt"
        ;;
    quality) limited 300 quality bench.quality --device "$device" --weights "$results/embedded.pt" \
        --config "$results/embedded.yaml" --json "$results/quality.json" ;;
    *) echo "Error: there is no step $step." >&2 && exit 2 ;;
    esac
done
if [ -f "$results/table.md" ]; then cat "$results/table.md"; fi

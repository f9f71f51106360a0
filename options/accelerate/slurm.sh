#!/usr/bin/env bash
# One command on all GPUs of several machines of a Slurm cluster, from the project's folder:
#   sbatch --nodes 8 options/accelerate/slurm.sh train_mllm.py --train-stage sft ...
#   sbatch --nodes 2 options/accelerate/slurm.sh eval_mllm.py --eval-task t2m ...
#   MORL_SERVER=exports/sft sbatch --nodes 9 options/accelerate/slurm.sh train_mllm.py --train-stage rlvr ...
# With MORL_SERVER=FOLDER (of prepare.export_hf) the last machine draws the replies of all others (vllm_server.sh).
# Submit it again to continue. MORL_LAUNCH names another configuration than ddp.yaml. The Python that is active when it
# is submitted is used; the folder must be the same on all machines.
#SBATCH --job-name=morl
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --open-mode=append
#SBATCH --requeue
# Ten minutes before the end of its time, and when it makes room for others, a training finishes its step and saves.
#SBATCH --signal=TERM@600
set -euo pipefail

# The launcher would kill its processes after 30 s.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT="${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-540}"
gpus="${SLURM_GPUS_ON_NODE:-8}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$((${SLURM_CPUS_PER_TASK:-8} / gpus))}"
export MORL_LAUNCH="${MORL_LAUNCH:-options/accelerate/ddp.yaml}"
mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
if [ -n "${MORL_SERVER:-}" ]; then
    server="${machines[-1]}" port="${MORL_SERVER_PORT:-8000}" log="${MORL_SERVER_LOG:-vllm-$SLURM_JOB_ID.log}"
    unset 'machines[-1]'
    srun --nodes 1 --nodelist "$server" --output "$log" bash options/accelerate/vllm_server.sh "$MORL_SERVER" \
        --port "$port" --data-parallel-size "$gpus" &
    serving=$!
    trap 'kill "$serving" 2>/dev/null || true' EXIT
    # A model is loaded for minutes. The server says something when it is ready.
    until (exec 3<>"/dev/tcp/$server/$port") 2>/dev/null; do
        kill -0 "$serving" 2>/dev/null || { echo "the server on $server has ended: see $log" >&2; exit 1; }
        sleep 2
    done
    set -- "$@" --engine-server "http://$server:$port"
fi
MORL_MACHINES="${#machines[@]}"
MORL_PROCESSES=$((MORL_MACHINES * gpus))
MORL_MAIN="${machines[0]}"
MORL_PORT=$((20000 + SLURM_JOB_ID % 10000))
export MORL_MACHINES MORL_PROCESSES MORL_MAIN MORL_PORT

# Each machine starts its own launcher, which knows its number there only.
training="$(IFS=, && echo "${machines[*]}")"
srun --nodes "$MORL_MACHINES" --nodelist "$training" bash -c \
  'exec accelerate launch --config_file "$MORL_LAUNCH" --num_machines "$MORL_MACHINES" \
  --num_processes "$MORL_PROCESSES" --machine_rank "$SLURM_NODEID" --main_process_ip "$MORL_MAIN" \
  --main_process_port "$MORL_PORT" "$@"' launch "$@"

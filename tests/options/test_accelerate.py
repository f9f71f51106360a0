"""The Slurm script starts one launcher a machine, and what it says to it accelerate understands."""

import os
import socket
import subprocess
import sys

import pytest
from accelerate.commands.launch import launch_command_parser

from tests.places import ROOT

# `srun --nodes N --nodelist A,B [--output FILE] command`: the command on N machines, one after the other.
SRUN = """
nodes=$2 list=$4 && shift 4
[ "$1" = --output ] && exec >"$2" && shift 2
echo "$list" >"$PLAYED/list-$nodes"
trap 'kill "$!"' TERM
for ((SLURM_NODEID = 0; SLURM_NODEID < nodes; SLURM_NODEID++)); do SLURM_NODEID=$SLURM_NODEID "$@" & wait "$!"; done
"""
OF_SLURM = {
    "SLURM_JOB_ID": "123456",
    "SLURM_JOB_NODELIST": "gpu[03-04]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_GPUS_ON_NODE": "4",
    "SLURM_CPUS_PER_TASK": "32",
}


TOLD = 'echo "$TORCH_ELASTIC_SHUTDOWN_TIMEOUT $OMP_NUM_THREADS"; printf "%s\\n" "$@" end'


def played(tmp_path, machines, *words, **exported):
    """What the launcher on each machine was told; there is no cluster here: srun and scontrol are played."""
    shown = "; ".join(f"echo {machine}" for machine in machines)
    for name, does in {"srun": SRUN, "scontrol": shown, "accelerate": TOLD}.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    own = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PLAYED": str(tmp_path), "MORL_SERVER_LOG": f"{tmp_path}/log"}
    environment = {**own, **OF_SLURM, **exported}
    command = ["bash", ROOT / "options/accelerate/slurm.sh", "train_mllm.py", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    return done, [part.splitlines() for part in done.stdout.split("end\n") if part]


@pytest.mark.parametrize("launch", ["ddp", "deepspeed"])
def test_the_slurm_script_starts_a_launcher_on_every_machine(tmp_path, launch):
    config = f"options/accelerate/{launch}.yaml"
    done, machines = played(tmp_path, ["gpu03", "gpu04"], "--exp-name", "with a blank", MORL_LAUNCH=config)
    assert done.returncode == 0, done.stderr
    for number, (exported, *words) in enumerate(machines):
        assert exported == "540 8" and words[0] == "launch"
        asked = launch_command_parser().parse_args(words[1:])
        assert (asked.config_file, asked.num_machines, asked.num_processes) == (config, 2, 8)
        assert (asked.machine_rank, asked.main_process_ip, asked.main_process_port) == (number, "gpu03", 23456)
        assert (asked.training_script, asked.training_script_args) == ("train_mllm.py", ["--exp-name", "with a blank"])
    assert len(machines) == 2
    assert (tmp_path / "list-2").read_text() == "gpu03,gpu04\n"


def test_the_last_machine_is_the_server_of_the_others(tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    (export / "morl.json").write_text('{"checkpoint": "0123456789ab", "dtype": "bfloat16"}')
    # In place of vLLM's: it says what it was told, and listens for as long as it is let.
    server = (
        f'[ $1 = -c ] && exec {sys.executable} "$@"\n'
        f'printf "%s\\n" "$@" >{tmp_path}/served\n'
        f"exec {sys.executable} -m http.server --bind 127.0.0.1 $MORL_SERVER_PORT"
    )
    (tmp_path / "python").write_text(f"#!/usr/bin/env bash\n{server}\n")
    (tmp_path / "python").chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    given = {"MORL_SERVER": str(export), "MORL_SERVER_PORT": port, "SLURM_JOB_NUM_NODES": "3"}
    done, machines = played(tmp_path, ["gpu03", "gpu04", "localhost"], "--train-stage", "rlvr", **given)
    assert done.returncode == 0, done.stderr
    served = (tmp_path / "served").read_text().split("\n")
    assert served[3] == str(export) and served[-5:-1] == ["--port", port, "--data-parallel-size", "4"]
    assert (tmp_path / "list-1").read_text() == "localhost\n" and (tmp_path / "list-2").read_text() == "gpu03,gpu04\n"
    for _, *words in machines:
        asked = launch_command_parser().parse_args(words[1:])
        assert (asked.num_machines, asked.num_processes) == (2, 8)
        assert asked.training_script_args[-2:] == ["--engine-server", f"http://localhost:{port}"]
    assert len(machines) == 2
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=5):
        pass  # it ended with the training


def test_a_server_that_does_not_start_ends_the_job(tmp_path):
    done, machines = played(tmp_path, ["gpu03", "localhost"], MORL_SERVER="nowhere", MORL_SERVER_PORT="9")
    assert done.returncode == 1 and not machines
    assert "the server on localhost has ended" in done.stderr

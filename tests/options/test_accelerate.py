"""The Slurm script starts one launcher a machine, and what it says to it accelerate understands."""

import os
import subprocess

import pytest
from accelerate.commands.launch import launch_command_parser

from tests.places import ROOT

SRUN = 'for SLURM_NODEID in 0 1; do SLURM_NODEID=$SLURM_NODEID "$@"; done'
OF_SLURM = {
    "SLURM_JOB_ID": "123456",
    "SLURM_JOB_NODELIST": "gpu[03-04]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_GPUS_ON_NODE": "4",
    "SLURM_CPUS_PER_TASK": "32",
}


@pytest.mark.parametrize("launch", ["ddp", "deepspeed"])
def test_the_slurm_script_starts_a_launcher_on_every_machine(tmp_path, launch):
    """There is no cluster here: srun and scontrol are played, and the launcher says what it was told."""
    told = 'echo "$TORCH_ELASTIC_SHUTDOWN_TIMEOUT $OMP_NUM_THREADS"; printf "%s\\n" "$@" end'
    for name, does in {"srun": SRUN, "scontrol": "echo gpu03; echo gpu04", "accelerate": told}.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    config = f"options/accelerate/{launch}.yaml"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **OF_SLURM, "MORL_LAUNCH": config}
    command = ["bash", "options/accelerate/slurm.sh", "train_mllm.py", "--exp-name", "with a blank"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    machines = [part.splitlines() for part in done.stdout.split("end\n") if part]
    for number, (exported, *words) in enumerate(machines):
        assert exported == "540 8" and words[0] == "launch"
        asked = launch_command_parser().parse_args(words[1:])
        assert (asked.config_file, asked.num_machines, asked.num_processes) == (config, 2, 8)
        assert (asked.machine_rank, asked.main_process_ip, asked.main_process_port) == (number, "gpu03", 23456)
        assert (asked.training_script, asked.training_script_args) == ("train_mllm.py", ["--exp-name", "with a blank"])
    assert len(machines) == 2

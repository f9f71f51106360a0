"""The pretended GPU refuses what torch's own fake tensors refuse, and lets pass what they let pass."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from tests.pretended_gpu import GPU, pretended_gpu

# Each is called with two tensors (3,), the first on the GPU and the second on the CPU.
MIXED = {
    "sum": lambda gpu, cpu: gpu + cpu,
    "product of matrices": lambda gpu, cpu: gpu[None] @ cpu[:, None],
    "where": lambda gpu, cpu: torch.where(cpu > 0, gpu, gpu),
    "concatenation": lambda gpu, cpu: torch.cat([gpu, cpu]),
    "embedding": lambda gpu, cpu: functional.embedding(cpu.long(), gpu[:, None]),
    "gather": lambda gpu, cpu: gpu.gather(0, cpu.long()),
    "masked fill": lambda gpu, cpu: gpu.masked_fill(cpu > 0, 0.0),
    "a mask made for its size": lambda gpu, cpu: gpu * torch.ones(3),
    "a mask made beside it": lambda gpu, cpu: gpu * torch.ones(3, device=gpu.device),
    "like it": lambda gpu, cpu: gpu + torch.zeros_like(gpu) + gpu.new_ones(3) + gpu.new_zeros(3),
    "like another": lambda gpu, cpu: gpu + torch.zeros_like(cpu),
    "a number of the CPU": lambda gpu, cpu: gpu + torch.tensor(1.0),
    "moved": lambda gpu, cpu: gpu + cpu.to(gpu.device),
    "moved as another": lambda gpu, cpu: gpu + cpu.to(gpu),
    "moved too far": lambda gpu, cpu: gpu.cpu() + gpu,
    "norm": lambda gpu, cpu: functional.layer_norm(gpu[None], (3,), cpu, cpu),
    "convolution": lambda gpu, cpu: functional.conv1d(gpu[None, None], cpu[None, None]),
    "loss": lambda gpu, cpu: functional.cross_entropy(gpu[None], cpu.long()[:1]),
    "attention": lambda gpu, cpu: functional.scaled_dot_product_attention(
        gpu[None, :, None], gpu[None, :, None], gpu[None, :, None], cpu.expand(1, 3, 3)
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_it_refuses_what_fake_tensors_refuse(name):
    def outcome(gpu, cpu):
        try:
            return MIXED[name](gpu, cpu).device
        except RuntimeError as error:
            assert "device" in str(error)
            return "refused"

    with FakeTensorMode():
        expected = outcome(torch.ones(3, device=GPU), torch.ones(3))
    if name == "convolution":
        expected = "refused"  # as by a GPU; the fake tensors of a build with CUDA let it pass (torch 2.11)
    with pretended_gpu():
        assert outcome(torch.ones(3, device=GPU), torch.ones(3)) == expected


def test_what_fake_tensors_cannot_do_without_cuda():
    """In-place operations, indices on the host, gradients, values: by torch's rules on a real GPU."""
    with pretended_gpu() as devices:
        gpu, cpu = torch.arange(3.0, device=GPU), torch.ones(3)
        assert gpu[torch.tensor([2, 0])].tolist() == [2.0, 0.0]
        gpu.copy_(cpu)
        gpu[:2] = cpu[:2]
        for wrong in (
            lambda: gpu.add_(cpu),
            lambda: torch.tensor(1.0).add_(gpu),
            lambda: cpu[gpu.long()],
            lambda: gpu.numpy(),
            lambda: torch.randn(3, device=GPU, generator=torch.Generator()),
        ):
            with pytest.raises((RuntimeError, TypeError)):
                wrong()
        layer = torch.nn.GRU(3, 2, batch_first=True).to(GPU)
        packed = torch.nn.utils.rnn.pack_padded_sequence(gpu.expand(2, 4, 3), torch.tensor([4, 2]), batch_first=True)
        layer(packed)[1].sum().backward()
        assert {weight.grad.device for weight in layer.parameters()} == {GPU}
        devices.waits.clear()
        torch.optim.AdamW(layer.parameters()).step()
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        assert not devices.waits
        for waiting in (
            lambda: float(gpu.sum()),
            lambda: bool((gpu > 0).all()),
            lambda: gpu.tolist(),
            lambda: gpu.cpu(),
            lambda: gpu.nonzero(),
            lambda: gpu[gpu > 0],
        ):
            before = devices.waits.total()
            waiting()
            assert devices.waits.total() == before + 1

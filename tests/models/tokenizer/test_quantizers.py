"""How the four codebooks choose and learn, against values computed by hand."""

import math

import pytest
import torch

from models.tokenizer.quantizers import QUANTIZERS, perplexity


def make(name, codes, **options):
    codes = torch.tensor(codes, dtype=torch.float32)
    quantizer = QUANTIZERS[name](*codes.shape, **options)
    (quantizer.embedding.weight if name == "orig" else quantizer.codebook).data.copy_(codes)
    return quantizer


def latents(*rows):
    return torch.tensor([rows], dtype=torch.float32)


def test_nearest_code_and_straight_through_gradient():
    quantizer = make("ema", [[0.0, 0.0], [4.0, 0.0]]).eval()
    x = latents([1.0, 0.0], [3.0, 1.0]).requires_grad_()
    output = quantizer(x)
    assert output.codes.tolist() == [[0, 1]]
    assert output.latents.tolist() == [[[0.0, 0.0], [4.0, 0.0]]]
    # squared differences 1, 0, 1, 1 over 4 values
    assert output.commit.item() == pytest.approx(0.75)
    (output.latents * torch.tensor([2.0, 5.0])).sum().backward()
    assert x.grad.tolist() == [[[2.0, 5.0], [2.0, 5.0]]]


def test_perplexity_counts_the_codes_in_use():
    assert perplexity(torch.tensor([5.0, 5.0, 0.0])).item() == pytest.approx(2.0, rel=1e-5)
    shares = [0.75, 0.25]
    expected = math.exp(-sum(share * math.log(share) for share in shares))
    assert perplexity(torch.tensor([3.0, 1.0])).item() == pytest.approx(expected, rel=1e-5)


def test_ema_moves_a_code_to_the_mean_of_its_latents():
    quantizer = make("ema", [[0.0], [10.0]], mu=0.5).train()
    quantizer(latents([2.0], [4.0], [3.0]))
    # code 0: sum .5 * 0 + .5 * 9 = 4.5, count .5 * 1 + .5 * 3 = 2; code 1: count .5 is dead and stays where it is
    assert quantizer.codebook.flatten().tolist() == pytest.approx([2.25, 10.0])


def test_ema_reset_puts_a_dead_code_on_a_latent_and_starts_its_average_anew():
    quantizer = make("ema_reset", [[0.0], [10.0]], mu=0.5).train()
    quantizer(latents([2.0], [4.0], [3.0]))
    moved = quantizer.codebook[1].item()
    assert moved in (2.0, 3.0, 4.0)
    assert quantizer.code_count.tolist() == pytest.approx([2.0, 1.0])
    assert quantizer.code_sum[1].item() == moved
    # one latent a step keeps it alive, and it moves to the mean of (itself, that latent)
    quantizer.codebook[0] = -100.0
    quantizer(latents([moved + 1.0]))
    assert quantizer.codebook[1].item() == pytest.approx(moved + 0.5)


def test_reset_replaces_every_code_that_the_batch_did_not_choose():
    quantizer = make("reset", [[0.0], [100.0], [200.0]]).train()
    quantizer(latents([0.1], [0.2], [0.3]))
    assert quantizer.codebook[0].item() == 0.0
    assert all(round(value, 4) in (0.1, 0.2, 0.3) for value in quantizer.codebook[1:].flatten().tolist())


@pytest.mark.parametrize("name", ["orig", "reset"])
def test_codes_that_learn_by_gradient_are_pulled_to_their_latents(name):
    quantizer = make(name, [[1.0], [-1.0]], beta=3.0).train()
    output = quantizer(latents([2.0], [-1.0]))
    # mean of (1, 0) for the latents, 3 times the same for the codes
    assert output.commit.item() == pytest.approx(0.5 + 3 * 0.5)
    output.commit.backward()
    gradient = quantizer.table().grad.flatten().tolist()
    assert gradient == pytest.approx([3 * 2 * (1 - 2) / 2, 0.0])


@pytest.mark.parametrize("name", ["ema_reset", "ema", "reset"])
def test_the_first_batch_initialises_an_empty_codebook(name):
    quantizer = QUANTIZERS[name](4, 2).train()
    quantizer(torch.randn(1, 50, 2))
    assert (quantizer.codebook.norm(dim=1) > 0).all()


@pytest.mark.parametrize("name", list(QUANTIZERS))
def test_padding_reaches_neither_losses_nor_averages(name):
    real = torch.randn(1, 6, 3)
    padded = torch.cat([real, torch.full((1, 4, 3), 50.0)], dim=1)
    valid = torch.tensor([[[1.0] * 6 + [0.0] * 4]])
    results = []
    for x, mask in ((real, None), (padded, valid)):
        torch.manual_seed(0)
        quantizer = QUANTIZERS[name](4, 3).train()
        output = quantizer(x, mask)
        results.append((output.commit, output.counts, quantizer.table().detach()))
    for alone, in_batch in zip(*results, strict=True):
        torch.testing.assert_close(alone, in_batch)


@pytest.mark.parametrize("name", list(QUANTIZERS))
def test_training_state_makes_a_copy_go_on_alike(name):
    torch.manual_seed(0)
    batches = [torch.randn(2, 8, 3) for _ in range(6)]
    straight = QUANTIZERS[name](5, 3).train()
    for batch in batches[:3]:
        straight(batch)
    copy = QUANTIZERS[name](5, 3).train()
    copy.load_state_dict(straight.state_dict())
    copy.load_training_state(straight.training_state())
    for batch in batches[3:]:
        straight(batch)
        copy(batch)
    assert torch.equal(straight.table(), copy.table())


def test_a_loaded_codebook_without_averages_trains_on_from_where_it_is():
    codes = torch.randn(8, 4) * 10
    quantizer = make("ema_reset", codes.tolist(), mu=0.99).train()
    quantizer(codes[None] + 0.01)
    torch.testing.assert_close(quantizer.codebook, codes + 0.0001, atol=1e-3, rtol=0)


def test_margin_is_the_lead_of_the_nearest_code():
    quantizer = make("ema_reset", [[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    codes, margins = quantizer.nearest_with_margin(torch.tensor([[[1.0, 0.0], [1.5, 0.0]]]))
    # Squared distances 1, 4, 17 and 2.25, 2.25, 18.25; squares 1 or 2.25 + (0 + 9 + 16) / 3.
    assert codes[0, 0] == 0 and torch.equal(codes, quantizer.nearest(torch.tensor([[[1.0, 0.0], [1.5, 0.0]]])))
    torch.testing.assert_close(margins, torch.tensor([[3 / (1 + 25 / 3), 0.0]]))


def test_dead_codes_get_different_latents_though_there_are_fewer_than_codes():
    quantizer = make("ema_reset", [[0.0, 0.0]] * 8)
    rows = torch.arange(10, dtype=torch.float32).reshape(5, 2)
    dead = torch.tensor([False, True, True, False, True, False, True, True])
    for seed in range(20):
        quantizer.seed(seed)
        fresh = quantizer._replacements(dead, rows)[dead]
        assert sorted(fresh.tolist()) == rows.tolist()  # five dead codes, five latents: each exactly once
    everything = quantizer._replacements(torch.ones(8, dtype=torch.bool), rows)
    # Beyond that they come again, a little beside.
    distances = torch.cdist(everything, everything) + 9 * torch.eye(8)
    assert 0 < distances.min() < 0.1 and len({tuple(row.round().tolist()) for row in everything}) == 5

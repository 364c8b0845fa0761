"""A library's network of a stranger's configuration: compared with the file before it takes any memory."""

from pathlib import Path

import pytest
import torch
from torch import nn

from zeuxis.errors import WeightsRefused
from zeuxis.hub.beside import of_a_network, read_json
from zeuxis.hub.weights import build_filled

FILE, CONFIG = Path("model.safetensors"), Path("config.json")
FITTING = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


def test_what_fits_is_filled_and_counters_are_left_out():
    net = build_filled(lambda: nn.Linear(3, 2), FITTING | {"x.position_ids": torch.arange(4)}, FILE, CONFIG, ("_ids",))
    assert torch.equal(net(torch.ones(1, 3)), torch.full((1, 2), 3.0)) and not net.training


def layers(count):
    return nn.Sequential(*(nn.Linear(1, 1) for _ in range(count)))


def speak(text):
    raise TypeError(text)


@pytest.mark.parametrize(
    ("make", "content", "file", "reason"),
    [
        (lambda: nn.Linear(10**9, 10**9), FITTING, FILE, r"has shape \(2, 3\)"),
        (lambda: layers(10**9), FITTING, CONFIG, "far more layers than its 2 tensors"),
        (lambda: speak("one\n  two"), FITTING, CONFIG, "describes no network: one two$"),
        (lambda: nn.Linear(3, 2), [1], FILE, "holds a list"),
        (lambda: nn.Linear(3, 2), torch.ones(2), FILE, "holds a Tensor"),
        (lambda: nn.Linear(3, 2), FITTING | {"bias": 3}, FILE, "bias: is a int, expected a tensor"),
        (lambda: nn.Linear(3, 2), {1: torch.ones(2)}, FILE, "is missing"),
    ],
    ids=["huge", "deep", "lines", "list", "tensor", "number", "number as name"],
)
def test_a_forged_one_is_refused_at_once(make, content, file, reason):
    with pytest.raises(WeightsRefused, match=reason) as refused:
        build_filled(make, content, file, CONFIG)
    assert refused.value.file == file


def test_settings_that_fetch_programs_are_left_out_at_every_depth():
    """An attention kernel that a configuration names would be fetched from the Hub, and run."""
    inner = {"hidden_size": 8, "attn_implementation": "somebody/kernel", "_attn_implementation": "somebody/kernel"}
    config = {"text_config": inner, "auto_map": {"AutoModel": "my.Model"}, "num_labels": 9, "layers": [1, 2]}
    assert of_a_network(config) == {"text_config": {"hidden_size": 8}, "layers": [1, 2]}
    with pytest.raises(ValueError, match="at most 1,000 settings"):
        of_a_network({str(k): k for k in range(1001)})
    with pytest.raises(ValueError, match="up to 2,097,152"):
        of_a_network({"vision_config": {"num_hidden_layers": 10**9}})


@pytest.mark.parametrize(
    "content", ["[" * 40 + "]" * 40, '{"a":' * 40 + "1" + "}" * 40, '{"a": 1' + "0" * 30 + "}", ""]
)
def test_json_out_of_proportion_is_refused(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(WeightsRefused, match=r"config\.json: "):
        read_json(tmp_path / "config.json")

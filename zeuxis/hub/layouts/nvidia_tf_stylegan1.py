"""StyleGAN (2019) in NVIDIA's TensorFlow pickles (karras2019stylegan-*.pkl): variable names of the official network.

No reference output was at hand: the names and the mathematics are those of the paper and of the published layout, the
tests compare with a second, independently written forward pass only.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.hub.model_file import Part


def generator(variables: dict[str, np.ndarray], static: dict[str, Any]) -> Part:
    """Variables "G_mapping/Dense0/weight", "G_synthesis/8x8/Conv0_up/weight", ... -> StyleGAN's facts and tensors."""
    left = {name.removeprefix("G_mapping/").removeprefix("G_synthesis/"): name for name in variables}

    def take(name: str) -> Tensor:
        return torch.from_numpy(np.array(variables[left.pop(name)], dtype=np.float32))

    out: dict[str, Tensor] = {}
    layers = 0
    while f"Dense{layers}/weight" in left:
        out[f"mapping.fc{layers}.weight"] = take(f"Dense{layers}/weight").T.contiguous()
        out[f"mapping.fc{layers}.bias"] = take(f"Dense{layers}/bias")
        layers += 1
    out["mapping.w_avg"] = take("dlatent_avg")
    sizes = sorted({int(m[1]) for name in left if (m := re.match(r"(\d{1,5})x\1/", name))})
    channels = []
    for i, size in enumerate(sizes):
        b, tf = f"synthesis.b{size}", f"{size}x{size}"
        if i == 0:
            out[f"{b}.const"] = take(f"{tf}/Const/const")[0]
            steps = [("epilogue0", f"{tf}/Const", None), ("epilogue1", f"{tf}/Conv", "conv1")]
        else:
            steps = [("epilogue0", f"{tf}/Conv0_up", "conv0"), ("epilogue1", f"{tf}/Conv1", "conv1")]
        for j, (epilogue, name, conv) in enumerate(steps):
            if conv is not None:
                out[f"{b}.{conv}.weight"] = take(f"{name}/weight").permute(3, 2, 0, 1).contiguous()
            out[f"{b}.{epilogue}.bias"] = take(f"{name}/bias")
            out[f"{b}.{epilogue}.noise_strength"] = take(f"{name}/Noise/weight")
            out[f"{b}.{epilogue}.noise_const"] = take(f"noise{2 * i + j}")[0, 0]
            out[f"{b}.{epilogue}.style.weight"] = take(f"{name}/StyleMod/weight").T.contiguous()
            out[f"{b}.{epilogue}.style.bias"] = take(f"{name}/StyleMod/bias")
        channels.append(out[f"{b}.epilogue1.bias"].shape[0])
    out["synthesis.torgb.weight"] = take("ToRGB_lod0/weight").permute(3, 2, 0, 1).contiguous()
    out["synthesis.torgb.bias"] = take("ToRGB_lod0/bias")
    passing = re.compile(r"lod|ToRGB_lod\d+/.*")  # colours of lower resolutions served progressive growing only
    unexpected = [name for name in left if not passing.fullmatch(name)]
    if unexpected:
        raise ValueError(f"{unexpected[0]} is not expected in a StyleGAN")
    facts = {
        "z_dim": out["mapping.fc0.weight"].shape[1],
        "w_dim": out["mapping.w_avg"].shape[0],
        "channels": channels,
        "mapping_layers": layers,
        "rate": float(static.get("mapping_lrmul", 0.01)),
        "img_channels": out["synthesis.torgb.bias"].shape[0],
    }
    return Part(facts, out)

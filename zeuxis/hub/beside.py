"""What lies beside a weight file and has a say in what becomes of it: configuration, and how pictures are prepared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.storage.reading import bounded, read_bounded

CONFIG, PREPROCESSOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
MOST_BYTES = 2**22  # of a JSON file
MOST_SETTINGS = 1000  # of a network, in one table
LARGEST = 2**21  # of its whole numbers: some libraries make a name for each layer first
NOT_OF_A_NETWORK = {
    *("attn_implementation", "experts_implementation", "auto_map", "architectures", "quantization_config"),
    *("id2label", "label2id", "num_labels", "name_or_path", "dtype", "torch_dtype", "transformers_version"),
    *("return_dict", "use_return_dict", "output_attentions", "output_hidden_states", "chunk_size_feed_forward"),
    *("is_decoder", "add_cross_attention", "rope_scaling"),
}
CONVERSION = 2  # of this program: raise it when a layout writes something else from the same files


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds a dictionary; {} where there is none. WeightsRefused for one that is damaged."""
    if not path.is_file():
        return {}
    try:
        found = bounded(json.loads(read_bounded(path, MOST_BYTES, "configuration"), parse_constant=_no_number))
    except BadInput as error:  # also where it became a pipe meanwhile
        raise WeightsRefused(path, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise WeightsRefused(path, f"is no JSON that is read: {str(error)[:120]}") from error
    if not isinstance(found, dict):
        raise WeightsRefused(path, f"is a {type(found).__name__}, expected a dictionary")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def image_processor(folder: Path) -> dict[str, Any]:
    """How transformers prepares pictures for the model in `folder`: {} where no file says it.

    Newer versions write it into processor_config.json, and that counts where both are there.
    """
    inside = read_json(folder / PROCESSOR).get("image_processor")
    return inside if isinstance(inside, dict) else read_json(folder / PREPROCESSOR)


def of_a_network(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration of a library's network says of the network itself, at every depth.

    Without what names programs to fetch (an attention kernel of the Hub, a class in a file), and without how the
    library is to load it or to answer. BadInput for more and larger settings than any network has.
    """
    if len(config) > MOST_SETTINGS:
        raise BadInput(f"Expected a configuration of at most {MOST_SETTINGS:,} settings, got {len(config):,}.")
    kept = {name: value for name, value in config.items() if not name.startswith("_") and name not in NOT_OF_A_NETWORK}
    large = [name for name, value in kept.items() if type(value) is int and abs(value) > LARGEST]
    if large:
        raise BadInput(f"Expected numbers up to {LARGEST:,} in a configuration, got more as {large[0]!r:.60}.")
    return {name: of_a_network(value) if isinstance(value, dict) else value for name, value in kept.items()}


def conversion_key(source: Path, sha256: str, licence: str = "") -> str:
    """A name for the conversion of the weight file `source`, hex: a hash over all that decides what comes out.

    `sha256` is that of the weights. The files beside them count, and so does the version of the conversion.
    """
    digest = hashlib.sha256(f"conversion {CONVERSION}\nweights {sha256}\nlicence {licence}\n".encode())
    for name in (CONFIG, PREPROCESSOR, PROCESSOR):
        told = json.dumps(read_json(source.parent / name), sort_keys=True)
        digest.update(f"{name} {hashlib.sha256(told.encode()).hexdigest()}\n".encode())
    return digest.hexdigest()

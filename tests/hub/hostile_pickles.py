"""Small hostile weight files, made by a grammar: nesting, aliases, cycles of the memo, huge counts, many steps.

None of them runs anything. Each asks for time or memory out of proportion to its size: {name: bytes} of `all_files`.
"""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
from typing import Any

import torch

PROTO = b"\x80\x04"
LEGACY = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))


def text(value: str) -> bytes:
    """A text."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def whole(value: int) -> bytes:
    """A whole number of any size."""
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, what: str) -> bytes:
    """A name of a module."""
    return f"c{module}\n{what}\n".encode()


def nested(levels: int) -> bytes:
    """t = (t, t), `levels` deep."""
    return b"K\x01" + b"2\x86" * levels


def zipped(body: bytes, storages: dict[str, bytes] | None = None) -> bytes:
    """As torch.save writes now."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", body)
        archive.writestr("archive/version", "3\n")
        for key, data in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", data)
    return out.getvalue()


def promising(size: int) -> bytes:
    """A zip file whose directory says that its pickle takes `size` bytes of the file."""
    data = zipped(PROTO + b"}.")
    entry = data.index(b"PK\x01\x02")  # of the first file, which is the pickle; its packed size stands at 20
    return data[: entry + 20] + struct.pack("<I", size) + data[entry + 24 :]


def legacy(body: bytes, keys: list[str], storages: bytes) -> bytes:
    """As torch.save wrote before 1.6."""
    return LEGACY + body + pickle.dumps(keys, 2) + storages


def storage(kind: str, key: bytes, count: int) -> bytes:
    """A persistent id of a storage."""
    return b"(" + text("storage") + name("torch", kind) + key + text("cpu") + whole(count) + b"tQ"


def tensor(stored: bytes, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A tensor on a storage."""
    rows = [b"(" + b"".join(map(whole, row)) + b"t" for row in (size, stride)]
    parts = [b"(", stored, whole(0), *rows, b"\x89", name("collections", "OrderedDict"), b")R", b"t"]
    return name("torch._utils", "_rebuild_tensor_v2") + b"".join(parts) + b"R"


def pairs(rows: list[tuple[bytes, bytes]]) -> bytes:
    """A dictionary."""
    return b"}(" + b"".join(key + value for key, value in rows) + b"u"


def module(class_name: str, state: bytes) -> bytes:
    """A persistent object of NVIDIA's programs."""
    meta = pairs([(text("class_name"), text(class_name)), (text("state"), state), (text("module_src"), text(""))])
    return name("torch_utils.persistence", "_reconstruct_persistent_obj") + meta + b"\x85R"


def family(levels: int, names: int, put: int = 0) -> bytes:
    """A module with `names` names for its one child, which has as many for its own, ..."""
    child = module("Leaf", pairs([(text("_modules"), b"}")]))
    for _ in range(levels):
        called = [(text(f"b{i}"), b"h" + bytes([put])) for i in range(names)]
        child = child + b"q" + bytes([put]) + b"0" + module("Node", pairs([(text("_modules"), pairs(called))]))
        put += 1
    return child


def generator(child: bytes) -> bytes:
    """A network pickle that holds it as StyleGAN2's generator."""
    return PROTO + pairs([(text("G_ema"), child)]) + b"."


def colliding(count: int) -> bytes:
    """Numbers whose hashes are all the same."""
    step = 2**61 - 1
    return pairs([(whole(5 + i * step), b"N") for i in range(count)])


def framed(body: bytes) -> bytes:
    """One frame of protocol 4."""
    return PROTO + b"\x95" + struct.pack("<Q", len(body)) + body


def many_names(count: int, size: int) -> bytes:
    """One large storage under many names, seen as half numbers that are to be copied."""
    rows = [b"}(", text("g_ema"), b"}("]
    rows += [text("input.input"), tensor(storage("HalfStorage", text("0"), size // 2), (size // 2,), (1,)), b"q\x01"]
    rows += [text(f"style.{i + 1}.{part}") + b"h\x01" for i in range(count) for part in ("weight", "bias")]
    return zipped(PROTO + b"".join(rows) + b"uu.", {"0": bytes(size)})


def many_views(count: int, size: int) -> bytes:
    """As `many_names`, each a tensor of its own on the one storage."""
    stored = storage("HalfStorage", text("0"), size // 2)
    rows = [text(f"n{i}") + tensor(stored, (size // 2,), (1,)) for i in range(count)]
    return zipped(PROTO + b"}(" + b"".join(rows) + b"u.", {"0": bytes(size)})


def numbers(size: tuple[int, ...], stride: tuple[int, ...], count: int = 120_000) -> bytes:
    """A state dictionary with one tensor, seen in its own way."""
    seen = tensor(storage("FloatStorage", text("0"), count), size, stride)
    return zipped(PROTO + pairs([(text("input.input"), seen)]) + b".", {"0": bytes(4 * count)})


def described(family_name: str, part: str, facts: dict[str, Any]) -> bytes:
    """A model file of a few hundred bytes, with a network that would take gigabytes and no tensors."""
    header = {"format": 1, "family": family_name, "parts": {part: facts}}
    head = json.dumps({"__metadata__": {"facts": json.dumps(header)}}).encode()
    return struct.pack("<Q", len(head)) + head


WIDE = {"z_dim": 8192, "c_dim": 0, "w_dim": 8192, "channels": [8192] * 4, "img_channels": 3,
        "mapping_layers": 8, "rate": 0.01}  # fmt: skip


def again(function: bytes, argument: bytes, count: int, tail: bytes = b"\x85") -> bytes:
    """One function called on one large argument, again and again; all results are kept."""
    made = function + b"q\x01" + b"0" + argument + b"q\x02" + b"0" + b"]("
    return PROTO + made + (b"h\x01h\x02" + tail + b"R") * count + b"e."


def all_files(steps: int = 60_000_000) -> dict[str, bytes]:
    """Every kind, as {name of the file: content}; `steps` is how often one opcode is repeated."""
    tuples = nested(45)
    easy = name("dnnlib.util", "EasyDict")
    big_list = b"](" + b"K\x01" * 200_000 + b"e"
    array = name("numpy.core.multiarray", "_reconstruct") + b")R"
    state = b"(K\x01(" + whole(8_000_000) + b"t" + name("numpy", "dtype") + text("u1") + b"\x85R\x89"
    old = legacy(PROTO + storage("FloatStorage", text("0"), 4) + b".", ["0"], struct.pack("<Q", 4) + FOUR)
    own = b"}q\x000" + module("Loop", b"h\x00") + b"q\x010"  # its state is a dictionary that it is in
    own += b"h\x00" + text("_modules") + pairs([(text(f"b{4 * 2**i}"), b"h\x01") for i in range(8)]) + b"s0h\x01"
    whole_net = pairs([(text("mapping"), b"h\x01"), (text("synthesis"), b"h\x01")])
    own_net = own + b"0" + module("G", pairs([(text("_modules"), whole_net)]))
    return {
        "tuple_key_state.pth": zipped(PROTO + b"}" + tuples + b"K\x01s."),
        "tuple_key_legacy.pth": legacy(PROTO + b"}" + tuples + b"K\x01s.", [], b""),
        "tuple_key_network.pkl": PROTO + b"}" + tuples + b"K\x01s.",
        "tuple_key_easydict.pkl": PROTO + easy + b"](" + tuples + b"K\x01\x86e\x85R.",
        "tuple_key_ordered.pth": zipped(PROTO + name("collections", "OrderedDict") + b"](" + tuples + b"N\x86e\x85R."),
        "tuple_in_set.pkl": PROTO + name("builtins", "set") + b"](" + tuples + b"e\x85R.",
        "tuple_in_frozenset.pkl": PROTO + b"(" + tuples + b"\x91.",
        "tuple_as_storage_key.ckpt": zipped(PROTO + storage("FloatStorage", tuples, 4) + b"."),
        "tuple_as_storage_key_old.ckpt": legacy(PROTO + storage("FloatStorage", tuples, 4) + b".", [], b""),
        "tuple_as_storage_place.ckpt": zipped(PROTO + b"(" + text("storage") + tuples * 4 + b"tQ."),
        "tuple_as_kept_keys.ckpt": old.replace(pickle.dumps(["0"], 2), PROTO + b"](" + tuples + b"e."),
        "tuple_as_shape.ckpt": zipped(PROTO + name("torch._utils", "_rebuild_tensor_v2") + b"(" + storage(
            "FloatStorage", text("0"), 4) + tuples * 3 + b"tR.", {"0": FOUR}),
        "tuple_as_class.pkl": generator(module("G", b"}").replace(text("G"), tuples)),
        "tuple_as_dtype.pkl": PROTO + name("numpy", "dtype") + tuples + b"\x85R.",
        "tuple_as_type.pkl": PROTO + name("dill._dill", "_load_type") + tuples + b"\x85R.",
        "tuple_as_state.pkl": generator(module("G", tuples)),
        "tuple_as_value.pth": zipped(PROTO + pairs([(text("input.input"), tuples)]) + b"."),
        "colliding_keys.pth": zipped(PROTO + colliding(60_000) + b"."),
        "colliding_keys.pkl": PROTO + colliding(60_000) + b".",
        "colliding_memo.pkl": b"\x80\x02](" + b"".join(b"Np%d\n" % (5 + i * (2**61 - 1)) for i in range(60_000)),
        "long_key.pth": zipped(PROTO + pairs([(b"\x8b" + struct.pack("<i", 9000) + b"\x11" * 9000, b"N")]) + b"."),
        "eight_names.pkl": generator(family(13, 8)),
        "eight_names.pt": zipped(PROTO + family(13, 8) + b"."),
        "two_names_deep.pkl": generator(family(60, 2)),
        "lists_in_lists.pkl": PROTO + b"]" + b"q\x000](h\x00h\x00e" * 1 + b"".join(
            b"q" + bytes([i]) + b"0](" + (b"h" + bytes([i])) * 8 + b"e" for i in range(1, 40)) + b".",
        "own_child.pkl": generator(own),
        "own_list.pkl": PROTO + b"]q\x00(" + b"h\x00" * 8 + b"e.",
        "own_dictionary.pth": zipped(PROTO + b"}q\x00" + text("state_dict") + b"h\x00s."),
        "own_child_below.pkl": generator(own_net),
        "one_opcode.pkl": PROTO + b"]" * 60_000_000,
        "one_opcode_framed.pkl": framed(b"]" * steps),
        "none_popped_framed.pkl": framed(b"N0" * (steps // 2) + b"N."),
        "marks_framed.pkl": framed(b"(" * steps),
        "sets_framed.pkl": framed(b"\x8f" * steps),
        "memo_framed.pkl": framed(b"N" + b"\x94" * steps),
        "tuples_framed.pth": zipped(framed(b"N" + b"\x85" * steps + b".")),
        "frames_in_frames.pkl": PROTO + (b"\x95" + struct.pack("<Q", 2**62)) * 20,
        "bytes_of_nothing.pkl": PROTO + b"\x8e" + struct.pack("<Q", 2**62) + b".",
        "bytearray_of_nothing.pkl": b"\x80\x05\x96" + struct.pack("<Q", 2**35) + b".",
        "stride_zero.pth": numbers((120_000, 120_000), (0, 1)),
        "stride_zero_thin.pth": numbers((2**30, 1), (0, 1)),
        "strides_one.pth": numbers((60_000, 60_000), (1, 1)),
        "strides_three.pth": numbers((3000, 3000, 3000), (3, 5, 7)),
        "negative_size.pth": numbers((-1, 4), (1, 1)),
        "no_size.pth": numbers((0, 2**39), (2**39, 1)),
        "many_names.pth": many_names(3000, 20_000_000),
        "many_views.pth": many_views(3000, 20_000_000),
        "promises_two_gigabytes.pth": promising(2**31 - 1),
        "huge_storage.pth": zipped(PROTO + tensor(storage("FloatStorage", text("0"), 2**38), (4,), (1,)) + b"."),
        "huge_storage_old.pth": legacy(
            PROTO + tensor(storage("FloatStorage", text("0"), 2**38), (4,), (1,)) + b".", ["0"], b""),
        "many_storages_old.pth": legacy(
            PROTO + b"(" + b"".join(storage("ByteStorage", text(f"{i}"), 0) for i in range(30_000)) + b"t.", [], b""),
        "same_encode.pkl": again(name("_codecs", "encode"), text("x" * 10_000_000), 20_000),
        "same_list.pkl": again(name("x", "Y"), b"(" + b"N" * 500_000 + b"t", 20_000, b""),
        "same_set.pkl": again(name("builtins", "set"), big_list, 20_000),
        "same_pairs.pkl": again(easy, b"](" + b"".join(text(f"{i}") + b"N\x86" for i in range(60_000)) + b"e", 20_000),
        "same_nested.pkl": again(name("torch.storage", "_load_from_bytes"),
                                 b"B" + struct.pack("<I", len(old)) + old, 50_000),
        "same_array.pkl": PROTO + array + b"q\x010" + state + text("x" * 8_000_000) + b"tq\x020](" +
        b"h\x01h\x02b" * 20_000 + b"e.",
        "long_name.pkl": PROTO + text("m" * 10_000_000) + b"q\x010" + b"h\x01h\x01\x93" * 5000 + b".",
        "thirteen_gigabytes.safetensors": described("stylegan2", "generator", WIDE),
        "million_layers.safetensors": described("stylegan2", "generator", WIDE | {"mapping_layers": 65536}),
        "million_blocks.safetensors": described("stylegan2", "generator", WIDE | {"channels": [8] * 200_000}),
        "deep_facts.safetensors": described("stylegan2", "generator", {"channels": [[[[[[[[[[[[[8]]]]]]]]]]]]]}),
    }  # fmt: skip


def composed(rng: random.Random, depth: int = 0) -> bytes:
    """One random value: numbers, texts, containers in containers, aliases, calls of known names and of strange ones."""
    if rng.random() < 0.01:
        return rng.choice(HUGE)
    kind = rng.randrange(14 if depth < 8 else 4)
    inner = [composed(rng, depth + 1) for _ in range(rng.randrange(4))] if kind > 3 else []
    put, alias = rng.randrange(6), rng.randrange(6)
    if kind == 0:
        return rng.choice([b"N", b"\x88", b"K\x07", whole(rng.choice([-1, -2, 2**61, 2**61 - 1, 2**200]))])
    if kind == 1:
        return text(rng.choice(KEYS))
    if kind == 2:
        return rng.choice([b"]", b"}", b")", b"\x8f"]) + b"q" + bytes([put])
    if kind == 3:
        return b"h" + bytes([alias])
    if kind in (4, 5):
        rows = [(text(rng.choice(KEYS)) if rng.random() < 0.9 else composed(rng, 8), value) for value in inner]
        return b"}q" + bytes([put]) + b"(" + b"".join(k + v for k, v in rows) + b"u"
    if kind == 6:
        return b"]q" + bytes([put]) + b"(" + b"".join(inner) + b"e"
    if kind == 7:
        return b"(" + b"".join(inner) + b"tq" + bytes([put])
    if kind == 8:
        return nested(rng.randrange(60))
    if kind in (9, 10):
        return rng.choice(NAMES) + b"(" + b"".join(inner) + b"tRq" + bytes([put])
    if kind == 11:
        return module(rng.choice(KEYS), inner[0] if inner else b"}")
    if kind == 12:
        size = tuple(rng.choice([0, 1, 2, 4, 2**20, -1]) for _ in range(rng.randrange(4)))
        stride = tuple(rng.choice([0, 1, 2, 2**20]) for _ in range(len(size)))
        return tensor(storage("FloatStorage", text(rng.choice("01")), rng.choice([0, 4, 4, 2**30])), size, stride)
    return rng.choice(NAMES) + b")R" + (inner[0] if inner else b"}") + b"b"


KEYS = ["G_ema", "G", "D", "g_ema", "state_dict", "_modules", "_parameters", "_buffers", "mapping", "synthesis", "b4",
        "input.input", "conv1.weight", "variables", "components", "static_kwargs", "class_name", "state"]  # fmt: skip
NAMES = [name("collections", "OrderedDict"), name("dnnlib.util", "EasyDict"), name("builtins", "set"), name("x", "Y"),
         name("dnnlib.tflib.network", "Network"), name("torch_utils.persistence", "_reconstruct_persistent_obj"),
         name("numpy.core.multiarray", "_reconstruct"), name("numpy", "dtype"), name("_codecs", "encode"),
         name("torch._utils", "_rebuild_tensor_v2"), name("torch", "Size"), name("torch", "float32"),
         name("torch.storage", "_load_from_bytes")]  # fmt: skip
HUGE = [b"X\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 7 + b"\x7f", b"\x8e\0\0\0\0\0\0\0\x40", b"\x8b\xff\xff\xff\x7f",
        b"\x95\0\0\0\0\0\0\0\x40", b"\x96\0\0\0\0\x10\0\0\0", b"Nr\xff\xff\xff\x7f", b"j\xff\xff\xff\x7f",
        b"]" * 10_000, b"N\x85" + b"\x85" * 10_000, whole(2**2000)]  # fmt: skip
FOUR = torch.arange(4, dtype=torch.float32).numpy().tobytes()


def grammar(rng: random.Random) -> tuple[str, bytes]:
    """A random pickle in one of the three kinds of files."""
    body = PROTO + composed(rng) + b"."
    kind = rng.choice(["pkl", "zip", "old"])
    if kind == "pkl":
        return "network.pkl", body
    if kind == "zip":
        return "state.pth", zipped(body, {"0": FOUR, "1": FOUR})
    return "old.pth", legacy(body, rng.choice([["0"], ["1"], ["0", "1"], []]), (struct.pack("<Q", 4) + FOUR) * 2)

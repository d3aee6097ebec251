#!/usr/bin/env python3
"""Makes models that compute the same function as a Llama folder but have other weights.

offgrid  Random channel scales, each undone where the channel is read: weights lie on no quantization grid.
           input_layernorm <-> q, k, v          post_attention_layernorm <-> gate, up
           v rows <-> o columns (one scale per key-value channel, shared by the query heads of the group)
           up rows <-> down columns
padded   offgrid, then zero channels and whole zero heads up to a larger hidden size that wide groups divide.
         RMS norm divides by the channel count, so from H to P channels:
           norm weights *= sqrt(H/P)            rms_norm_eps *= H/P

Scales are log-uniform in [0.8, 1.25]. All arithmetic is float64 with one rounding to the stored type.
Exit codes: 0 ok, 2 usage, 3 bad input, 130 interrupted.
"""

import argparse
import dataclasses
import hashlib
import json
import math
import os
import platform
import re
import shutil
import sys
from pathlib import Path

import numpy as np

VERSION = 1  # of the derivation: raise it when the same seed gives other weights
SCALE_LOW, SCALE_HIGH = 0.8, 1.25
BLOCK_ELEMENTS = 1 << 22  # one tensor is converted in row blocks of about this size: bounds memory
STORED_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
OUTPUT_TYPES = {"f32": ("F32", "float32"), "bf16": ("BF16", "bfloat16"), "f16": ("F16", "float16")}
WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
WEIGHT_SUFFIXES = {".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf"}


class BadInput(Exception):
    """The model folder, or what is asked of it, cannot be used; ends the program with exit code 3."""


# ---- number types ------------------------------------------------------------------------------------------


def widen(raw, stored):
    """Little-endian bytes of a safetensors dtype -> float64 array, exactly."""
    if stored == "BF16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return raw.view({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[stored]).astype(np.float64)


def bf16_bits(values):
    """float64 -> bf16 bit patterns (uint16), to nearest, ties to even. Values must be finite.

    Going through float32 would round twice, so float32 is taken towards zero, its last bit set where anything
    was lost.
    """
    near = values.astype(np.float32)
    wide = near.astype(np.float64)
    bits = near.view(np.uint32) - (np.abs(wide) > np.abs(values))
    bits |= (wide != values).astype(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def narrow(values, stored):
    """float64 -> array in the stored type's bytes, rounded once. Raises BadInput where one is not finite."""
    if not np.isfinite(values).all():
        raise BadInput("a value is not finite")
    with np.errstate(over="ignore"):
        if stored == "BF16":
            result = bf16_bits(values)
            fits = (result & 0x7F80) != 0x7F80
        else:
            result = values.astype({"F32": "<f4", "F16": "<f2"}[stored])
            fits = np.isfinite(result)
    if not fits.all():
        raise BadInput(f"a value is too large for {stored}; use a wider --dtype")
    return result


# ---- the model folder --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Dims:
    """The sizes that fix every tensor's shape."""

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    layers: int


@dataclasses.dataclass(frozen=True)
class Stored:
    """Where one tensor's bytes lie in the source."""

    path: Path
    dtype: str
    shape: tuple
    begin: int  # from the start of the file


def read_json(path):
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise BadInput(f"{path}: cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise BadInput(f"{path}: not JSON: {e}") from e
    if not isinstance(value, dict):
        raise BadInput(f"{path}: expected a JSON object")
    return value


def config_int(config, key, default=None):
    value = config.get(key)
    value = default if value is None else value
    if type(value) is not int or value <= 0:
        raise BadInput(f"config.json: {key}: expected a positive integer, found {value!r}")
    return value


def read_dims(config):
    """Sizes from config.json; refuses what is not a plain Llama."""
    if config.get("architectures") != ["LlamaForCausalLM"]:
        raise BadInput(
            f"config.json: architectures is {config.get('architectures')!r}; only LlamaForCausalLM is handled"
        )
    if config.get("quantization_config") is not None:
        raise BadInput("config.json: the model is already quantized (quantization_config); give its original")
    hidden, heads = config_int(config, "hidden_size"), config_int(config, "num_attention_heads")
    dims = Dims(
        hidden=hidden,
        heads=heads,
        kv_heads=config_int(config, "num_key_value_heads", heads),
        head_dim=config_int(config, "head_dim", hidden // heads),
        intermediate=config_int(config, "intermediate_size"),
        vocab=config_int(config, "vocab_size"),
        layers=config_int(config, "num_hidden_layers"),
    )
    if heads % dims.kv_heads:
        raise BadInput(
            f"config.json: {heads} attention heads do not divide into {dims.kv_heads} key-value heads"
        )
    return dims


def expected_shapes(dims, config):
    """{tensor: shape} of the whole checkpoint. A tied lm_head is among them, though few folders store it."""
    q, kv = dims.heads * dims.head_dim, dims.kv_heads * dims.head_dim
    linears = {
        "self_attn.q_proj": (q, dims.hidden),
        "self_attn.k_proj": (kv, dims.hidden),
        "self_attn.v_proj": (kv, dims.hidden),
        "self_attn.o_proj": (dims.hidden, q),
        "mlp.gate_proj": (dims.intermediate, dims.hidden),
        "mlp.up_proj": (dims.intermediate, dims.hidden),
        "mlp.down_proj": (dims.hidden, dims.intermediate),
    }
    biased = {"self_attn": bool(config.get("attention_bias")), "mlp": bool(config.get("mlp_bias"))}
    shapes = {
        "model.embed_tokens.weight": (dims.vocab, dims.hidden),
        "model.norm.weight": (dims.hidden,),
        "lm_head.weight": (dims.vocab, dims.hidden),
    }
    for layer in (f"model.layers.{i}." for i in range(dims.layers)):
        shapes[layer + "input_layernorm.weight"] = shapes[layer + "post_attention_layernorm.weight"] = (
            dims.hidden,
        )
        for name, shape in linears.items():
            shapes[f"{layer}{name}.weight"] = shape
            if biased[name.split(".")[0]]:
                shapes[f"{layer}{name}.bias"] = shape[:1]
    return shapes


def read_header(path):
    """Header of one safetensors file -> {name: Stored}; checks that every tensor lies inside the file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as f:
            length = int.from_bytes(f.read(8), "little")
            if size < 8 or length > size - 8:
                raise BadInput(f"{path}: not safetensors: the header's length exceeds the file")
            header = json.loads(f.read(length))
    except OSError as e:
        raise BadInput(f"{path}: cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise BadInput(f"{path}: header is not JSON: {e}") from e
    if not isinstance(header, dict):
        raise BadInput(f"{path}: header is not a JSON object")
    header.pop("__metadata__", None)
    return {name: stored_tensor(path, name, entry, 8 + length, size) for name, entry in header.items()}


def stored_tensor(path, name, entry, data_begin, file_bytes):
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        sane = all(type(x) is int and x >= 0 for x in (*shape, begin, end))
    except (TypeError, KeyError, ValueError):
        sane = False
    if not sane:
        raise BadInput(f"{path}: {name}: malformed header entry")
    if dtype not in STORED_BYTES:
        raise BadInput(
            f"{path}: {name}: type {dtype} is not a float type this tool widens ({', '.join(STORED_BYTES)})"
        )
    if end - begin != math.prod(shape) * STORED_BYTES[dtype] or data_begin + end > file_bytes:
        raise BadInput(
            f"{path}: {name}: bytes [{begin}, {end}) do not match {dtype} of shape {list(shape)}, "
            "or leave the file"
        )
    return Stored(path, dtype, shape, data_begin + begin)


def shard_files(folder):
    """The safetensors files to read; the single file wins over the index, as in transformers."""
    if (folder / WEIGHTS_FILE).is_file():
        return [WEIGHTS_FILE]
    if not (folder / INDEX_FILE).is_file():
        raise BadInput(f"{folder}: has neither {WEIGHTS_FILE} nor {INDEX_FILE}")
    weight_map = read_json(folder / INDEX_FILE).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise BadInput(f"{folder / INDEX_FILE}: no weight_map")
    names = set(weight_map.values())
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+\.safetensors", name):
            raise BadInput(f"{folder / INDEX_FILE}: bad file name {name!r}")
    return sorted(names)


def read_tensors(folder, shapes, tied):
    """{file: {tensor: Stored}}, checked to be exactly the expected tensors.

    The inv_freq of old checkpoints is left out: loaders compute it.
    """
    shards, seen = {}, set()
    for file in shard_files(folder):
        header = {
            n: s for n, s in read_header(folder / file).items() if not n.endswith("rotary_emb.inv_freq")
        }
        for name, stored in header.items():
            if name not in shapes:
                raise BadInput(
                    f"{stored.path}: {name}: not a tensor of this Llama "
                    "(biases need attention_bias or mlp_bias in config.json)"
                )
            if stored.shape != shapes[name]:
                raise BadInput(
                    f"{stored.path}: {name}: shape {list(stored.shape)}, "
                    f"config.json implies {list(shapes[name])}"
                )
            if name in seen:
                raise BadInput(f"{stored.path}: {name}: also in another file")
            seen.add(name)
        shards[file] = header
    missing = sorted(set(shapes) - seen - ({"lm_head.weight"} if tied else set()))
    if missing:
        raise BadInput(f"{folder}: {len(missing)} tensors missing, first {missing[0]}")
    return shards


# ---- the derivation ----------------------------------------------------------------------------------------


def channel_scales(seed, layer, pair, channels):
    """Log-uniform scales of one pair, a function of the arguments alone. -> float64 [channels]

    From the generator's raw bits, whose stream numpy guarantees, and rounded to 2^-16, which hides the
    last-bit differences between machines' exp: the same seed gives the same model everywhere.
    """
    raw = np.random.PCG64([seed, layer, pair]).random_raw(channels)
    unit = (raw >> np.uint64(11)) * 2.0**-53
    scales = SCALE_LOW * np.exp(unit * math.log(SCALE_HIGH / SCALE_LOW))
    return np.round(scales * 65536) / 65536


class Derivation:
    """Row factors and column divisors of each tensor, and its padded shape. Stateless after construction."""

    def __init__(self, seed, source, target, config):
        self.seed, self.source, self.target = seed, source, target
        self.target_shapes = expected_shapes(target, config)

    def row_factor(self, name):
        """float64 [rows], or None for one. Vectors (norms, biases) are columns: their channels are rows."""
        layer, rest = self._split(name)
        d, norm = self.source, math.sqrt(self.source.hidden / self.target.hidden)
        if name == "model.norm.weight":
            return np.full(d.hidden, norm)
        if rest == "input_layernorm.weight":
            return channel_scales(self.seed, layer, 0, d.hidden) * norm
        if rest == "post_attention_layernorm.weight":
            return channel_scales(self.seed, layer, 1, d.hidden) * norm
        if rest.startswith("self_attn.v_proj."):
            return channel_scales(self.seed, layer, 2, d.kv_heads * d.head_dim)
        if rest.startswith("mlp.up_proj."):
            return channel_scales(self.seed, layer, 3, d.intermediate)
        return None

    def column_divisor(self, name):
        """float64 [columns], or None for one."""
        layer, rest = self._split(name)
        d = self.source
        if rest in ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"):
            return channel_scales(self.seed, layer, 0, d.hidden)
        if rest in ("mlp.gate_proj.weight", "mlp.up_proj.weight"):
            return channel_scales(self.seed, layer, 1, d.hidden)
        if rest == "self_attn.o_proj.weight":
            per_kv_head = channel_scales(self.seed, layer, 2, d.kv_heads * d.head_dim).reshape(
                d.kv_heads, d.head_dim
            )
            return per_kv_head.repeat(d.heads // d.kv_heads, axis=0).reshape(-1)
        if rest == "mlp.down_proj.weight":
            return channel_scales(self.seed, layer, 3, d.intermediate)
        return None

    @staticmethod
    def _split(name):
        match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", name)
        return (int(match[1]), match[2]) if match else (0, "")


def padded_dims(source, hidden, heads, kv_heads):
    for what, old, new in (
        ("hidden", source.hidden, hidden),
        ("heads", source.heads, heads),
        ("kv-heads", source.kv_heads, kv_heads),
    ):
        if new < old:
            raise BadInput(f"--{what} {new} is smaller than the model's {old}")
    if heads * source.kv_heads != source.heads * kv_heads:
        raise BadInput(
            f"--heads {heads} --kv-heads {kv_heads}: the model has {source.heads // source.kv_heads} "
            "query heads for each key-value head, and this must stay so"
        )
    return dataclasses.replace(source, hidden=hidden, heads=heads, kv_heads=kv_heads)


def converted_blocks(name, stored, derivation, out_type):
    """Yields the derived tensor's bytes in row blocks: scaled, zero-padded at the end of each dimension."""
    rows, columns = stored.shape[0], math.prod(stored.shape[1:])
    target = derivation.target_shapes[name]
    target_rows, target_columns = target[0], math.prod(target[1:])
    factor, divisor = derivation.row_factor(name), derivation.column_divisor(name)
    raw = np.memmap(
        stored.path, mode="r", offset=stored.begin, shape=(rows, columns * STORED_BYTES[stored.dtype])
    )
    step = max(1, BLOCK_ELEMENTS // max(columns, target_columns))
    for begin in range(0, target_rows, step):
        end = min(begin + step, target_rows)
        block = np.zeros((end - begin, target_columns))
        filled = min(end, rows) - begin
        if filled > 0:
            part = widen(np.array(raw[begin : begin + filled]), stored.dtype)
            part = part if factor is None else part * factor[begin : begin + filled, None]
            block[:filled, :columns] = part if divisor is None else part / divisor
        try:
            yield narrow(block, out_type)
        except BadInput as e:
            raise BadInput(f"{stored.path}: {name}: {e}") from e


def write_shard(path, tensors, shapes, out_type, blocks):
    """One safetensors file, tensors in the source's order, of what blocks(name, stored) yields. Returns the
    bytes of data."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    order = sorted(tensors, key=lambda name: tensors[name].begin)
    for name in order:
        shape = shapes[name]
        size = math.prod(shape) * STORED_BYTES[out_type]
        header[name] = {"dtype": out_type, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            for block in blocks(name, tensors[name]):
                f.write(block.data)
    return offset


def write_weights(out, shards, shapes, out_type, blocks):
    """The source's files anew, and their index where there are several."""
    total = 0
    for done, (file, tensors) in enumerate(shards.items(), 1):
        total += write_shard(out / file, tensors, shapes, out_type, blocks)
        print(f"{file} written ({done} of {len(shards)})", file=sys.stderr)
    if list(shards) != [WEIGHTS_FILE]:
        weight_map = {name: file for file, tensors in shards.items() for name in tensors}
        write_json(
            out / INDEX_FILE,
            {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))},
        )


# ---- the output folder -------------------------------------------------------------------------------------


def derived_config(config, source, target, dtype_name):
    result = dict(config)
    result.update(
        hidden_size=target.hidden,
        num_attention_heads=target.heads,
        num_key_value_heads=target.kv_heads,
        head_dim=target.head_dim,
    )
    eps = config.get("rms_norm_eps", 1e-6)  # the default of transformers' LlamaConfig
    if type(eps) not in (int, float) or not eps >= 0:
        raise BadInput(f"config.json: rms_norm_eps: expected a number, found {eps!r}")
    result["rms_norm_eps"] = eps * source.hidden / target.hidden
    return with_dtype(result, dtype_name)


def with_dtype(config, dtype_name):
    keys = [k for k in ("dtype", "torch_dtype") if k in config] or ["torch_dtype"]
    return {**config, **{key: dtype_name for key in keys}}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def copy_other_files(folder, out):
    """Tokenizer and other top-level files as they are; no weights, no subfolders, nothing written anew."""
    written_anew = {"config.json", "derivation.json", INDEX_FILE}
    for path in sorted(folder.iterdir()):
        stale = (
            path.suffix in WEIGHT_SUFFIXES or path.name.endswith(".index.json") or path.name in written_anew
        )
        if path.is_file() and not stale:
            shutil.copyfile(path, out / path.name)


def fill_folder(args, out):
    """Writes the whole derived model into the folder `out`."""
    folder = Path(args.model_dir)
    config = read_json(folder / "config.json")
    source = read_dims(config)
    target = source if args.kind == "offgrid" else padded_dims(source, args.hidden, args.heads, args.kv_heads)
    shards = read_tensors(
        folder, expected_shapes(source, config), bool(config.get("tie_word_embeddings", False))
    )
    out_type, dtype_name = OUTPUT_TYPES[args.dtype]
    write_json(out / "config.json", derived_config(config, source, target, dtype_name))
    copy_other_files(folder, out)

    derivation = Derivation(args.seed, source, target, config)
    write_weights(
        out,
        shards,
        derivation.target_shapes,
        out_type,
        lambda name, stored: converted_blocks(name, stored, derivation, out_type),
    )
    write_json(
        out / "derivation.json",
        {
            "kind": args.kind,
            "seed": args.seed,
            "dtype": dtype_name,
            "scale_range": [SCALE_LOW, SCALE_HIGH],
            "source_config_sha256": hashlib.sha256((folder / "config.json").read_bytes()).hexdigest(),
            "source": dataclasses.asdict(source),
            "derived": dataclasses.asdict(target),
            "versions": {"derivation": VERSION, "python": platform.python_version(), "numpy": np.__version__},
        },
    )


def make_folder(out_dir, fill):
    """Calls fill(folder) on a temporary folder beside out_dir and renames it: out_dir is never half-written."""
    out = Path(os.path.abspath(out_dir))
    if os.path.lexists(out):
        raise BadInput(f"{out}: exists already; remove it or name another folder")
    if not out.parent.is_dir():
        raise BadInput(f"{out.parent}: no such folder")
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        fill(partial)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def seed(text):
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def parse_args(argv):
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "model_dir", metavar="MODEL_DIR", help="Hugging Face folder of a LlamaForCausalLM (safetensors)"
    )
    common.add_argument("out_dir", metavar="OUT_DIR", help="folder to make; must not exist")
    common.add_argument("--seed", type=seed, default=0, help="of the channel scales, 0 or more (default 0)")
    common.add_argument(
        "--dtype",
        choices=OUTPUT_TYPES,
        default="f32",
        help="stored type (default f32, which keeps the function to float rounding; bf16 and f16 round the "
        "scaled weights and so change the function noticeably)",
    )
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="{offgrid,padded}")
    kinds.add_parser("offgrid", parents=[common], help="random channel scales that cancel out")
    padded = kinds.add_parser(
        "padded", parents=[common], help="offgrid, then zero-padded to a larger hidden size"
    )
    padded.add_argument("--hidden", type=int, default=768, help="hidden size to pad to (default 768)")
    padded.add_argument("--heads", type=int, default=12, help="query heads to pad to (default 12)")
    padded.add_argument(
        "--kv-heads",
        type=int,
        default=4,
        help="key-value heads to pad to (default 4); heads / kv-heads must stay as it is",
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        make_folder(args.out_dir, lambda out: fill_folder(args, out))
    except (BadInput, OSError) as e:
        print(f"derive_models: {e}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("derive_models: interrupted; nothing was left behind", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

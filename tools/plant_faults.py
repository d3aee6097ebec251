#!/usr/bin/env python3
"""Plants faults into a Llama folder, each into a linear of its own, and writes down which: a test of diagnosis.

outlier-weights  One entry a row grows by --sigmas standard deviations of its row.          (changes the function)
hot-channels     Rows of up_proj times --scale, the columns of down_proj that read them divided by it; among the
                 tenth of channels with the largest |gate row| |up row| |down column|.      (keeps it)
varying-range    In every run of --every input channels, --run neighbours (which: drawn) times --factor, undone
                 where the channel is made: the norm's weight, v_proj or up_proj. All linears that read the norm
                 are scaled. --every 16 --run 1 leaves no group of 32 without them.          (keeps it)
round-3bit       The linear rounded to 3 bits in groups of 64, scale and zero point by minimum and maximum.
dead-channels    Rows of up_proj and gate_proj (and their biases) set to zero.               (changes it)
nan              One entry is NaN.

Powers of two as --scale and --factor keep the function to the bit, in every --dtype. Which linear, unless --linear
names it, which rows and which channels come from --seed alone. planted.json in OUT_DIR lists linear, fault, changed
tensors and parameters; faults that MODEL_DIR's own planted.json lists come first.
Exit codes: 0 ok, 2 usage, 3 bad input, 130 interrupted.
"""

import argparse
import dataclasses
import math
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from derive_models import (
    BLOCK_ELEMENTS,
    OUTPUT_TYPES,
    STORED_BYTES,
    BadInput,
    copy_other_files,
    expected_shapes,
    make_folder,
    narrow,
    read_dims,
    read_json,
    read_tensors,
    seed,
    widen,
    with_dtype,
    write_json,
    write_weights,
)

VERSION = 1  # of the faults: raise it when the same seed plants others
ROUND_BITS, ROUND_GROUP = 3, 64
BUSY_SHARE = 0.1  # of channels that hot-channels chooses from
NAN_BITS = {"F32": 0x7FC00000, "F16": 0x7E00, "BF16": 0x7FC0}
ATTENTION = tuple(f"self_attn.{p}_proj" for p in "qkvo")
MLP = tuple(f"mlp.{p}_proj" for p in ("gate", "up", "down"))

# An edit changes a block of float64 rows [rows, columns] of a tensor, the first of which is row `first`, in place;
# vectors are blocks of one column.
Edit = Callable[[np.ndarray, int], None]


@dataclasses.dataclass
class Fault:
    linear: str
    fault: str
    function: str  # "kept" or "changed"
    parameters: dict
    edits: dict[str, Edit]  # by tensor
    nan: tuple | None = None  # (row, column) of the linear, set after all edits


class Draws:
    """Numbers from a seed and a stream, the same on every machine: numpy guarantees the generator's raw bits."""

    def __init__(self, *words):
        self.generator = np.random.PCG64(list(words))

    def below(self, n):
        return int(self.generator.random_raw()) * n >> 64

    def some(self, items, count):
        """`count` different ones of the items, sorted."""
        items = list(items)
        return sorted(items.pop(self.below(len(items))) for _ in range(count))


class Source:
    """The model folder: sizes, and tensors in row blocks."""

    def __init__(self, folder):
        self.folder = folder
        self.config = read_json(folder / "config.json")
        self.dims = read_dims(self.config)
        self.shapes = expected_shapes(self.dims, self.config)
        tied = bool(self.config.get("tie_word_embeddings", False))
        self.shards = read_tensors(folder, self.shapes, tied)
        self.tensors = {name: t for shard in self.shards.values() for name, t in shard.items()}

    def with_bias(self, linear):
        """The linear's tensors: its weight, and its bias if it has one."""
        return [n for n in (linear + ".weight", linear + ".bias") if n in self.tensors]

    def blocks(self, name):
        """Yields (first row, float64 rows [rows, columns])."""
        stored = self.tensors[name]
        rows, columns = stored.shape[0], math.prod(stored.shape[1:])
        shape = (rows, columns * STORED_BYTES[stored.dtype])
        raw = np.memmap(stored.path, mode="r", offset=stored.begin, shape=shape)
        step = max(1, BLOCK_ELEMENTS // columns)
        for first in range(0, rows, step):
            yield first, widen(np.array(raw[first : first + step]), stored.dtype)

    def squared_norms(self, linear, axis):
        """Σ w² of each row (axis 1) or column (axis 0) of a linear."""
        parts = [np.square(block).sum(axis) for _, block in self.blocks(linear + ".weight")]
        return np.concatenate(parts) if axis == 1 else np.sum(parts, axis=0)


# ---- edits


def scale_rows(factors):
    def edit(block, first):
        block *= factors[first : first + len(block), None]

    return edit


def scale_columns(factors):
    def edit(block, first):
        block *= factors

    return edit


def grow_entries(columns, sigmas):
    """Moves entry (row, columns[row]) away from zero by `sigmas` standard deviations of its row."""

    def edit(block, first):
        rows = np.arange(len(block))
        at = rows, columns[first : first + len(block)]
        block[at] += np.where(block[at] < 0, -sigmas, sigmas) * block.std(axis=1)

    return edit


def round_to_grid(block, first):
    """w -> (q - z) s with q, z in [0, 2^bits) and s = (max - min) / (2^bits - 1) of the row's group, 0 among them."""
    codes = 2**ROUND_BITS - 1
    for begin in range(0, block.shape[1], ROUND_GROUP):
        group = block[:, begin : begin + ROUND_GROUP]
        low = np.minimum(group.min(axis=1, keepdims=True), 0)
        span = np.maximum(group.max(axis=1, keepdims=True), 0) - low
        scale = (np.where(span > 0, span, 1) / codes).astype(np.float32).astype(np.float64)
        zero = np.clip(np.rint(-low / scale), 0, codes)
        group[:] = (np.clip(np.rint(group / scale) + zero, 0, codes) - zero) * scale


# ---- faults: each takes the source, the linear, draws and the options


def outlier_weights(source, linear, draws, args):
    rows, columns = source.shapes[linear + ".weight"]
    chosen = np.array([draws.below(columns) for _ in range(rows)])
    edits = {linear + ".weight": grow_entries(chosen, args.sigmas)}
    return Fault(linear, "outlier-weights", "changed", {"sigmas": args.sigmas}, edits)


def hot_channels(source, linear, draws, args):
    mlp = linear.removesuffix("down_proj")
    size = source.squared_norms(mlp + "gate_proj", 1) * source.squared_norms(mlp + "up_proj", 1)
    size *= source.squared_norms(linear, 0)
    busy = np.argsort(-size, kind="stable")[: max(args.hot, int(BUSY_SHARE * len(size)))]
    channels = draws.some(busy.tolist(), args.hot)
    factors = np.ones(len(size))
    factors[channels] = args.scale
    edits = {name: scale_rows(factors) for name in source.with_bias(mlp + "up_proj")}
    edits[linear + ".weight"] = scale_columns(1 / factors)
    return Fault(linear, "hot-channels", "kept", {"channels": channels, "scale": args.scale}, edits)


def varying_range(source, linear, draws, args):
    layer, part = linear[: linear.index("self_attn" if "self_attn" in linear else "mlp")], linear.rsplit(".", 1)[1]
    d = source.dims
    if part in ("o_proj", "down_proj"):
        readers = [linear]
        producers = source.with_bias(layer + ("self_attn.v_proj" if part == "o_proj" else "mlp.up_proj"))
        channels = d.kv_heads * d.head_dim if part == "o_proj" else d.intermediate
    else:
        attention = part in ("q_proj", "k_proj", "v_proj")
        readers = [layer + name for name in (ATTENTION[:3] if attention else MLP[:2])]
        producers = [layer + ("input_layernorm.weight" if attention else "post_attention_layernorm.weight")]
        channels = d.hidden
    factors = np.ones(channels)
    for begin in range(0, channels, args.every):
        runs = max(1, min(args.every, channels - begin) // args.run)
        start = begin + args.run * draws.below(runs)
        factors[start : start + args.run] = args.factor
    columns = factors
    if part == "o_proj":  # every query head of a group reads the same key-value head
        columns = factors.reshape(d.kv_heads, d.head_dim).repeat(d.heads // d.kv_heads, axis=0).reshape(-1)
    edits = {name: scale_rows(1 / factors) for name in producers}
    edits.update({reader + ".weight": scale_columns(columns) for reader in readers})
    parameters = {"factor": args.factor, "every": args.every, "run": args.run}
    return Fault(linear, "varying-range", "kept", parameters, edits)


def round_3bit(source, linear, draws, args):
    parameters = {"bits": ROUND_BITS, "group": ROUND_GROUP}
    return Fault(linear, "round-3bit", "changed", parameters, {linear + ".weight": round_to_grid})


def dead_channels(source, linear, draws, args):
    alive = np.ones(source.dims.intermediate)
    channels = draws.some(range(len(alive)), args.dead)
    alive[channels] = 0
    gate = linear.removesuffix("up_proj") + "gate_proj"
    edits = {name: scale_rows(alive) for name in source.with_bias(linear) + source.with_bias(gate)}
    return Fault(linear, "dead-channels", "changed", {"channels": channels}, edits)


def one_nan(source, linear, draws, args):
    row, column = (draws.below(n) for n in source.shapes[linear + ".weight"])
    no_edit = {linear + ".weight": lambda block, first: None}
    return Fault(linear, "nan", "changed", {"row": row, "column": column}, no_edit, nan=(row, column))


FAULTS = {  # by name: the function, and the linears that can have the fault
    "outlier-weights": (outlier_weights, ATTENTION + MLP),
    "hot-channels": (hot_channels, ("mlp.down_proj",)),
    "varying-range": (varying_range, ATTENTION + MLP),
    "round-3bit": (round_3bit, ATTENTION + MLP),
    "dead-channels": (dead_channels, ("mlp.up_proj",)),
    "nan": (one_nan, ATTENTION + MLP),
}


def choose_faults(source, args):
    """One Fault for each name in args.faults, no two of which change the same tensor."""
    if max(args.hot, args.dead) > source.dims.intermediate:
        raise BadInput(f"--hot or --dead is more than the model's {source.dims.intermediate} channels")
    faults, taken = [], {name for f in source_faults(source.folder) for name in f["changed"]}
    for name in args.faults:
        make, parts = FAULTS[name]
        draws = Draws(args.seed, list(FAULTS).index(name))
        candidates = [f"model.layers.{i}.{part}" for i in range(source.dims.layers) for part in parts]
        if args.linear:
            if args.linear not in candidates:
                raise BadInput(f"--linear {args.linear}: {name} is planted into {', '.join(parts)} of model.layers.N")
            candidates = [args.linear]
        while candidates:
            fault = make(source, candidates.pop(draws.below(len(candidates))), draws, args)
            if taken.isdisjoint(fault.edits):
                break
        else:
            raise BadInput(f"{name}: every linear that can have it has a fault already; plant fewer")
        taken.update(fault.edits)
        faults.append(fault)
    return faults


def source_faults(folder):
    """What planted.json in the source lists."""
    path = folder / "planted.json"
    faults = read_json(path).get("faults") if path.is_file() else []
    if not isinstance(faults, list) or not all(isinstance(f, dict) and "changed" in f for f in faults):
        raise BadInput(f"{path}: not written by this tool")
    return faults


def edited_blocks(source, faults, name, out_type):
    """Yields the tensor's bytes in row blocks, with all faults' edits."""
    edits = [fault.edits[name] for fault in faults if name in fault.edits]
    nans = [fault.nan for fault in faults if fault.nan and name == fault.linear + ".weight"]
    for first, block in source.blocks(name):
        for edit in edits:
            edit(block, first)
        try:
            result = narrow(block, out_type)
        except BadInput as e:
            raise BadInput(f"{source.tensors[name].path}: {name}: {e}") from e
        for row, column in nans:
            if first <= row < first + len(block):
                bits = result.view(f"<u{STORED_BYTES[out_type]}")
                bits[row - first, column] = NAN_BITS[out_type]
        yield result


def fill_folder(args, out):
    """Writes the whole model into the folder `out`."""
    source = Source(Path(args.model_dir))
    faults = choose_faults(source, args)
    out_type, dtype_name = OUTPUT_TYPES[args.dtype]
    copy_other_files(source.folder, out)
    write_json(out / "config.json", with_dtype(source.config, dtype_name))
    write_weights(
        out,
        source.shards,
        source.shapes,
        out_type,
        lambda name, stored: edited_blocks(source, faults, name, out_type),
    )
    planted = [
        {
            "linear": fault.linear,
            "fault": fault.fault,
            "function": fault.function,
            "changed": sorted(fault.edits),
            "parameters": {"seed": args.seed, **fault.parameters},
        }
        for fault in faults
    ]
    versions = {"faults": VERSION, "python": platform.python_version(), "numpy": np.__version__}
    write_json(
        out / "planted.json",
        {"dtype": dtype_name, "faults": source_faults(source.folder) + planted, "versions": versions},
    )


def positive(number):
    """An argparse type: a finite number above zero."""

    def parse(text):
        value = number(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    return parse


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    count, real = positive(int), positive(float)
    parser.add_argument(
        "model_dir", metavar="MODEL_DIR", help="Hugging Face folder of a LlamaForCausalLM (safetensors)"
    )
    parser.add_argument("out_dir", metavar="OUT_DIR", help="folder to make; must not exist")
    parser.add_argument("faults", metavar="FAULT", nargs="+", choices=FAULTS, help=", ".join(FAULTS))
    parser.add_argument("--seed", type=seed, default=0, help="of all choices, 0 or more (default 0)")
    parser.add_argument(
        "--linear", metavar="NAME", help="where, such as model.layers.3.mlp.down_proj; for one FAULT"
    )
    parser.add_argument("--dtype", choices=OUTPUT_TYPES, default="f32", help="stored type (default f32)")
    parser.add_argument("--sigmas", type=real, default=12, help="size of outlier-weights (default 12)")
    parser.add_argument("--hot", type=count, default=12, help="number of hot-channels (default 12)")
    parser.add_argument("--scale", type=real, default=32, help="of hot-channels (default 32)")
    parser.add_argument("--factor", type=real, default=8, help="of varying-range (default 8)")
    parser.add_argument("--every", type=count, default=64, help="of varying-range (default 64)")
    parser.add_argument("--run", type=count, default=32, help="of varying-range; divides --every (default 32)")
    parser.add_argument("--dead", type=count, default=16, help="number of dead-channels (default 16)")
    args = parser.parse_args(argv)
    if args.linear and len(args.faults) > 1:
        parser.error("--linear goes with one FAULT")
    if len(set(args.faults)) < len(args.faults):
        parser.error("a FAULT is named twice; plant it twice in two runs")
    if args.every % args.run:
        parser.error("--run must divide --every")
    return args


def main(argv=None):
    args = parse_args(argv)
    try:
        make_folder(args.out_dir, lambda out: fill_folder(args, out))
    except (BadInput, OSError) as e:
        print(f"plant_faults: {e}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("plant_faults: interrupted; nothing was left behind", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

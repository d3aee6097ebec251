#!/usr/bin/env python3
"""Writes tests/data/gradients/NAME.json: what autograd says of every linear of each tiny model in tests/data/tiny.

    tools/make_gradient_golden.py [--tiny tests/data/tiny] [--out tests/data/gradients] [--seed 0] [--digits 17]

The gradients are those of  L = Σ_t log softmax(logits_t)[label_t]  over the scored positions t = CONTEXT … n - 2 of
one window of n ids, with labels drawn from the 8 most likely tokens. A file holds

    {"ids": [n], "context": CONTEXT, "labels": [n - 1 - CONTEXT], "loss": L, "tensors": {NAME.weight: {
        "norm2": Σ G², "left": uᵀG [in], "right": G v [out]}}}        G = dL/dW [out, in]
    u_i = cos(0.7 i + 0.3), v_j = sin(1.3 j + 0.1); `right` ends after RIGHT_ROWS rows where out is the vocabulary

under the names that the model's file has: experts one by one, a tied embedding's total under the embedding's name.

Everything is computed in float64 but the rotary tables: their frequencies and angles are rounded to float32, as every
runtime holds them, and their cosines and sines are the float32 numbers nearest to the true ones (transformers' own are
within some units in the last place; this is checked). transformers computes norms, softmax and routing in float32 even
in a float64 model, so its modules run while torch.float32 means float64. Checked, too: the float32 logits against the
folder's oracle, every uᵀGv against a central difference of L, and that the file's tensors and the items are the same.
Made with Python 3.11, transformers 5.23, torch 2.15.
"""
import argparse
import contextlib
import json
import platform
import re
import sys
from pathlib import Path
from unittest import mock

import torch
import transformers
from safetensors.torch import load_file

CONTEXT = 2
TOKENS = 20
BEYOND_WINDOW = 8  # tokens more than a sliding window has, where the model has one
RIGHT_ROWS = 64
STEP = 2e-6  # of the central differences, along u vᵀ

# Experts are one tensor in transformers 5 and one each in the file: (stored name, attribute, half of its rows).
EXPERTS = {
    "mixtral": ("block_sparse_moe.", {"w1": ("gate_up_proj", 0), "w3": ("gate_up_proj", 1), "w2": ("down_proj", None)}),
    "": ("mlp.", {"gate_proj": ("gate_up_proj", 0), "up_proj": ("gate_up_proj", 1), "down_proj": ("down_proj", None)}),
}


@contextlib.contextmanager
def float32_means_float64():
    double = torch.float64
    with mock.patch.multiple(torch, float32=double, float=double), \
            mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
        yield


def use_rounded_rotary_tables(model):
    """Replaces the rotary module's forward by the tables that the module's docstring describes."""
    module = model.model.rotary_emb
    with float32_means_float64():
        exact = type(module)(model.config)
    original = module.forward

    def forward(x, position_ids, layer_type=None):
        prefix = f"{layer_type}_" if layer_type else ""
        frequencies = getattr(exact, prefix + "inv_freq").to(torch.float32)
        angles = (position_ids[..., None].to(torch.float32) * frequencies).to(torch.float64)
        angles = torch.cat((angles, angles), dim=-1)
        scaling = getattr(exact, prefix + "attention_scaling")
        tables = [(f(angles) * scaling).to(torch.float32) for f in (torch.cos, torch.sin)]
        theirs = original(x.to(torch.float32), position_ids, *([layer_type] if layer_type else []))
        for mine, their in zip(tables, theirs):
            # Frequencies may differ by a few units in the last place, which the position multiplies.
            assert (mine - their).abs().max() < 4 * 2**-24 * (1 + angles.max()), "not transformers' rotation"
        return tuple(t.to(torch.float64) for t in tables)

    # The tables are float32 also while float32 means float64.
    float32 = torch.float32

    def with_true_float32(*args, **kwargs):
        with mock.patch.multiple(torch, float32=float32, float=float32), \
                mock.patch.object(torch.Tensor, "float", lambda t: t.to(float32)):
            return forward(*args, **kwargs)

    module.forward = with_true_float32


def stored_weights(folder):
    """{name: tensor} of the folder's matrices."""
    tensors = {}
    for path in sorted(folder.glob("model*.safetensors")):
        tensors.update(load_file(path))
    return {name: t for name, t in tensors.items() if t.dim() == 2}


def parameter_part(model, name):
    """(parameter, selection) of the stored tensor `name`: parameter[selection] has its values."""
    parameters = dict(model.named_parameters())
    prefix, experts = EXPERTS.get(model.config.model_type, EXPERTS[""])
    match = re.fullmatch(r"(model\.layers\.\d+\.)" + re.escape(prefix) + r"experts\.(\d+)\.(\w+)\.weight", name)
    if not match:
        return parameters[name.replace(".block_sparse_moe.", ".mlp.")], ...
    layer, expert, projection = match.groups()
    attribute, half = experts[projection]
    parameter = parameters[f"{layer}mlp.experts.{attribute}"]
    rows = parameter.shape[1] // 2
    return parameter, (int(expert), slice(None) if half is None else slice(half * rows, (half + 1) * rows))


def log_likelihood(model, ids, labels):
    """L, as the module's docstring defines it; ids and labels are lists."""
    logits = model(torch.tensor([ids]), use_cache=False).logits[0, CONTEXT:-1]
    return torch.log_softmax(logits, dim=-1)[torch.arange(len(labels)), torch.tensor(labels)].sum()


def probes(shape):
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in shape)
    return torch.cos(0.7 * rows + 0.3), torch.sin(1.3 * columns + 0.1)


def likely_labels(model, ids, generator):
    """One of the 8 most likely tokens of each scored position: labels that a model may well draw itself."""
    with torch.no_grad():
        top = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, CONTEXT:-1].topk(8).indices
    chosen = torch.randint(8, (top.shape[0], 1), generator=generator)
    return top.gather(1, chosen)[:, 0].tolist()


def central_difference(model, part, direction, ids, labels):
    parameter, selection = part
    values = parameter[selection].clone()
    losses = []
    for sign in (1, -1):
        parameter[selection] = values + sign * STEP * direction
        losses.append(log_likelihood(model, ids, labels).item())
    parameter[selection] = values
    return (losses[0] - losses[1]) / (2 * STEP)


def load(folder, oracle):
    """The model in float64, after its float32 logits were found to be the oracle's."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
    tolerance = json.loads((folder / "oracle.json").read_text())["suggested_tolerance"]["max_abs_logit"]
    with torch.no_grad():
        logits = model(oracle["p2.input_ids"][None].long(), use_cache=False).logits[0]
    assert (logits - oracle["p2.logits"]).abs().max() < tolerance, "not the oracle's logits"
    model.double()
    model.model.embed_tokens.padding_idx = None  # which would leave one token's row without a gradient
    use_rounded_rotary_tables(model)
    return model


def gradients(folder, seed):
    """The golden of one model, and the largest relative difference between a uᵀGv and its central difference."""
    oracle = load_file(folder / "oracle.safetensors")
    model = load(folder, oracle)
    window = len(oracle["p3.input_ids"]) - 1 if "p3.input_ids" in oracle else 0
    count = max(TOKENS, window + BEYOND_WINDOW if window else 0)
    ids = oracle["p2.input_ids"][:count].tolist()
    generator = torch.Generator().manual_seed(seed)
    labels = likely_labels(model, ids, generator)
    weights, tensors, worst = stored_weights(folder), {}, 0.0
    with float32_means_float64():
        loss = log_likelihood(model, ids, labels)
        loss.backward()
        for name, stored in weights.items():
            parameter, selection = part = parameter_part(model, name)
            assert torch.equal(stored.double(), parameter.detach()[selection]), name
            gradient = parameter.grad[selection]
            left, right = probes(gradient.shape)
            with torch.no_grad():
                slope = central_difference(model, part, torch.outer(left, right), ids, labels)
            size = (gradient.norm() * left.norm() * right.norm()).item()
            worst = max(worst, abs(slope - (left @ gradient @ right).item()) / size if size else abs(slope))
            rows = RIGHT_ROWS if gradient.shape[0] == model.config.vocab_size else gradient.shape[0]
            tensors[name] = {"norm2": gradient.square().sum().item(), "left": (left @ gradient).tolist(),
                             "right": (gradient @ right)[:rows].tolist()}
    return {"ids": ids, "context": CONTEXT, "labels": labels, "loss": loss.item(), "tensors": tensors}, worst


def to_text(golden, digits):
    """JSON with one line a tensor."""
    def rounded(value):
        if isinstance(value, float):
            return float(f"{value:.{digits}g}")
        return [rounded(v) for v in value] if isinstance(value, list) else value

    lines = [f"{json.dumps(k)}:{json.dumps(rounded(golden[k]), separators=(',', ':'))}"
             for k in ("ids", "context", "labels", "loss")]
    tensors = [f"{json.dumps(name)}:{json.dumps({k: rounded(v) for k, v in t.items()}, separators=(',', ':'))}"
               for name, t in golden["tensors"].items()]
    return "{" + ",\n".join(lines) + ',\n"tensors":{\n' + ",\n".join(tensors) + "\n}}\n"


def main():
    data = Path(__file__).resolve().parent.parent / "tests" / "data"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", type=Path, default=data / "tiny", help="folder of model folders with oracles")
    parser.add_argument("--out", type=Path, default=data / "gradients", help="where NAME.json go")
    parser.add_argument("--seed", type=int, default=0, help="of the labels (default 0)")
    parser.add_argument("--digits", type=int, default=17, help="significant digits (default 17, all of them)")
    args = parser.parse_args()
    print(f"python {platform.python_version()}, transformers {transformers.__version__}, torch {torch.__version__}")
    torch.set_num_threads(1)  # the same sums for everyone
    args.out.mkdir(parents=True, exist_ok=True)
    for folder in sorted(p for p in args.tiny.iterdir() if (p / "oracle.json").is_file()):
        golden, worst = gradients(folder, args.seed)
        text = to_text(golden, args.digits)
        (args.out / f"{folder.name}.json").write_text(text)
        print(f"{folder.name}: {len(golden['ids'])} ids, {len(golden['tensors'])} tensors, loss {golden['loss']:.6f}, "
              f"central differences within {worst:.1e}, {len(text)} bytes")
        if worst > 1e-9:
            sys.exit(f"{folder.name}: the gradient is not the function's")


if __name__ == "__main__":
    main()

"""Small model folders for the tests: copies of tests/data/tiny, changed in one place. Standard library only."""
import json
import shutil
import struct
from pathlib import Path

from assay_program import DATA

VOCABULARY = 512  # of the tiny models
WINDOW = 96


def read_safetensors(path):
    """name -> (dtype, shape, bytes)"""
    raw = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    data = raw[8 + length :]
    return {n: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for n, t in header.items()}


def safetensors_header(tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    return header


def safetensors_bytes(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def write_safetensors(path, tensors):
    Path(path).write_bytes(safetensors_bytes(safetensors_header(tensors), b"".join(t[2] for t in tensors.values())))


class ModelFolder:
    """A copy of a tiny model in `path`, and the ways to damage it."""

    def __init__(self, path, source="llama-tied"):
        self.path = Path(path)
        shutil.copytree(DATA / "tiny" / source, self.path, ignore=shutil.ignore_patterns("oracle.*"))
        self.weights_file = self.path / "model.safetensors"
        self.config_file = self.path / "config.json"

    def change_config(self, **changes):
        """Sets fields; None removes one."""
        config = json.loads(self.config_file.read_text())
        config.update(changes)
        self.config_file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))

    def change_weights(self, change):
        """`change` edits the dict name -> (dtype, shape, bytes)."""
        tensors = read_safetensors(self.weights_file)
        change(tensors)
        write_safetensors(self.weights_file, tensors)

    def change_header(self, change):
        """`change` edits the parsed header; the data stay as they are."""
        tensors = read_safetensors(self.weights_file)
        header = safetensors_header(tensors)
        change(header)
        self.weights_file.write_bytes(safetensors_bytes(header, b"".join(t[2] for t in tensors.values())))

    def set_elements(self, name, first, bits):
        """Overwrites 16-bit elements of a tensor from element `first` on."""

        def change(tensors):
            dtype, shape, data = tensors[name]
            raw = struct.pack(f"<{len(bits)}H", *bits)
            tensors[name] = (dtype, shape, data[: 2 * first] + raw + data[2 * first + len(raw) :])

        self.change_weights(change)

    def add_byte_tokenizer(self):
        """A tokenizer.json whose tokens are the 256 bytes: without merges, each byte of the text is a token."""
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [b for b in range(256) if b not in printable]
        letter = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
        tokenizer = {
            "version": "1.0",
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "vocab": {letter[b]: b for b in range(256)}, "merges": []},
        }
        (self.path / "tokenizer.json").write_text(json.dumps(tokenizer))


def some_windows(count, tokens=WINDOW, vocabulary=VOCABULARY):
    """Windows of ids, all different, the same in each run."""
    return [[(w * 131 + i * 7 + i * i % 11) % vocabulary for i in range(tokens)] for w in range(count)]

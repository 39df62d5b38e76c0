"""Model files that run code when they are loaded, under every verb that meets them: none of them is ever loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Writes the files; whoever unpickles one of them makes the folder `sang` beside the project.
MAKE = r"""
import io, json, os, pickle, sys, zipfile
class Canary:
    def __reduce__(self):
        return os.mkdir, (os.environ["HERE"] + "/sang",)
def save(name, data):
    open(name, "wb").write(data)
save("old.pkl", pickle.dumps(Canary(), 0))
save("lies.safetensors", pickle.dumps(Canary(), 4))
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("m/data.pkl", pickle.dumps(Canary(), 2))
save("net.pt", packed.getvalue())
header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
save("array.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + pickle.dumps(Canary(), 3))
os.makedirs("folder/deep", exist_ok=True)
save("folder/deep/state.bin", pickle.dumps(Canary(), 1))
save("folder/config.json", b"{}")
json.dump({"loss": 0.5}, open("metrics.json", "w"))
"""
OUTS = {
    "old.pkl": "pickle",
    "lies.safetensors": "pickle",
    "net.pt": "torch",
    "array.npy": "npy",
    "folder": "pickle",
}
LOOKING = (
    ["status"], ["runs"], ["show", "train"], ["metrics", "show"], ["model", "list"], ["model", "show", "birds"],
    ["verify"], ["gc", "--dry-run"], ["run", "-f"], ["run", "--isolated", "-f"],
)  # fmt: skip


@pytest.fixture
def aviary(empty):
    stage = {"cmd": "python3 make.py", "deps": ["make.py"], "outs": sorted(OUTS), "metrics": ["metrics.json"]}
    empty.fill({"pinyon.yaml": json.dumps({"stages": {"train": stage}}), "make.py": MAKE})
    empty.good("run")
    return empty


def test_no_verb_wakes_a_canary(aviary):
    sang = aviary.root.parent / "sang"
    for number, (out, kind) in enumerate(OUTS.items(), 1):
        refused = aviary("model", "register", "birds", "train", "--path", out)
        assert refused.code == 6, refused
        assert f"{out} runs code when somebody opens it" in refused.err
        assert "--trust" in refused.err
        aviary.good("model", "register", "birds", "train", "--path", out, "--trust")
        shown = aviary.good("model", "show", f"birds@{number}", "--json").json()
        version = shown["versions"][0] if "versions" in shown else shown
        assert (version["trusted"], version["format"]) == (True, kind)
    for number in (1, len(OUTS)):
        aviary.good("model", "promote", f"birds@{number}", "best")
        aviary.good("model", "get", "birds@best", "-o", f"copy-{number}")
    aviary.good("model", "rollback", "birds", "best")
    for words in LOOKING:
        aviary.good(*words)
    assert not sang.exists()
    trusted = [
        json.loads(line)["body"]["trusted"]
        for path in (aviary.root / ".pinyon" / "journals").rglob("*.jsonl")
        for line in path.read_text().splitlines()
        if json.loads(line).get("kind") == "registered"
    ]
    assert trusted == [True] * len(OUTS)
    load = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
    subprocess.run([sys.executable, "-c", load, aviary.root / "old.pkl"], env=aviary.env, check=True)
    assert sang.is_dir()  # they were alive all the time

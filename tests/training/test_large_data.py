"""Data on disk that is larger than the memory allowed: only batches are read."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
import minikeras as keras

path, rows = sys.argv[1], int(sys.argv[2])
x = np.memmap(path, "float32", "r", shape=(rows, 1024))
y = np.zeros((rows, 1), "float32")
model = keras.Sequential([keras.Input((1024,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.train_on_batch(x[:32], y[:32])
model.predict(x[:64], verbose=0)

# What is mapped now, the file included, and a quarter of the file on top.
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + x.nbytes // 4, resource.RLIM_INFINITY))
for shuffle in (True, False, "batch"):
    model.fit(x, y, batch_size=64, epochs=1, shuffle=shuffle, steps_per_epoch=20,
              validation_split=0.25, validation_steps=5, verbose=0)
model.evaluate(x, y, batch_size=64, steps=5, verbose=0)
model.predict(x, batch_size=64, steps=5, verbose=0)
try:
    np.array(x)
except MemoryError:
    print("fits, and a copy would not")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_only_what_a_batch_needs_is_read(tmp_path):
    path, rows = tmp_path / "x.bin", 1 << 18  # 1 GB, of holes
    with path.open("wb") as file:
        file.truncate(rows * 1024 * 4)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(rows)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "fits, and a copy would not"

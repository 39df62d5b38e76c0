"""Beside the winner: how long one answer takes, on one core that nothing else disturbs.

The only file of the study with times in it, so two runs write different bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from study.network import CHANNELS, load_model, reproducible
from study.quiet import BusyError, cpu_ticks, idle_share, one_cpu, undisturbed
from study.stage import read_params, say, write_metrics

MODEL = "model.safetensors"
WARM_UP = 50  # calls that are not counted
CALLS = 2000  # undisturbed ones: 100 of them are slower than the p95
LIMIT = 180.0  # seconds; an idle core needs less than one, one that two others want took 55


def main() -> None:
    params = read_params("data.pool", "data.window")
    reproducible(0)
    model = load_model(MODEL)
    window = torch.randn(1, params["data.window"] // params["data.pool"], CHANNELS)
    with torch.inference_mode(), one_cpu() as cpu:
        for _ in range(WARM_UP):
            model(window)
        before = cpu_ticks()
        try:
            timed = undisturbed(lambda: model(window), CALLS, LIMIT)
        except BusyError as busy:
            raise SystemExit(f"latency was not measured: {busy}. Run it again on an idle machine.") from None
        after = cpu_ticks()
    p50, p95 = (float(np.quantile(timed.seconds, share)) for share in (0.50, 0.95))
    others = idle_share(before, after, after.keys() - {cpu})
    write_metrics(
        "latency.json",
        {
            "latency_p50": p50,  # seconds, batch 1, one thread
            "latency_p95": p95,
            "share_undisturbed": timed.share,
            "other_cpus_idle": others,  # a busy neighbour takes caches and clock, though no turn
            "calls": len(timed.seconds),
            "model_bytes": Path(MODEL).stat().st_size,
        },
    )
    say(
        f"one window: {p50 * 1e3:.3f} ms in the median, 95 % within {p95 * 1e3:.3f} ms, on CPU {cpu}; "
        f"{timed.share:.1%} of the calls were undisturbed, other CPUs {others:.0%} idle"
    )


if __name__ == "__main__":
    main()

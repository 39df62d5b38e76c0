"""Pinyon measured, beside its peers.

    scripts/bench [--quick] [CASE...]

Figures are CPU seconds (user and system) of a command *with all its descendants*, and medians of interleaved runs
(A B A B), since that is what a busy machine disturbs least; ratios are taken pair by pair. Peers are optional: each is
looked for on PATH and, first, in ``$PINYON_BENCH_PEERS/TOOL/bin``, virtual environments outside this repository::

    for tool in doit snakemake dvc; do python3 -m venv $PINYON_BENCH_PEERS/$tool; …/bin/pip install $tool; done

Targets are printed beside the results, met or missed; no test asserts them.
"""

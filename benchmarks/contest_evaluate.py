"""MindFormers' own SQuAD evaluation of a checkpoint: `python -m … CONFIG.yaml CHECKPOINT`.

A part of benchmarks/contest_stack.py, which runs it under the contest's release; pairs of answer
and reference, and the score, go to the standard output as MindFormers prints them.
"""

from __future__ import annotations

import sys


def main(config_path: str, checkpoint: str) -> None:
    """As run_mindformer.py does for run_mode eval, on the CPU."""
    from tools.llama.stack import MindFormerConfig, Trainer, build_context, use_plain_rms_norm

    use_plain_rms_norm()
    config = MindFormerConfig(config_path)
    build_context(config)
    Trainer(args=config).evaluate(eval_checkpoint=checkpoint)


if __name__ == "__main__":
    main(*sys.argv[1:])

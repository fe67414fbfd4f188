"""Good configs to break: our own training configs, and an evaluation in MindFormers' format."""

from __future__ import annotations

import re
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TINY = (CONFIGS / "tiny/finetune.yaml").read_text(encoding="utf-8")
LLAMA = (CONFIGS / "llama3-8b/finetune.yaml").read_text(encoding="utf-8")

# As the organisers' evaluation of the trained model is written: sections, their order and keys.
EVALUATION = """\
seed: 42
output_dir: './output'
load_checkpoint: ''
src_strategy_path_or_dir: ''
auto_trans_ckpt: False
only_save_strategy: False
resume_training: False
run_mode: 'eval'

trainer:
  type: CausalLanguageModelingTrainer
  model_name: 'llama3_8b'

runner_config:
  epochs: 2
  batch_size: 1
  sink_mode: True
  sink_size: 2

eval_dataset: &eval_dataset
  data_loader:
    type: MindDataset
    dataset_dir: ""
    shuffle: False
  input_columns: ["input_ids", "labels"]
  num_parallel_workers: 8
  python_multiprocessing: False
  drop_remainder: False
  batch_size: 1
  repeat: 1
  numa_enable: False
  prefetch_size: 1
eval_dataset_task:
  type: CausalLanguageModelDataset
  dataset_config: *eval_dataset

use_parallel: False
parallel:
  parallel_mode: 1
  gradients_mean: False
  enable_alltoall: False
  full_batch: True
  search_mode: "sharding_propagation"
  enable_parallel_optimizer: False
  strategy_ckpt_save_file: "./ckpt_strategy.ckpt"
  parallel_optimizer_config:
    gradient_accumulation_shard: False
    parallel_optimizer_threshold: 64

parallel_config:
  data_parallel: 1
  model_parallel: 1
  pipeline_stage: 1
  use_seq_parallel: False
  micro_batch_num: 1
  vocab_emb_dp: True
  gradient_aggregation_group: 4
micro_batch_interleave_num: 1

callbacks:
  - type: MFLossMonitor

context:
  mode: 0
  device_target: "Ascend"
  max_call_depth: 10000
  max_device_memory: "26GB"
  save_graphs: False
  save_graphs_path: "./graph"
  device_id: 0
  runtime_num_threads: 1

model:
  model_config:
    type: LlamaConfig
    batch_size: 1
    seq_length: 8192
    hidden_size: 4096
    num_layers: 32
    num_heads: 32
    n_kv_heads: 8
    vocab_size: 128256
    intermediate_size: 14336
    rms_norm_eps: 1.0e-5
    theta: 500000
    max_position_embedding: 8192
    bos_token_id: 128000
    eos_token_id: 128001
    pad_token_id: 128002
    ignore_token_id: -100
    compute_dtype: "bfloat16"
    layernorm_compute_type: "float32"
    softmax_compute_type: "float32"
    rotary_dtype: "float32"
    param_init_type: "float16"
    use_past: True
    use_flash_attention: True
    offset: 0
    checkpoint_name_or_path: ""
    repetition_penalty: 1
    max_new_tokens: 20
    min_new_tokens: 1
    top_k: 3
    top_p: 1
    do_sample: False
    pet_config:
      pet_type: lora
      lora_rank: 8
      lora_alpha: 16
      lora_dropout: 0.0
      target_modules: ".*wq|.*wv"
  arch:
    type: LlamaForCausalLM

processor:
  return_tensors: ms
  tokenizer:
    unk_token: '<unk>'
    bos_token: '<|begin_of_text|>'
    eos_token: '<|end_of_text|>'
    pad_token: '<|reserved_special_token_0|>'
    vocab_file: "material/tokenizer.model"
    model_max_length: 8192
    type: LlamaTokenizer
  type: LlamaProcessor

metric:
  type: EmF1Metric
"""


def changed(text: str, old: str, new: str) -> str:
    """`text` with the one change that breaks it."""
    assert old in text
    return text.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    """The line, from 1, of the first that holds the first line of `part`."""
    wanted = part.split("\n")[0].strip()
    return next(n for n, line in enumerate(text.split("\n"), 1) if wanted in line)


def placed(fault: str) -> tuple:
    """(file, line or 0, what) of a reported fault."""
    match = re.match(r"(.+?\.(?:yaml|json))(?::(\d+))?: (.*)", fault)
    assert match, fault
    return match[1], int(match[2] or 0), match[3]

"""Our YAML files, and MindFormers', checked before anything is started."""

from tools.packaging.configs.check import check_config, check_configs, finetune_faults

__all__ = ["check_config", "check_configs", "finetune_faults"]

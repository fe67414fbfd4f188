# From raw artefacts to a graded submission. `make help` lists the targets.
#
# Make is the pipeline: every stage is a file target with its true inputs, so that an edited
# config remakes what depends on it and nothing else, a second `make all` does nothing, and an
# interrupted one goes on. Tools write beside their output and rename: a file that is there is whole.

# A published adapter that `make evaluate` measures again, and `make ask` asks: a folder of
# material/embedded/adapters.
ADAPTER ?=
# `again`: the base model is asked, too, whose published answers are taken otherwise.
BASELINE ?=
ifneq ($(ADAPTER),)
  ifneq ($(words $(ADAPTER)),1)
    $(error ADAPTER: '$(ADAPTER)' has white space, which make parts names at; move the folder)
  endif
  ifeq ($(wildcard $(ADAPTER)/run.json),)
    $(error ADAPTER: '$(ADAPTER)' holds no run.json; name a published adapter)
  endif
  ifneq ($(filter baseline finetune merge report all submit,$(MAKECMDGOALS)),)
    $(error ADAPTER: a published adapter is not trained; it goes with `make evaluate` and `make ask`)
  endif
  PROFILE ?= $(shell sed -n 's/^  "profile": "\([a-z0-9-]*\)",$$/\1/p' $(ADAPTER)/run.json)
  RUN     ?= adapter-$(notdir $(ADAPTER:%/=%))
endif
PROFILE ?= smollm2-135m
BUDGET  ?= quick
# What is taught, in the place of the budget's recipe.
RECIPE  ?=
SEED    ?= 1
TEAM    ?= team
RUN     ?= $(PROFILE)-$(BUDGET)
CARDS   ?=
# Memory of a card, GB.
HBM     ?=
RESUME  ?= auto
# A MindRecord file made elsewhere, to train on instead of the corpus; its .db lies beside it.
RECORDS ?=
# An adapter that the training begins with: an earlier run's finetune folder, or PEFT's.
INIT    ?=
$(foreach name,RECORDS INIT,$(if $(word 2,$($(name))),$(error $(name): '$($(name))' has white space, which make parts names at; move it)))
# Of several hosts, the same command on each: how many, which one this is, where the first listens.
NODES       ?=
NODE_RANK   ?=
MASTER_ADDR ?=
MASTER_PORT ?=
MIRROR  ?=
WEIGHTS_URL ?=
# Of a grader: the zip, how deep it is measured, and what else `tools.grade` is to be told.
SUBMISSION ?=
DEPTH      ?= verify
GRADE      ?=
# Of a plan: the accuracy that one hopes for, and what else `tools.plan` is to be told.
ACCURACY ?=
PLAN     ?=

SHELL         := /bin/bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS     += --no-builtin-rules --no-print-directory

# Where packages are installed, and from which lock: `cpu` has them all from PyPI, `ascend` adds
# what is missing to the MindSpore in the own Python of the contest's image. CANN tells which.
VENV_FOLDER ?= .venv
STACK       ?= $(if $(ASCEND_HOME_PATH)$(ASCEND_TOOLKIT_HOME)$(wildcard /usr/local/Ascend),ascend,cpu)
ifeq ($(filter cpu ascend,$(STACK)),)
  $(error STACK: '$(STACK)' is neither cpu nor ascend)
endif
NEWEST      := $(if $(filter ascend,$(STACK)),9,11)
# The first that runs: what a version manager puts on the path may be a mere signpost.
first_that_runs = $(shell for python in $(1); do if "$$python" -c '' 2>/dev/null; then echo "$$python"; break; fi; done)
PYTHONS     := $(if $(filter ascend,$(STACK)),python3 python3.9,python3.11 python3.10 python3.9)
PYTHON_SYSTEM ?= $(or $(call first_that_runs,$(PYTHONS)),$(firstword $(PYTHONS)))
PYTHON      := $(VENV_FOLDER)/bin/python
VENV        := $(VENV_FOLDER)/installed
LOCK        := requirements/$(STACK).txt
M := material/$(PROFILE)
R := runs/$(RUN)
# What is asked without a run of one's own, and the run that it is merged into.
PUBLISHED     := $(patsubst %/,%,$(or $(ADAPTER),material/embedded/adapters/$(PROFILE)))
PUBLISHED_RUN := adapter-$(notdir $(PUBLISHED))
C := $(R)/config
STAGE = $(PYTHON) -m tools.stage --run $(R) --stage

profile_value = $(shell sed -n '/^$(1):/,/^[a-z]/s/^  $(2): *\([^ ]*\).*/\1/p' configs/$(PROFILE)/profile.yaml 2>/dev/null)

PIPELINE := fetch convert baseline finetune merge evaluate report all submit merge-published

.PHONY: help
help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile
	@printf '\nVariables: PROFILE=%s BUDGET=%s RUN=%s TEAM=%s SEED=%s RECIPE=%s CARDS HBM RESUME NODES NODE_RANK\n           MASTER_ADDR MASTER_PORT MIRROR RECORDS INIT ADAPTER BASELINE Q\n           WEIGHTS_URL SUBMISSION DEPTH GRADE ACCURACY PLAN\n' \
	  '$(PROFILE)' '$(BUDGET)' '$(RUN)' '$(TEAM)' '$(SEED)' '$(RECIPE)'
	@printf 'Profiles:  %s\n' "$$(cd configs && echo */profile.yaml | sed 's,/profile.yaml,,g')"

# --- Set-up ------------------------------------------------------------------------------------

.PHONY: setup setup-dev
setup: $(VENV)  ## .venv from the pinned lock; nothing else touches the system
setup-dev: $(VENV)-dev

.PHONY: doctor
doctor: $(VENV)  ## what this machine has, lacks and must free for `make all`
	@$(PYTHON) -m tools.doctor --profile '$(PROFILE)' --run '$(R)' $(if $(CARDS),--cards '$(CARDS)')

TEMPORARY = $(or $(TMPDIR),/tmp)
ANOTHER = name another one: PYTHON_SYSTEM=/path/to/python3.$(NEWEST)
$(VENV): $(LOCK)
	@command -v $(PYTHON_SYSTEM) >/dev/null || { echo "error: $(PYTHON_SYSTEM) is not on this machine; install Python 3.$(NEWEST) or $(ANOTHER)" >&2; exit 2; }
	@$(PYTHON_SYSTEM) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 9) <= v <= (3, $(NEWEST)) else "error: Python %d.%d was found, $(LOCK) is for $(if $(filter 9,$(NEWEST)),3.9,3.9 to 3.$(NEWEST)); $(ANOTHER)" % v)' || exit 2
ifeq ($(STACK),ascend)
	@$(PYTHON_SYSTEM) -c 'import sys, importlib.util as found; sys.exit(0 if found.find_spec("mindspore") else "error: $(PYTHON_SYSTEM) has no MindSpore, which the contest image brings; $(ANOTHER), or take all from PyPI: STACK=cpu")' || exit 2
endif
	@test -e $(PYTHON) || df -Pk . "$(TEMPORARY)" | awk '$$4 < (NR == 2 ? 4.7e6 : 1.5e6) && NR > 1 {exit 1}' || { echo "error: set-up takes 4.8 GB of disk here, and 1.5 GB in $(TEMPORARY) while it installs; free some, or name another folder: TMPDIR=FOLDER" >&2; exit 2; }
	$(PYTHON_SYSTEM) -m venv $(if $(filter ascend,$(STACK)),--system-site-packages) $(VENV_FOLDER)
	$(PYTHON) -m pip install --disable-pip-version-check --require-hashes --no-deps --no-compile --progress-bar on -r $(LOCK)
ifeq ($(STACK),ascend)
	@# The organisers' MindFormers, once it is fetched: Python passes over folders that are not there.
	@printf '../../../../material/%s/mindformers\n' $(patsubst configs/%/profile.yaml,%,$(wildcard configs/*/profile.yaml)) > $(VENV_FOLDER)/lib/python3.9/site-packages/mindformers.pth
endif
	@touch $@

$(VENV)-dev: requirements/dev.txt $(VENV)
	$(PYTHON) -m pip install --disable-pip-version-check --require-hashes --no-deps -q -r requirements/dev.txt
	@touch $@

# --- The pipeline ------------------------------------------------------------------------------
# Two makes on one run would write into each other's files: the second is refused. The lock is
# an open file, inherited by all that runs below it, and gone when the last of them is.

ifndef PIPELINE_LOCKED

.PHONY: $(PIPELINE)
$(PIPELINE): | $(VENV)
	+@$(if $(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),,$(PYTHON) -m tools.lock $(R) --) $(MAKE) $@ PIPELINE_LOCKED=resolve

else ifeq ($(PIPELINE_LOCKED),resolve)

# First the resolved config, by a make of its own, so that the next one sees its files' true times.
.PHONY: $(PIPELINE)
$(PIPELINE): $(C)/resolved
	+@$(MAKE) $@ PIPELINE_LOCKED=yes

# What the command line says; the file changes only when that changes.
VARIABLES := $(foreach name,PROFILE BUDGET RECIPE SEED CARDS HBM RECORDS INIT,$(name)=$($(name)))
.PHONY: changed
$(C)/variables: $(if $(filter-out $(VARIABLES),$(file < $(C)/variables))$(filter-out $(file < $(C)/variables),$(VARIABLES)),changed)
	@mkdir -p $(C) 2>/dev/null && test -w $(C) || { echo "error: $(C): cannot be written to; make it writable or choose another run: RUN=NAME" >&2; exit 2; }
	@printf '%s\n' '$(VARIABLES)' > $@

# One small file a subject, rewritten only when its content changes: then what needs it is remade.
$(C)/resolved: $(C)/variables $(wildcard configs/$(PROFILE)/*.yaml configs/recipes/*.yaml)
	@$(PYTHON) -m tools.convert config --profile '$(PROFILE)' --budget '$(BUDGET)' $(if $(RECIPE),--recipe '$(RECIPE)') --seed '$(SEED)' --resume '$(RESUME)' $(if $(CARDS),--cards '$(CARDS)') $(if $(HBM),--hbm '$(HBM)') $(if $(RECORDS),--records '$(RECORDS)') $(if $(INIT),--init '$(INIT)') $(if $(ADAPTER),--untrained) --output $(C)
	@touch $@

else

.PHONY: $(PIPELINE)

PROMPTS := $(patsubst %,$(R)/prompts/%.jsonl,squad valid test)

fetch: $(M)/fetched.json  ## material/: the profile's artefacts, resumed and verified
convert: $(R)/base/model.ckpt $(R)/corpus/tokens.json $(R)/records/train.mindrecord $(PROMPTS)  ## base checkpoint, tokenizer, corpus, MindRecord, prompts
baseline: $(R)/baseline/scores.json  ## the base model's SQuAD F1/EM and accuracy
finetune: $(R)/finetune/run.json  ## LoRA checkpoints at even intervals, logs, loss curve
merge: $(R)/merged/done  ## whole merged checkpoints
ifeq ($(ADAPTER),)
evaluate: $(R)/evaluate/scores.json  ## every checkpoint on the validation problems, the best on the test
endif
report: $(R)/report/report.md  ## report.md and report.html, from the scores alone
all: report convert  ## everything above
	@echo "$(R)/report/report.md"
submit: convert submission/$(TEAM).zip  ## all, then submission/TEAM/ and TEAM.zip, checked

SLICES := profile model tokenizer corpus records prompts evaluation training
$(SLICES:%=$(C)/%.json) $(C)/finetune.yaml: ;

# Where the model and its vocabulary come from decides what they are made of.
SOURCE         := $(call profile_value,model,source)
TOKENIZER_KIND := $(call profile_value,tokenizer,kind)
ARTEFACT       := $(if $(filter seed,$(SOURCE)),,$(M)/$(call profile_value,model,file))
has_artefact    = $(shell grep -qs '^artifacts:.*[[ ]$(1)[],]' configs/$(PROFILE)/profile.yaml && echo yes)
VOCABULARY     := $(if $(filter file,$(TOKENIZER_KIND)),$(M)/$(call profile_value,tokenizer,file))
TRAIN_JSON     := $(if $(call has_artefact,contest-train),$(M)/train.json)
READING        := $(if $(call has_artefact,squad-dev),$(M)/dev-v1.1.json,material/embedded/reading.json)

# Of what was fetched, what is gone: deleted by hand, it is fetched again.
GONE := $(filter-out $(notdir $(wildcard $(M)/*)),$(shell sed -n 's/^ *"file": "\(.*\)",$$/\1/p' $(M)/fetched.json 2>/dev/null))
.PHONY: gone
$(M)/fetched.json: configs/artifacts.yaml $(wildcard configs/$(PROFILE)/profile.yaml artifacts.lock) $(if $(GONE),gone)
	$(STAGE) fetch -- $(PYTHON) -m tools.fetch --profile '$(PROFILE)' --output $(M) --mirror '$(MIRROR)'
# Right files keep their time, even if fetched again: what did not change remakes nothing.
$(sort $(filter $(M)/%,$(ARTEFACT) $(TRAIN_JSON) $(READING) $(VOCABULARY))): | $(M)/fetched.json ;

$(R)/base/model.ckpt: $(C)/model.json $(ARTEFACT)
	$(STAGE) convert-weights -- $(PYTHON) -m tools.convert weights --config $< --material $(M) --output $@

$(R)/corpus/corpus.json: $(C)/corpus.json $(TRAIN_JSON)
	$(STAGE) convert-math -- $(PYTHON) -m tools.convert math --config $< $(if $(TRAIN_JSON),--input $(TRAIN_JSON)) --folder $(R)/corpus

ifeq ($(TOKENIZER_KIND),gguf)
TOKENIZER := $(R)/base/tokenizer.json
$(TOKENIZER): $(C)/tokenizer.json $(ARTEFACT)
	$(STAGE) convert-tokenizer -- $(PYTHON) -m tools.convert tokenizer --gguf $(ARTEFACT) --output $@
else ifeq ($(TOKENIZER_KIND),sentencepiece)
TOKENIZER := $(R)/base/tokenizer.model
$(TOKENIZER): $(C)/tokenizer.json $(R)/corpus/corpus.json material/embedded/reading.json
	$(STAGE) convert-tokenizer -- $(PYTHON) -m tools.convert tokenizer --config $< --train $(R)/corpus/train.jsonl --text material/embedded/reading.json --output $@
else
TOKENIZER := $(R)/base/tokenizer.model
$(TOKENIZER): $(C)/tokenizer.json $(VOCABULARY)
	@mkdir -p $(@D) && cp $(VOCABULARY) $@.partial && mv $@.partial $@
endif

# It tells people what the corpus costs in tokens; the report tells how long that took.
$(R)/corpus/tokens.json: $(C)/records.json $(R)/corpus/corpus.json $(TOKENIZER)
	$(STAGE) convert-describe -- $(PYTHON) -m tools.convert describe --config $< --folder $(@D) --tokenizer $(TOKENIZER)

ifneq ($(RECORDS),)
# Checked and taken as it is; what is held out still comes from the corpus.
$(R)/records/train.mindrecord: $(C)/records.json $(RECORDS)
	$(STAGE) convert-records -- $(PYTHON) -m tools.convert given-records --config $< --input '$(RECORDS)' --output $@
else
$(R)/records/train.mindrecord: $(C)/records.json $(R)/corpus/corpus.json $(TOKENIZER) $(C)/model.json material/embedded/reading-train.json | $(R)/base/model.ckpt $(C)/evaluation.json
	$(STAGE) convert-records -- $(PYTHON) -m tools.convert records --config $< --input $(R)/corpus/train.jsonl --tokenizer $(TOKENIZER) --model $(R)/base/model.json --evaluation $(C)/evaluation.json --output $@
endif

$(R)/prompts/squad.jsonl: $(C)/prompts.json $(READING)
	$(STAGE) convert-squad -- $(PYTHON) -m tools.convert squad --config $< --input $(READING) --output $@
$(R)/prompts/valid.jsonl: $(C)/records.json $(R)/corpus/corpus.json
	$(STAGE) convert-valid -- $(PYTHON) -m tools.convert prompts --config $< --input $(R)/corpus/valid.jsonl --output $@
$(R)/prompts/test.jsonl: $(C)/records.json $(R)/corpus/corpus.json
	$(STAGE) convert-test -- $(PYTHON) -m tools.convert prompts --config $< --input $(R)/corpus/test.jsonl --output $@

# What is asked are the prerequisites below prompts/. The test problems are asked of the base and of
# the chosen checkpoint alone: a choice among many would flatter what it is made on.
GENERATE = $(PYTHON) -m tools.generate --config $(C)/evaluation.json $(patsubst %,--prompts %,$(filter $(PROMPTS),$^))
SCORE    = $(PYTHON) -m tools.score $(1) --styles $(C)/corpus.json --output $@

$(R)/baseline/test.jsonl: $(C)/evaluation.json $(R)/base/model.ckpt $(TOKENIZER) $(R)/prompts/squad.jsonl $(R)/prompts/test.jsonl
	$(STAGE) baseline -- $(GENERATE) --model $(R)/base --output-folder $(@D)
	@touch $@
$(R)/baseline/scores.json: $(R)/baseline/test.jsonl $(C)/corpus.json configs/contest.yaml
	@$(call SCORE,run) --squad $(@D)/squad.jsonl --math $< --parameters $(R)/base/parameters.json

HOSTS = $(if $(NODES),--nodes '$(NODES)') $(if $(NODE_RANK),--node-rank '$(NODE_RANK)') \
	$(if $(MASTER_ADDR),--master-addr '$(MASTER_ADDR)') $(if $(MASTER_PORT),--master-port '$(MASTER_PORT)')
INIT_FILES = $(if $(INIT),$(wildcard $(INIT:%/=%)/adapters/*.ckpt $(INIT:%/=%)/*.ckpt $(INIT:%/=%)/*.safetensors $(filter %.ckpt %.safetensors,$(INIT))))
$(R)/finetune/run.json: $(C)/finetune.yaml $(C)/model.json $(C)/training.json $(R)/base/model.ckpt $(R)/records/train.mindrecord $(INIT_FILES)
	$(STAGE) finetune -- $(PYTHON) -m tools.finetune --config $< --model $(C)/model.json --training $(C)/training.json --base $(R)/base/model.ckpt --records $(R)/records/train.mindrecord --output $(@D) --resume '$(RESUME)' $(if $(INIT),--init '$(INIT)') $(HOSTS)

$(R)/merged/done: $(R)/finetune/run.json $(R)/base/model.ckpt $(TOKENIZER)
	$(STAGE) merge -- $(PYTHON) -m tools.merge --base $(R)/base/model.ckpt --adapters $(R)/finetune/adapters --config $(C)/finetune.yaml --output $(@D)
	@touch $@

# Held against its run.json: what was altered, or is of another base, is refused.
merge-published: $(R)/adapter/merged/1/merge.json
$(R)/adapter/merged/1/merge.json: $(PUBLISHED)/adapter_model.safetensors $(R)/base/model.ckpt $(TOKENIZER)
	$(STAGE) merge-published -- $(PYTHON) -m tools.merge --base $(R)/base/model.ckpt --adapters $(PUBLISHED) --config $(PUBLISHED)/finetune.yaml --output $(R)/adapter/merged
	@touch $@

$(R)/evaluate/generated: $(C)/evaluation.json $(R)/merged/done $(R)/prompts/squad.jsonl $(R)/prompts/valid.jsonl
	$(STAGE) evaluate -- $(GENERATE) $$(printf -- '--model %s ' $(R)/merged/*/) --output-folder $(@D)
	@touch $@
JUDGED = --parameters $(R)/finetune/parameters.json --baseline $(R)/baseline/scores.json
CHOSEN = $$(sed -n 's/^  "checkpoint": \([0-9]*\),$$/\1/p' $(R)/evaluate/best.json)
$(R)/evaluate/best.json: $(R)/evaluate/generated $(R)/baseline/scores.json configs/contest.yaml
	@$(call SCORE,checkpoints) $(JUDGED) --folder $(@D) --steps $(R)/finetune/adapters/steps.json --merged $(R)/merged
$(R)/evaluate/test.jsonl: $(R)/evaluate/best.json $(C)/evaluation.json $(R)/prompts/test.jsonl
	$(STAGE) evaluate-test -- $(GENERATE) --model $(R)/merged/$(CHOSEN) --output-folder $(@D)
	@touch $@
$(R)/evaluate/scores.json: $(R)/evaluate/test.jsonl $(R)/evaluate/best.json $(R)/baseline/scores.json
	@$(call SCORE,run) $(JUDGED) --squad $(@D)/$(CHOSEN)/squad.jsonl --math $<

# Of a published adapter. Not a file target: what is made already takes seconds, and is compared.
ifneq ($(ADAPTER),)
evaluate: $(R)/base/model.ckpt $(TOKENIZER)
	$(STAGE) measure -- $(PYTHON) -m tools.publish measure --adapter '$(ADAPTER)' --base $(R)/base --output $(R)/adapter $(if $(filter again,$(BASELINE)),--baseline)
endif

$(R)/report/report.md: $(R)/evaluate/scores.json $(R)/baseline/scores.json $(R)/finetune/run.json $(wildcard submission/report.* submission/texts.yaml submission/method.md) $(R)/corpus/tokens.json
	$(STAGE) report -- $(PYTHON) -m tools.report --run $(R) --output $(@D)

submission/$(TEAM).zip: $(R)/report/report.md
	$(STAGE) submit -- $(PYTHON) -m tools.submit --run $(R) --team '$(TEAM)' --output submission $(if $(WEIGHTS_URL),--weights-url '$(WEIGHTS_URL)')
	@$(PYTHON) -m tools.check submission $@

endif

# --- Asking ------------------------------------------------------------------------------------
# A run of one's own is asked: its chosen checkpoint, before there is a choice its last. Without one
# the published adapter is, merged into a run of its name.

# As it was typed, whatever make would make of it; given and empty is not the same as not given.
ifneq ($(origin Q),undefined)
  override Q := $(value Q)
  export Q
endif
comma   := ,
QUESTION = $(if $(filter undefined,$(origin Q)),,-- "$$Q")
ASKED    = $(shell sed -n 's/^  "checkpoint": \([0-9]*\),$$/\1/p' $(R)/evaluate/best.json 2>/dev/null | grep . || ls $(R)/merged | sort -n | tail -n 1)

.PHONY: ask
ifneq ($(wildcard $(R)/merged/done),)
ask: $(VENV)  ## Q='…': the base model's answer beside the trained one's, each line marked
	@$(PYTHON) -m tools.ask --model $(R)/merged/$(ASKED) --base $(R)/base $(QUESTION)
else ifeq ($(origin RUN) $(wildcard $(PUBLISHED)/run.json),file $(PUBLISHED)/run.json)
ask: $(VENV)
	+@$(MAKE) merge-published ADAPTER='$(PUBLISHED)' PROFILE='$(PROFILE)' RUN='$(PUBLISHED_RUN)'
	@$(PYTHON) -m tools.ask --model runs/$(PUBLISHED_RUN)/adapter/merged/1 --base runs/$(PUBLISHED_RUN)/base --trained $(PUBLISHED) $(QUESTION)
else
ask:
	@echo "error: $(R) holds no merged model$(if $(filter file,$(origin RUN)),$(comma) and no adapter of $(PROFILE) is published); run 'make all', with the same variables, first" >&2; exit 2
endif

# --- Before cards are spent --------------------------------------------------------------------

.PHONY: plan
plan: $(VENV)  ## memory, hours and score of a run before it is made: HBM=32 ACCURACY=0.5
	@$(PYTHON) -m tools.plan --profile '$(PROFILE)' --budget '$(BUDGET)' $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(CARDS),--cards '$(CARDS)') $(if $(HBM),--hbm '$(HBM)') $(if $(ACCURACY),--accuracy '$(ACCURACY)') $(PLAN)

# --- Grading -----------------------------------------------------------------------------------

.PHONY: grade
grade: $(VENV)  ## a zip against its claims: SUBMISSION=x.zip DEPTH=verify|score|reproduce
	@test -n '$(SUBMISSION)' || { echo "error: SUBMISSION: name the zip: make grade SUBMISSION=team.zip" >&2; exit 2; }
	@$(PYTHON) -m tools.grade '$(SUBMISSION)' --depth '$(DEPTH)' $(GRADE)

# --- Checks ------------------------------------------------------------------------------------

.PHONY: test test-py39 test-slow lint
test: $(VENV)-dev  ## unit tests, about two minutes
	$(PYTHON) -m pytest -n auto --dist loadfile
# Python 3.9 as python3.9 on the path or from pyenv; PYTHON39=/path/to/python3.9 names another.
PYTHON39 ?= $(call first_that_runs,python3.9 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.9.*/bin/python)
# pytest is not run by the make that sets up: its variables would reach those that tests call.
test-py39:  ## the same on Python 3.9, in .venv39
	$(if $(PYTHON39),$(MAKE) setup-dev STACK=cpu VENV_FOLDER=.venv39 PYTHON_SYSTEM='$(PYTHON39)',@echo "skipped: there is no Python 3.9 on this machine; name one: PYTHON39=/path/to/python3.9" >&2)
	$(if $(PYTHON39),.venv39/bin/python -m pytest -n auto --dist loadfile)
test-slow: $(VENV)-dev  ## real training, decoding and whole pipelines
	$(PYTHON) -m pytest -m slow
lint: $(VENV)-dev  ## ruff, file checks, configs
	$(PYTHON) -m pre_commit run --all-files

.PHONY: bench
# A Python that has torch, transformers and gguf: a reference, no part of the project.
REFERENCE_PYTHON ?=
bench: $(VENV)  ## compare with transformers, live (REFERENCE_PYTHON=…)
	@test -n '$(REFERENCE_PYTHON)' || { echo "error: REFERENCE_PYTHON: name a Python that has torch, transformers and gguf" >&2; exit 2; }
	$(PYTHON) -m benchmarks.logits --reference '$(REFERENCE_PYTHON)' --gguf $(M)/$(call profile_value,model,file) --base $(R)/base

.PHONY: clean distclean
# A training of hours goes only by its run's name, given to this command itself.
ifneq ($(filter command,$(firstword $(origin RUN))),)
clean:
	@case '$(RUN)' in ''|.|..|*/*) echo "error: RUN: '$(RUN)' is no run's name" >&2; exit 2;; esac
	@test -d '$(R)' || { echo "error: RUN: there is no $(R)" >&2; exit 2; }
	@printf 'removing %s: %s MB, %s losses of a training\n' '$(R)' "$$(du -sm '$(R)' | cut -f1)" \
	  "$$(cat '$(R)'/finetune/loss.csv '$(R)'/finetune.work/loss.csv 2>/dev/null | grep -c '^[0-9]' || true)"
	rm -rf '$(R)'
else
clean:  ## remove merged models and unpacked submissions; RUN=NAME: that run, its training too
	rm -rf runs/*/merged submission/*/
endif
distclean: clean  ## remove also what was fetched and installed; trainings stay
	find material -mindepth 1 -maxdepth 1 -type d ! -name embedded -exec rm -rf {} +
	rm -rf .venv .venv39 .cache .pytest_cache .ruff_cache .hypothesis

# From raw artefacts to a graded submission. `make help` lists the targets.
#
# Make is the pipeline: every stage is a file target with its true inputs, so that an edited
# config remakes what depends on it and nothing else, a second `make all` does nothing, and an
# interrupted one goes on. Tools write beside their output and rename: a file that is there is whole.

# Make parts names at white space.
one_word = $(if $(word 2,$($(1))),$(error $(1): '$($(1))' has white space; move it where its path has none))

# A published adapter that `make evaluate` measures again, and `make ask` asks: a folder of
# material/embedded/adapters.
ADAPTER ?=
$(call one_word,ADAPTER)
# `again`: the base model is asked, too, whose published answers are taken otherwise.
BASELINE ?=
ifneq ($(ADAPTER),)
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
$(call one_word,RECORDS)$(call one_word,INIT)
# Of several hosts, the same command on each: how many, which one this is, where the first listens.
NODES       ?=
NODE_RANK   ?=
MASTER_ADDR ?=
MASTER_PORT ?=
MIRROR  ?=
WEIGHTS_URL ?=
# `1`: the commands are shown as they run, too.
V       ?=
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

# Where things are: what was fetched, the run, its resolved config.
M := material/$(PROFILE)
R := runs/$(RUN)
C := $(R)/config
PROFILES := $(patsubst configs/%/profile.yaml,%,$(sort $(wildcard configs/*/profile.yaml)))
# What is asked without a run of one's own, and the run that it is merged into.
PUBLISHED     := $(patsubst %/,%,$(or $(ADAPTER),material/embedded/adapters/$(PROFILE)))
PUBLISHED_RUN := adapter-$(notdir $(PUBLISHED))

# $(call option,NAME,VARIABLE): --NAME and the variable's value, if it has one.
option = $(if $($(2)),--$(1) '$($(2))')
CHOICE = --budget '$(BUDGET)' $(call option,recipe,RECIPE) $(call option,cards,CARDS) $(call option,hbm,HBM)
# Prints the number of the checkpoint that was chosen.
chosen = sed -n 's/^  "checkpoint": \([0-9]*\),$$/\1/p' $(R)/evaluate/best.json

PIPELINE := fetch convert baseline finetune merge evaluate report all submit merge-published

.PHONY: help
help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile
	@printf '\nVariables: PROFILE=%s BUDGET=%s RUN=%s TEAM=%s SEED=%s RECIPE=%s CARDS HBM\n' \
	  '$(PROFILE)' '$(BUDGET)' '$(RUN)' '$(TEAM)' '$(SEED)' '$(RECIPE)'
	@echo '           RESUME NODES NODE_RANK MASTER_ADDR MASTER_PORT MIRROR RECORDS INIT ADAPTER'
	@echo '           BASELINE Q V WEIGHTS_URL SUBMISSION DEPTH GRADE ACCURACY PLAN'
	@echo 'Profiles:  $(PROFILES)'

# --- Set-up ------------------------------------------------------------------------------------

.PHONY: setup setup-dev
setup: $(VENV)  ## .venv from the pinned lock; nothing else touches the system
setup-dev: $(VENV)-dev

.PHONY: doctor
doctor: $(VENV)  ## what this machine has, lacks and must free for `make all`
	@$(PYTHON) -m tools.doctor --profile '$(PROFILE)' --run '$(R)' $(call option,cards,CARDS)

NO_PYTHON = error: $(PYTHON_SYSTEM) is not on this machine; install Python 3.$(NEWEST) \
	or name another one: PYTHON_SYSTEM=/path/to/python3.$(NEWEST)
PIP       = $(PYTHON) -m pip install --disable-pip-version-check --require-hashes --no-deps
$(VENV): $(LOCK)
	@command -v $(PYTHON_SYSTEM) >/dev/null || { echo '$(NO_PYTHON)' >&2; exit 2; }
	@$(PYTHON_SYSTEM) requirements/check.py $(STACK) $(NEWEST) $(VENV_FOLDER)
	$(PYTHON_SYSTEM) -m venv $(if $(filter ascend,$(STACK)),--system-site-packages) $(VENV_FOLDER)
	$(PIP) --no-compile --progress-bar on -r $(LOCK)
ifeq ($(STACK),ascend)
	@# The organisers' MindFormers, once it is fetched: Python passes over folders that are not there.
	@printf '../../../../material/%s/mindformers\n' $(PROFILES) > $(VENV_FOLDER)/lib/python3.9/site-packages/mindformers.pth
endif
	@touch $@

$(VENV)-dev: requirements/dev.txt $(VENV)
	$(PIP) -q -r requirements/dev.txt
	@touch $@

# --- The pipeline ------------------------------------------------------------------------------
# Two makes. The first sets up and starts tools.run, which takes hold of the run (a second command on
# it is refused), resolves profile and variables into runs/RUN/config and run.mk, and starts the
# second make: it reads run.mk and makes the files.

.PHONY: $(PIPELINE)
RESOLVE = $(PYTHON) -m tools.run $(R) --profile '$(PROFILE)' $(CHOICE) --seed '$(SEED)' --resume '$(RESUME)' \
	$(call option,records,RECORDS) $(call option,init,INIT) $(if $(ADAPTER),--untrained)

ifndef PIPELINE_LOCKED
ifeq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
$(PIPELINE): | $(VENV)
	+@$(RESOLVE) -- $(MAKE) $@ PIPELINE_LOCKED=yes
else
# `make -n` writes nothing: it shows the stages by what was resolved last, if anything was.
$(PIPELINE): | $(VENV)
	@$(RESOLVE)
	+@$(MAKE) $@ PIPELINE_LOCKED=yes
endif
else

# $(call stage,NAME,WORDS…): one of tools/, its time and memory recorded; V=1 shows the command.
define stage
$(if $(V),,@)$(PYTHON) -m tools.stage --run $(R) --stage $(1) -- $(PYTHON) -m tools.$(2)
endef

# What make must know of the profile: WEIGHTS, TRAIN_JSON, READING, TOKENIZER, VOCABULARY, GONE.
ifneq ($(wildcard $(R)/run.mk),)
  include $(R)/run.mk
else
  $(info $(R)/run.mk is not made yet: what the profile fetches is not shown)
  TOKENIZER := $(R)/base/tokenizer.model
endif

PROMPTS := $(patsubst %,$(R)/prompts/%.jsonl,squad valid test)

fetch: $(M)/fetched.json  ## material/: the profile's artefacts, resumed and verified
CONVERTED := $(R)/base/model.ckpt $(R)/corpus/tokens.json $(R)/records/train.mindrecord $(PROMPTS)
convert: $(CONVERTED)  ## base checkpoint, tokenizer, corpus, MindRecord, prompts
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

# One small file a subject, rewritten when its content changes: then what needs it is remade.
SLICES := profile model tokenizer corpus records prompts evaluation training
$(SLICES:%=$(C)/%.json) $(C)/finetune.yaml: ;

.PHONY: gone
$(M)/fetched.json: configs/artifacts.yaml $(wildcard configs/$(PROFILE)/profile.yaml artifacts.lock) $(GONE)
	$(call stage,fetch,fetch --profile '$(PROFILE)' --output $(M) --mirror '$(MIRROR)')
# Right files keep their time, even if fetched again: what did not change remakes nothing.
$(sort $(filter $(M)/%,$(WEIGHTS) $(TRAIN_JSON) $(READING) $(VOCABULARY))): | $(M)/fetched.json ;

$(R)/base/model.ckpt: $(C)/model.json $(WEIGHTS)
	$(call stage,convert-weights,convert weights --config $< --material $(M) --output $@)

$(R)/corpus/corpus.json: $(C)/corpus.json $(TRAIN_JSON)
	$(call stage,convert-math,convert math --config $< --folder $(@D) $(call option,input,TRAIN_JSON))

$(TOKENIZER): $(C)/tokenizer.json $(VOCABULARY)
	$(call stage,convert-tokenizer,convert tokenizer --config $< $(VOCABULARY_OPTIONS) --output $@)

# It tells people what the corpus costs in tokens; the report tells how long that took.
COUNTED := $(if $(RECORDS),,$(R)/records/train.mindrecord)
$(R)/corpus/tokens.json: $(C)/records.json $(R)/corpus/corpus.json $(TOKENIZER) $(COUNTED)
	$(call stage,convert-describe,convert describe --config $< --folder $(@D) --tokenizer $(TOKENIZER) \
	  $(if $(COUNTED),--records $(COUNTED)))

ifneq ($(RECORDS),)
# Checked and taken as it is; what is held out still comes from the corpus.
$(R)/records/train.mindrecord: $(C)/records.json $(RECORDS)
	$(call stage,convert-records,convert given-records --config $< --input '$(RECORDS)' --output $@)
else
$(R)/records/train.mindrecord: $(C)/records.json $(R)/corpus/corpus.json $(TOKENIZER) $(C)/model.json \
		material/embedded/reading-train.json | $(R)/base/model.ckpt $(C)/evaluation.json
	$(call stage,convert-records,convert records --config $< --input $(R)/corpus/train.jsonl \
	  --tokenizer $(TOKENIZER) --model $(R)/base/model.json --evaluation $(C)/evaluation.json --output $@)
endif

$(R)/prompts/squad.jsonl: $(C)/prompts.json $(READING)
	$(call stage,convert-squad,convert squad --config $< --input $(READING) --output $@)
$(R)/prompts/valid.jsonl: $(C)/records.json $(R)/corpus/corpus.json
	$(call stage,convert-valid,convert prompts --config $< --input $(R)/corpus/valid.jsonl --output $@)
$(R)/prompts/test.jsonl: $(C)/records.json $(R)/corpus/corpus.json
	$(call stage,convert-test,convert prompts --config $< --input $(R)/corpus/test.jsonl --output $@)

# What is asked are the prerequisites below prompts/. The test problems are asked of the base and of
# the chosen checkpoint alone: a choice among many would flatter what it is made on.
GENERATE = generate --config $(C)/evaluation.json $(patsubst %,--prompts %,$(filter $(PROMPTS),$^))
SCORE    = $(PYTHON) -m tools.score $(1) --styles $(C)/corpus.json --output $@

$(R)/baseline/test.jsonl: $(C)/evaluation.json $(R)/base/model.ckpt $(TOKENIZER) \
		$(R)/prompts/squad.jsonl $(R)/prompts/test.jsonl
	$(call stage,baseline,$(GENERATE) --model $(R)/base --output-folder $(@D))
	@touch $@
$(R)/baseline/scores.json: $(R)/baseline/test.jsonl $(C)/corpus.json configs/contest.yaml
	@$(call SCORE,run) --squad $(@D)/squad.jsonl --math $< --parameters $(R)/base/parameters.json

HOSTS = $(call option,nodes,NODES) $(call option,node-rank,NODE_RANK) \
	$(call option,master-addr,MASTER_ADDR) $(call option,master-port,MASTER_PORT)
ADAPTER_FILES = adapters/*.ckpt *.ckpt *.safetensors
INIT_FILES = $(if $(INIT),$(wildcard $(ADAPTER_FILES:%=$(INIT:%/=%)/%) $(filter %.ckpt %.safetensors,$(INIT))))
$(R)/finetune/run.json: $(C)/finetune.yaml $(C)/model.json $(C)/training.json $(R)/base/model.ckpt \
		$(R)/records/train.mindrecord $(INIT_FILES)
	$(call stage,finetune,finetune --config $< --model $(C)/model.json --training $(C)/training.json \
	  --base $(R)/base/model.ckpt --records $(R)/records/train.mindrecord --output $(@D) \
	  --resume '$(RESUME)' $(call option,init,INIT) $(HOSTS))

$(R)/merged/done: $(R)/finetune/run.json $(R)/base/model.ckpt $(TOKENIZER)
	$(call stage,merge,merge --base $(R)/base/model.ckpt \
	  --adapters $(R)/finetune/adapters --config $(C)/finetune.yaml --output $(@D))
	@touch $@

# Held against its run.json: what was altered, or is of another base, is refused.
merge-published: $(R)/adapter/merged/1/merge.json
$(R)/adapter/merged/1/merge.json: $(PUBLISHED)/adapter_model.safetensors $(R)/base/model.ckpt $(TOKENIZER)
	$(call stage,merge-published,merge --base $(R)/base/model.ckpt \
	  --adapters $(PUBLISHED) --config $(PUBLISHED)/finetune.yaml --output $(R)/adapter/merged)
	@touch $@

$(R)/evaluate/generated: $(C)/evaluation.json $(R)/merged/done \
		$(R)/prompts/squad.jsonl $(R)/prompts/valid.jsonl
	$(call stage,evaluate,$(GENERATE) $$(printf -- '--model %s ' $(R)/merged/*/) --output-folder $(@D))
	@touch $@
JUDGED = --parameters $(R)/finetune/parameters.json --baseline $(R)/baseline/scores.json
CHOSEN = $$($(chosen))
$(R)/evaluate/best.json: $(R)/evaluate/generated $(R)/baseline/scores.json configs/contest.yaml
	@$(call SCORE,checkpoints) $(JUDGED) --folder $(@D) \
	  --steps $(R)/finetune/adapters/steps.json --merged $(R)/merged
$(R)/evaluate/test.jsonl: $(R)/evaluate/best.json $(C)/evaluation.json $(R)/prompts/test.jsonl
	$(call stage,evaluate-test,$(GENERATE) --model $(R)/merged/$(CHOSEN) --output-folder $(@D))
	@touch $@
$(R)/evaluate/scores.json: $(R)/evaluate/test.jsonl $(R)/evaluate/best.json $(R)/baseline/scores.json
	@$(call SCORE,run) $(JUDGED) --squad $(@D)/$(CHOSEN)/squad.jsonl --math $<

# Of a published adapter. Not a file target: what is made already takes seconds, and is compared.
ifneq ($(ADAPTER),)
evaluate: $(R)/base/model.ckpt $(TOKENIZER)
	$(call stage,measure,publish measure --adapter '$(ADAPTER)' \
	  --base $(R)/base --output $(R)/adapter $(if $(filter again,$(BASELINE)),--baseline))
endif

$(R)/report/report.md: $(R)/evaluate/scores.json $(R)/baseline/scores.json $(R)/finetune/run.json \
		$(R)/corpus/tokens.json $(wildcard submission/report.* submission/texts.yaml submission/method.md)
	$(call stage,report,report --run $(R) --output $(@D))

submission/$(TEAM).zip: $(R)/report/report.md
	$(call stage,submit,submit --run $(R) --team '$(TEAM)' --output submission \
	  $(call option,weights-url,WEIGHTS_URL))
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
comma := ,
NONE_PUBLISHED := $(if $(filter file,$(origin RUN)),$(comma) and no adapter of $(PROFILE) is published)
QUESTION = $(if $(filter undefined,$(origin Q)),,-- "$$Q")
ASKED    = $(shell $(chosen) 2>/dev/null | grep . || ls $(R)/merged | sort -n | tail -n 1)

.PHONY: ask
ifneq ($(wildcard $(R)/merged/done),)
ask: $(VENV)  ## Q='…': the base model's answer beside the trained one's, each line marked
	@$(PYTHON) -m tools.ask --model $(R)/merged/$(ASKED) --base $(R)/base $(QUESTION)
else ifeq ($(origin RUN) $(wildcard $(PUBLISHED)/run.json),file $(PUBLISHED)/run.json)
ask: $(VENV)
	+@$(MAKE) merge-published ADAPTER='$(PUBLISHED)' PROFILE='$(PROFILE)' RUN='$(PUBLISHED_RUN)'
	@$(PYTHON) -m tools.ask --model runs/$(PUBLISHED_RUN)/adapter/merged/1 \
	  --base runs/$(PUBLISHED_RUN)/base --trained $(PUBLISHED) $(QUESTION)
else
ask:
	@echo "error: $(R) holds no merged model$(NONE_PUBLISHED);" \
	  "run 'make all', with the same variables, first" >&2; exit 2
endif

# --- Before cards are spent --------------------------------------------------------------------

.PHONY: plan
plan: $(VENV)  ## memory, hours and score of a run before it is made: HBM=32 ACCURACY=0.5
	@$(PYTHON) -m tools.plan --profile '$(PROFILE)' $(CHOICE) $(call option,accuracy,ACCURACY) $(PLAN)

# --- Grading -----------------------------------------------------------------------------------

.PHONY: grade
grade: $(VENV)  ## a zip against its claims: SUBMISSION=x.zip DEPTH=verify|score|reproduce
	@test -n '$(SUBMISSION)' \
	  || { echo "error: SUBMISSION: name the zip: make grade SUBMISSION=team.zip" >&2; exit 2; }
	@$(PYTHON) -m tools.grade '$(SUBMISSION)' --depth '$(DEPTH)' $(GRADE)

# --- Checks ------------------------------------------------------------------------------------

.PHONY: test test-py39 test-slow lint
test: $(VENV)-dev  ## unit tests, about two minutes
	$(PYTHON) -m pytest -n auto --dist loadfile
# Python 3.9 as python3.9 on the path or from pyenv; PYTHON39=/path/to/python3.9 names another.
PYTHON39 ?= $(call first_that_runs,python3.9 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.9.*/bin/python)
# pytest is not run by the make that sets up: its variables would reach those that tests call.
test-py39:  ## the same on Python 3.9, in .venv39
ifneq ($(PYTHON39),)
	$(MAKE) setup-dev STACK=cpu VENV_FOLDER=.venv39 PYTHON_SYSTEM='$(PYTHON39)'
	.venv39/bin/python -m pytest -n auto --dist loadfile
else
	@echo "skipped: there is no Python 3.9 on this machine; name one: PYTHON39=/path/to/python3.9" >&2
endif
test-slow: $(VENV)-dev  ## real training, decoding and whole pipelines
	$(PYTHON) -m pytest -m slow
lint: $(VENV)-dev  ## ruff, file checks, configs
	$(PYTHON) -m pre_commit run --all-files

.PHONY: bench
# A Python that has torch, transformers and gguf: a reference, no part of the project.
REFERENCE_PYTHON ?=
bench: $(VENV)  ## compare with transformers, live (REFERENCE_PYTHON=…)
	@test -n '$(REFERENCE_PYTHON)' \
	  || { echo "error: REFERENCE_PYTHON: name a Python that has torch, transformers and gguf" >&2; exit 2; }
	$(PYTHON) -m benchmarks.logits --reference '$(REFERENCE_PYTHON)' \
	  --gguf $(wildcard $(M)/*.gguf) --base $(R)/base

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

# The README's steps in a container, for graders.
#
#   docker build -t contest .
#   docker run --rm --network none -v "$PWD/team.zip:/hand-in/team.zip:ro" -v "$PWD/out:/contest/runs" \
#     contest make grade SUBMISSION=/hand-in/team.zip DEPTH=verify
#
# The verdict is then out/grade/team/verdict.html and verdict.json. DEPTH=reproduce fetches the
# profile's artefacts: leave `--network none` out, or mount them at /contest/material/PROFILE.
# `make all` and every other target of the README run in it, too.
#
# BASE chooses the machine: a CPU image with Python 3.11, make and git (default), or the contest's
# Ascend image (which carries its own MindSpore; then PYTHON_SYSTEM names the image's Python):
#   docker build --build-arg BASE=swr.cn-southwest-2.myhuaweicloud.com/atelier/mindspore_2_3_ascend:mindspore_2.3.0-cann_8.0.rc1-py_3.9-euler_2.10.7-aarch64-snt9b-20240525100222-259922e .
ARG BASE=python:3.11-bookworm
FROM ${BASE}
WORKDIR /contest
COPY . .
RUN make setup PYTHON_SYSTEM=python3
CMD ["make", "help"]

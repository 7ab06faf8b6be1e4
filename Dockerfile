# tensorframes and everything it needs, run by an ordinary user.
#
#   docker build --tag tensorframes .                           # CUDA
#   docker build --build-arg DEVICE=cpu --tag tensorframes .    # CPU, much smaller
#
# How it runs stands in docs/training.md, how it is built without Docker in CONTRIBUTING.md.
ARG PYTHON_VERSION=3.11

# An environment with the package. What makes it stays in this stage.
FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /venv

# What the package needs changes seldom and is large: its own layer, made before the sources arrive.
# torch's own wheels carry the CUDA libraries, and the package index has those of the newest CUDA.
# TORCH_INDEX names another place for them, as of an older CUDA: https://download.pytorch.org/whl/cu126
COPY pyproject.toml constraints.txt ./
ARG DEVICE=cuda
ARG TORCH_INDEX=
RUN case "${DEVICE}" in \
        cuda) index= ;; \
        cpu) index=https://download.pytorch.org/whl/cpu ;; \
        *) echo "expected DEVICE=cuda or DEVICE=cpu, got DEVICE=${DEVICE}" >&2; exit 2 ;; \
    esac \
    && index=${TORCH_INDEX:-${index}} \
    && python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; e = p['optional-dependencies']; \
print(*p['dependencies'], *(line for extra in ('train', 'wandb', 'sweeps', 'report') for line in e[extra]), sep='\n')" \
        > requirements.txt \
    && pip --python /venv install --constraint constraints.txt --requirement requirements.txt \
        ${index:+--extra-index-url "${index}"}

COPY README.md LICENSE ./
COPY configs configs
COPY tensorframes tensorframes
RUN pip --python /venv install --no-deps .

FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm
# torch.compile makes C++ programs, Triton C programs.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends "g++=4:12.*" \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 tensorframes

COPY --from=build /venv /venv

# HOME and USER are for libraries that look them up: with docker run --user there may be no such user.
# NVIDIA_* say what of the driver the container gets where --gpus does not: podman, enroot.
ENV PATH=/venv/bin:${PATH} \
    HOME=/home/tensorframes \
    USER=tensorframes \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# The folders of a checkout, so that commands are the same here and there. docker run --user may name any user,
# so what a run writes to is open to all.
WORKDIR /work
RUN mkdir -p data outputs multirun /home/tensorframes/.cache \
    && chmod 1777 . data outputs multirun /home/tensorframes /home/tensorframes/.cache
VOLUME ["/work/data", "/work/outputs", "/work/multirun"]

# The command answers, and so do the GPUs that the container was given.
HEALTHCHECK --interval=5m --timeout=1m --start-period=1m \
    CMD ["sh", "-c", "tensorframes --version && { ! command -v nvidia-smi || nvidia-smi --list-gpus; }"]

USER 1000
ENTRYPOINT ["tensorframes"]
CMD ["--help"]

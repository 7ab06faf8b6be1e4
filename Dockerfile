# The project and everything it needs, run by an ordinary user.
#
#   docker build --tag tensorframes .                                                          # CUDA
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu --tag tensorframes .   # CPU, much smaller
#   docker run --gpus all --ipc=host -v DATA:/data -v "$PWD/outputs":/app/outputs tensorframes experiment=pcpnet data.root=/data
#
# torch's own wheels carry the CUDA libraries; only the driver comes from the host, through --gpus.
ARG PYTHON_VERSION=3.11
FROM python:${PYTHON_VERSION}-slim-bookworm

RUN useradd --create-home --uid 1000 tensorframes
# USER is for libraries that look the user's name up: with docker run --user it may have none.
ENV HOME=/home/tensorframes \
    USER=tensorframes \
    PYTHONUNBUFFERED=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /app

# What the package needs changes seldom and is large: its own layer, made before the sources arrive.
COPY pyproject.toml constraints.txt ./
ARG TORCH_INDEX=https://pypi.org/simple
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; e = p['optional-dependencies']; \
print(*p['dependencies'], *e['train'], *e['wandb'], sep='\n')" \
        > /tmp/requirements.txt \
    && pip install --no-cache-dir --constraint constraints.txt --extra-index-url "${TORCH_INDEX}" \
        --requirement /tmp/requirements.txt \
    && rm /tmp/requirements.txt

COPY . .
RUN pip install --no-cache-dir --no-deps --editable .

# What a run writes to is open to every user, since docker run --user may name any.
RUN mkdir -p outputs multirun data \
    && chmod 1777 outputs multirun data /home/tensorframes

USER 1000
# Other commands: docker run --entrypoint tensorframes ... tensorframes normals /data/scan.ply /data/normals.ply
ENTRYPOINT ["tensorframes", "train"]

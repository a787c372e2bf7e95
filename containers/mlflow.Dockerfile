# The MLflow server: training runs, releases and the aliases. Built from the checkout's root: docker build -f containers/mlflow.Dockerfile .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/ratchet
RUN python -m pip install --no-cache-dir uv==0.13.8
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-install-project --extra registry

FROM ${PYTHON_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ratchet-mlflow" \
      org.opencontainers.image.description="MLflow server of a Ratchet loop" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 ratchet && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ratchet \
 && mkdir -p /artifacts && chown ratchet:ratchet /artifacts
COPY --from=build /opt/ratchet /opt/ratchet
ENV PATH=/opt/ratchet/bin:$PATH PYTHONUNBUFFERED=1 DO_NOT_TRACK=true MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
USER 10001:10001
WORKDIR /tmp
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-I", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/health', timeout=2)"]
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "1", "--no-serve-artifacts"]

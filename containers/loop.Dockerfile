# The loop: Airflow's parts, training, the guard, one-shot jobs and the shell command `ratchet`. SERVICE says which:
# `python -m ratchet.stack.contained --help`. Built from the checkout's root: docker build -f containers/loop.Dockerfile .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/ratchet
RUN python -m pip install --no-cache-dir uv==0.13.8
WORKDIR /srv/ratchet
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-install-project --extra ingest --extra train --extra airflow --extra celery --extra dask
COPY src src
COPY inference inference
RUN uv sync --frozen --inexact --extra ingest --extra train --extra airflow --extra celery --extra dask

FROM ${PYTHON_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ratchet-loop" \
      org.opencontainers.image.description="Airflow, ingest, training and decisions of a Ratchet loop" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 ratchet && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ratchet \
 && mkdir -p /data/router/weights /artifacts && chown -R ratchet:ratchet /data /artifacts
COPY --from=build /opt/ratchet /opt/ratchet
COPY --from=build /srv/ratchet /srv/ratchet
COPY dags /srv/ratchet/dags
COPY monitoring/prometheus /srv/ratchet/monitoring/prometheus
ENV PATH=/opt/ratchet/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_HOME=/data AIRFLOW_HOME=/data/airflow BIND=0.0.0.0 \
    DO_NOT_TRACK=true MLFLOW_DISABLE_TELEMETRY=true
USER 10001:10001
WORKDIR /srv/ratchet
ENTRYPOINT ["python", "-m", "ratchet.stack.contained"]
CMD ["--help"]

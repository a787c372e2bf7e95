# moto's S3 server, with the versions that uv.lock names. Only for tools/compose-test --bucket; built from the checkout's root.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN python -m pip install --no-cache-dir uv==0.13.8
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN uv export --frozen --quiet --no-hashes --no-emit-project --extra dev >constraints.txt \
 && python -m pip install --no-cache-dir --constraint constraints.txt 'moto[server]'
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
CMD ["python", "/bucket.py"]

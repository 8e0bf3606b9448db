# Four images from one file: migrate (core alone), dashboard (no torch in it), worker (scoring; CPU or, where the host
# gives it a GPU, CUDA), keeper (the worker's periodic process, no torch needed: it runs from the migrate image).
# Every command here is also run by the tests (tests/deployment).

FROM python:3.12-slim AS base
ENV PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    OCTAUDIT_HOME=/var/lib/octaudit \
    PATH=/app/environment/bin:$PATH
WORKDIR /app
RUN useradd --system --uid 10001 --no-create-home octaudit \
 && mkdir /var/lib/octaudit /var/lib/keeper \
 && chown octaudit /var/lib/octaudit /var/lib/keeper

FROM base AS source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY core ./core
COPY dashboard ./dashboard
COPY worker ./worker
COPY migrations ./migrations
COPY samples ./samples
RUN python -m venv environment

FROM source AS build-migrate
RUN python -m pip install --no-cache-dir --constraint constraints.txt .

FROM source AS build-dashboard
RUN python -m pip install --no-cache-dir --constraint constraints.txt '.[dashboard]'

FROM source AS build-worker
RUN python -m pip install --no-cache-dir --constraint constraints.txt '.[worker]'

FROM base AS migrate
# Its matrices are small: threads of the linear algebra that wait on a busy core cost ten times their work.
ENV OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
COPY --from=build-migrate /app/environment /app/environment
USER octaudit
CMD ["octaudit", "database", "init"]

FROM base AS dashboard
# Its matrices are small: threads of the linear algebra that wait on a busy core cost ten times their work.
ENV OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
COPY --from=build-dashboard /app/environment /app/environment
USER octaudit
EXPOSE 8501
CMD ["python", "-m", "dashboard.server"]

FROM base AS worker
COPY --from=build-worker /app/environment /app/environment
USER octaudit
CMD ["python", "-m", "worker"]

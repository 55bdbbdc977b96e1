# Builds the guard's image: docker build -t rollguard:0.1.0 .
FROM python:3.12-slim-bookworm AS build
ENV UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/rollguard
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src
# The dependencies first: they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra postgres --no-install-project
COPY README.md LICENSE ./
COPY src src
RUN uv sync --frozen --no-dev --extra postgres --no-editable

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="Rollguard" \
      org.opencontainers.image.description="A deployment guard for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/rollguard/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/rollguard /opt/rollguard
COPY --chmod=755 scripts /scripts
WORKDIR /
USER 65532:65532
ENTRYPOINT ["rollguard"]

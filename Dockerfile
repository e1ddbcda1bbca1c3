# The image: the exporter and what it needs to run, nothing to install or build with.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag cfdi-stamps-exporter .
#
# Everything comes as hash-locked wheels, on amd64 and arm64 alike: nothing is compiled. Where pip needs a
# configuration to reach its index, give it as a secret: --secret id=pip,src=/etc/pip.conf

# The minor version that the tests run on. Debian's security updates come with a newer tag.
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
# The build backend goes into this stage's own Python; the virtual environment has no pip of its own.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv --without-pip /opt/venv \
 && python -m pip install --require-hashes --only-binary=:all: --requirement requirements-build.txt \
 && python -m pip --python /opt/venv/bin/python install --require-hashes --only-binary=:all: \
        --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
RUN python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
 && python -m pip --python /opt/venv/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${BASE}
# The base's Python comes with pip, and without compiled modules, which a read-only root could not keep: each
# start would compile them anew.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
 && python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && groupadd --gid 10520 exporter \
 && useradd --uid 10520 --gid 10520 --no-create-home --home-dir /var/lib/cfdi-stamps-exporter \
        --shell /usr/sbin/nologin exporter \
 && install --directory --owner=10520 --group=10520 --mode=0700 /var/lib/cfdi-stamps-exporter \
 && install --directory /etc/cfdi-stamps-exporter
COPY --from=build /opt/venv /opt/venv

ARG REVISION=unknown
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CFDI_EXPORTER_REVISION=${REVISION}
LABEL org.opencontainers.image.title="cfdi-stamps-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the prepaid CFDI stamps left at the PAC Solución Factible" \
      org.opencontainers.image.source="https://github.com/cfdi-stamps-exporter/cfdi-stamps-exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"

# By number, so that Kubernetes can tell that it isn't root.
USER 10520:10520
WORKDIR /var/lib/cfdi-stamps-exporter
EXPOSE 10520
# With TLS, client certificates or another port give your own: this one asks the default address, and no proxy that
# the environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-I", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:10520/-/healthy', timeout=4)"]
# No VOLUME: Docker would fill one that nobody named, and lose the guard's memory with the next container.
# Commands and more flags go behind these: `docker run … demo`, `docker run … check NAME`.
ENTRYPOINT ["cfdi-stamps-exporter", "--config.file=/etc/cfdi-stamps-exporter/config.yaml", "--storage.path=/var/lib/cfdi-stamps-exporter/state.db"]

# The manager, with NEC2, for an account of its own. Its store is the volume /data.
# docs/how-to/run-as-a-service.md says how to run it.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY tools/locked.py tools/
# What solveyard needs, by hash, and none of its extras: PyNEC is GPL-3.0, nec2c does its work.
RUN python -m venv /opt/solveyard \
 && python tools/locked.py > /tmp/needed.lock \
 && /opt/solveyard/bin/pip install --no-cache-dir --no-deps --require-hashes -r /tmp/needed.lock
RUN python tools/locked.py build > /tmp/build.lock \
 && pip install --no-cache-dir --no-deps --require-hashes -r /tmp/build.lock
COPY src src
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/solveyard/bin/pip install --no-cache-dir --no-deps /tmp/wheel/*.whl \
 && /opt/solveyard/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nec2c tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /data solveyard \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/solveyard /opt/solveyard
ENV PATH=/opt/solveyard/bin:/usr/local/bin:/usr/bin:/bin \
    SOLVEYARD_HOME=/data \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
# No files of the store are a job's: what is run from here may name its own without a path.
WORKDIR /tmp
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["solveyard", "health"]
# tini reaps what jobs leave behind. A stop takes up to 45 s: docker stop --time 45
ENTRYPOINT ["/usr/bin/tini", "--", "solveyard"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080", "--on-stop", "drain"]

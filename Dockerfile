# The churnwatch worker and its command line. Build: docker build -t churnwatch .
FROM python:3.11-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/churnwatch
COPY requirements.lock ./
RUN /opt/churnwatch/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml LICENSE README.md ./
COPY streams streams
COPY detectors detectors
COPY alerts alerts
# The lock carries the build requirement too, so nothing unhashed is fetched here.
RUN /opt/churnwatch/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin churnwatch
COPY --from=build /opt/churnwatch /opt/churnwatch
# numpy's BLAS spreads over threads on large batches, which costs a worker more than it gains
ENV PATH=/opt/churnwatch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
USER 10001
EXPOSE 8780
ENTRYPOINT ["churnwatch"]
CMD ["worker"]

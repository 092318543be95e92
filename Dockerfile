# Build: docker build -t yolo-training-platform .      Run: see deploy/compose.yaml
FROM python:3.12-slim-bookworm

# libGL and GLib are OpenCV's; the font writes class names on pictures.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock

COPY LICENSE gunicorn.conf.py run.py ./
COPY app ./app
COPY wiki ./wiki
COPY scripts/worker.py scripts/storage.py ./scripts/
RUN pybabel --quiet compile --directory app/translations \
    && python -m compileall -q app run.py \
    && useradd --create-home --uid 1000 yolo \
    && mkdir data instance logs \
    && chown yolo:yolo data instance logs

USER yolo
# A container takes its trainings with it: they save a checkpoint first, and go on when it starts again.
ENV PYTHONUNBUFFERED=1 ON_SHUTDOWN=stop HOST=0.0.0.0 AUTH=required
VOLUME ["/app/data", "/app/instance", "/app/logs"]
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/health', timeout=4)"]

CMD ["gunicorn", "--worker-class", "eventlet", "-w", "1", "--bind", "0.0.0.0:5000", "run:app"]

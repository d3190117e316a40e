# Build the environment in one image, run it in another without compilers or pip's cache.
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/base.txt /tmp/base.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/base.txt

FROM python:3.12-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=automate.settings \
    AUTOMATE_VAR_DIR=/app/var
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin automate \
    && install -d -o automate -g automate /app /app/var
WORKDIR /app
COPY --from=build /venv /venv
COPY manage.py ./
COPY automate automate
COPY workflows workflows
COPY runs runs
COPY webhooks webhooks
COPY templates templates
USER 10001
# The keys are for this step alone: settings want some, collecting uses none.
RUN SECRET_KEY=build FIELD_ENCRYPTION_KEYS=build python manage.py collectstatic --noinput -v 0
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "automate.web", "--probe"]
CMD ["python", "-m", "automate.web", "--host", "0.0.0.0"]

# One image for the three services: `docker run IMAGE employees serve`, `… teams migrate`, `… gateway config`.

FROM python:3.13-slim AS packages
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --no-input --root-user-action=ignore \
    --only-binary :all: --require-hashes --prefix /packages -r requirements.txt

FROM python:3.13-slim AS code
COPY shared/src services/employees/src services/teams/src services/gateway/src /code/
RUN python -m compileall -q --invalidation-mode unchecked-hash /code

FROM python:3.13-slim
RUN groupadd --system --gid 10001 roster && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/roster --create-home roster
COPY --from=packages /packages /usr/local
COPY --from=code /code /opt/roster
# TMPDIR: where imports are spooled, which may be gigabytes; mount a volume there when the root is read-only.
ENV PYTHONPATH=/opt/roster PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TMPDIR=/var/tmp \
    EMPLOYEES_HOST=0.0.0.0 TEAMS_HOST=0.0.0.0 GATEWAY_HOST=0.0.0.0
WORKDIR /var/lib/roster
USER 10001:10001
ENTRYPOINT ["python", "-m"]
CMD ["gateway", "serve"]

# The Supervisor's image. It also carries what its helper containers run, so that an installation needs no
# second image: nginx with streams (core-link and the other links) and `hold` (the pause beside an add-on).
#
# Runs with a read-only root filesystem and no capability but CHOWN, DAC_OVERRIDE and FOWNER: what it writes
# goes to /data, /state and /tmp, all mounted.
ARG BASE=docker.io/library/debian:trixie-slim

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev python3 python3-setuptools python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY rootfs/usr/src/hold.c /usr/src/hold.c
# Static: it must run beside add-ons of any origin, and start in no time.
RUN gcc -static -Os -s -Wall -Wextra -Werror -o /usr/bin/hold /usr/src/hold.c && /usr/bin/hold --version
RUN python3 -m venv /opt/supervisor
COPY requirements/runtime.txt /usr/src/runtime.txt
RUN /opt/supervisor/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /usr/src/runtime.txt
COPY pyproject.toml LICENSE /usr/src/supervisor/
COPY supervisor_k8s /usr/src/supervisor/supervisor_k8s
# setuptools is Debian's, from outside the environment: nothing that is not pinned gets into it.
RUN PYTHONPATH=/usr/lib/python3/dist-packages \
    /opt/supervisor/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index /usr/src/supervisor \
 && /opt/supervisor/bin/pip uninstall -y pip

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git inotify-tools libnginx-mod-stream nginx-light python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* /usr/share/doc /usr/share/man \
 && mkdir -p /data /state
COPY --from=build /usr/bin/hold /usr/bin/hold
COPY rootfs/usr/bin /usr/bin
COPY --from=build /opt/supervisor /opt/supervisor
ENV PATH=/opt/supervisor/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
EXPOSE 8080
ENTRYPOINT ["python3", "-m", "supervisor_k8s"]

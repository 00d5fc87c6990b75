# The Supervisor's image: our program and the nginx before it. It also carries what its helper containers run, so that an
# installation needs no second image: nginx with streams (core-link and ingress-link), `hold` (the pause beside an add-on), and nft for the
# rule of `docker-network`.
#
# Runs with a read-only root filesystem and no capability but CHOWN, DAC_OVERRIDE and FOWNER: what it writes
# goes to /data, /state and /tmp, all mounted.
#
# Reproducible: two builds from the same packages have the same files with the same contents (a test builds twice).
# Bytecode is compiled by content and in a fixed order, and our files have no time of their own.
ARG BASE=docker.io/library/debian:trixie-slim

# What our programs need of Debian, as one layer without what only an installer or a person at a terminal would want.
# Copyright files and the list of packages stay: for lawyers and for scanners.
FROM ${BASE} AS system
RUN printf 'path-exclude=/usr/share/%s/*\n' info lintian locale man > /etc/dpkg/dpkg.cfg.d/slim \
 && apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git inotify-tools libnginx-mod-stream nftables nginx python3 \
 && mkdir -p /data /state
# Git fetches and unpacks; it serves nobody and mails nothing. Its translations and Perl go, as do the tools that
# only packages' scripts and logins need. What is left is checked below: no program lacks a library.
RUN rm -f /var/lib/dpkg/info/*.preinst /var/lib/dpkg/info/*.prerm /var/lib/dpkg/info/*.postrm \
 && dpkg --purge --force-depends --force-remove-essential --force-remove-protected \
    git-man liberror-perl libperl5.40 perl perl-base perl-modules-5.40 libdb5.3t64 libgdbm6t64 libgdbm-compat4t64 \
    iproute2 libbpf1 libcap2-bin libelf1t64 openssl openssl-provider-legacy \
    apt debconf debian-archive-keyring init-system-helpers libapt-pkg7.0 libstdc++6 sqv \
    bsdutils libblkid1 libmount1 libsmartcols1 mount ncurses-bin sysvinit-utils util-linux \
 && cd /usr/lib/git-core \
 && rm -f git-daemon git-http-backend git-http-fetch git-http-push git-imap-send git-sh-i18n--envsubst git-shell scalar \
 && ln -sf ../../bin/git git \
 && cd /usr/share && find doc -type f ! -name copyright -delete && rm -rf gitweb info lintian locale man \
 && cd /usr/bin && rm -rf git-shell scalar /usr/lib/*-linux-*/gconv /usr/lib/python3.13/test /usr/lib/python3.13/pydoc_data \
 && PYTHONHASHSEED=0 python3 -m compileall -q -f -j 1 --invalidation-mode unchecked-hash /usr/lib/python3.13 \
 && find /var/cache /var/log /var/lib/apt /var/lib/dpkg/info /tmp /var/tmp -type f ! -name '*.list' -delete \
 && rm -f /var/lib/dpkg/*-old \
 && for program in git nft nginx python3 sh bash inotifywait; do ! ldd "$(command -v $program)" | grep 'not found' || exit 1; done \
 && ! ldd /usr/lib/git-core/git-remote-http /usr/lib/nginx/modules/*.so | grep 'not found' \
 && nginx -t -q -e stderr && rm -f /run/nginx.pid /var/log/nginx/*
# Where OpenSSL looks for the authorities to trust; these links went with the tool `openssl`.
RUN mkdir /usr/lib/ssl && ln -s /etc/ssl/certs /usr/lib/ssl/certs \
 && ln -s /etc/ssl/certs/ca-certificates.crt /usr/lib/ssl/cert.pem \
 && python3 -c 'import ssl; assert ssl.create_default_context().get_ca_certs()'

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev python3 python3-setuptools python3-venv
COPY rootfs/usr/src/hold.c /usr/src/hold.c
# Static: it must run beside add-ons of any origin, and start in no time.
RUN gcc -static -Os -s -Wall -Wextra -Werror -o /usr/bin/hold /usr/src/hold.c && /usr/bin/hold --version \
 && touch -d @0 /usr/bin/hold
ENV PYTHONHASHSEED=0
RUN python3 -m venv --without-pip --symlinks /opt/supervisor && python3 -m venv /usr/src/tools
COPY requirements/runtime.txt requirements/slim.py /usr/src/
RUN /usr/src/tools/bin/pip --python /opt/supervisor/bin/python3 install --no-cache-dir --no-compile --require-hashes \
    --only-binary :all: -r /usr/src/runtime.txt \
 && /opt/supervisor/bin/python3 /usr/src/slim.py \
 && /opt/supervisor/bin/python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash /opt/supervisor/lib \
 && find /opt/supervisor -exec touch -h -d @0 {} +

# Our own program in a layer of its own: an update that changes no dependency is two megabytes.
FROM build AS program
COPY pyproject.toml LICENSE /usr/src/supervisor/
COPY supervisor_k8s /usr/src/supervisor/supervisor_k8s
# setuptools is Debian's, from outside the environment: nothing that is not pinned gets into it.
RUN PYTHONPATH=/usr/lib/python3/dist-packages \
    /usr/src/tools/bin/pip --python /opt/supervisor/bin/python3 install --no-cache-dir --no-compile --no-deps \
    --no-build-isolation --no-index --prefix /program /usr/src/supervisor \
 && /opt/supervisor/bin/python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash \
    -s /program -p /opt/supervisor /program/lib \
 && find /program -exec touch -h -d @0 {} +

FROM scratch
COPY --from=system / /
COPY --from=build /usr/bin/hold /usr/bin/hold
COPY --from=build /opt/supervisor /opt/supervisor
COPY rootfs/usr/bin /usr/bin
COPY --from=program /program /opt/supervisor
# What the store shows of our own add-ons; their programs are in images of their own.
COPY addons/git_pull/*.md addons/git_pull/*.png addons/git_pull/config.yaml /usr/share/supervisor-k8s/addons/git_pull/
COPY addons/git_pull/translations /usr/share/supervisor-k8s/addons/git_pull/translations
# But for what ends a switch of files that Git pull left open: Core's pod does so before Core reads them.
COPY addons/git_pull/rootfs/app/git_pull/__init__.py addons/git_pull/rootfs/app/git_pull/changes.py \
    addons/git_pull/rootfs/app/git_pull/disk.py addons/git_pull/rootfs/app/git_pull/errors.py \
    addons/git_pull/rootfs/app/git_pull/files.py addons/git_pull/rootfs/app/git_pull/finish.py \
    addons/git_pull/rootfs/app/git_pull/progress.py addons/git_pull/rootfs/app/git_pull/restore.py \
    addons/git_pull/rootfs/app/git_pull/switch.py \
    addons/git_pull/rootfs/app/git_pull/tree.py addons/git_pull/rootfs/app/git_pull/turn.py \
    /usr/share/supervisor-k8s/programs/git_pull/
ENV PATH=/opt/supervisor/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# Every module of ours, with all it imports, is there and loads without the ones that were left out.
RUN ["python3", "-c", "import pkgutil, sys, supervisor_k8s; [__import__(m.name) for m in pkgutil.walk_packages(supervisor_k8s.__path__, 'supervisor_k8s.')]; sys.path.append('/usr/share/supervisor-k8s/programs'); import git_pull.finish"]
EXPOSE 8080 8081
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["healthcheck"]
ENTRYPOINT ["python3", "-m", "supervisor_k8s"]

# Stands in for temporalio/server: the server of that version, with the entry point that its source has. BusyBox is the shell of Alpine, on
# which the image is built.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends busybox netcat-openbsd tzdata && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 --user-group --create-home temporal \
  && ln -sf busybox /bin/sh
COPY temporal-server /usr/local/bin/temporal-server
COPY entrypoint.sh /etc/temporal/entrypoint.sh
WORKDIR /etc/temporal
USER temporal
CMD ["/etc/temporal/entrypoint.sh"]

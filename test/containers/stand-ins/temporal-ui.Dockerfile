# Stands in for temporalio/ui: the UI's server of that version, started by the script and configured by the file of its source.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends busybox tzdata && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 --user-group --create-home temporal \
  && ln -s /bin/busybox /usr/local/bin/wget
WORKDIR /home/ui-server
COPY ui-server start-ui-server.sh ./
COPY config ./config
USER temporal
EXPOSE 8080
ENTRYPOINT ["./start-ui-server.sh"]

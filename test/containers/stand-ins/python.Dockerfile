# Stands in for python:3.11-slim-bookworm: Debian's Python, by the names and with the freedom of the image's own.
FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3 python3-pip python3-venv \
  && rm -rf /var/lib/apt/lists/* /usr/lib/python3*/EXTERNALLY-MANAGED \
  && ln -s /usr/bin/python3 /usr/local/bin/python3 && ln -s /usr/bin/python3 /usr/local/bin/python
CMD ["python3"]

# The worker of a GPU host: Node for the service, Python and uv for the trainers. Trainers' own packages (torch, …) are
# installed at their first use, into the cache volume.
ARG NODE_VERSION=22
ARG PYTHON_VERSION=3.12

FROM node:${NODE_VERSION}-bookworm-slim AS package
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm pack && mkdir /package && tar --extract --file epochal-*.tgz --strip-components 1 --directory /package

FROM node:${NODE_VERSION}-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:${NODE_VERSION}-bookworm-slim AS node

FROM python:${PYTHON_VERSION}-slim-bookworm
# libgl1 and libglib2.0-0 are what OpenCV, and so most vision trainers, load.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates git libgl1 libglib2.0-0 procps tini \
  && rm -rf /var/lib/apt/lists/* \
  && pip install --no-cache-dir uv
COPY --from=node /usr/local/bin/node /usr/local/bin/node

# Named volumes take over the owner of the folder that they are mounted on.
RUN useradd --uid 10001 --create-home epochal \
  && mkdir /data /cache /store /datasets /trainers \
  && chown epochal:epochal /data /cache /store
WORKDIR /app
COPY --from=modules /app/node_modules node_modules
COPY --from=package /package .

ENV NODE_ENV=production \
  EPOCHAL_DATA_DIR=/data \
  EPOCHAL_CACHE_DIR=/cache \
  EPOCHAL_STORE=/store \
  EPOCHAL_TRAINERS=/trainers \
  UV_CACHE_DIR=/cache/uv \
  XDG_CACHE_HOME=/cache \
  NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER epochal
VOLUME ["/data", "/cache", "/store"]
# Passes signals on, and reaps what trainers leave.
ENTRYPOINT ["tini", "--"]
CMD ["node", "bin/epochal.mjs", "worker"]

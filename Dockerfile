# Epochal's agent and server: one image, from the packed package. Node for the service, Python and uv for the trainers, whose own packages
# (torch, …) are installed at their first use, into the cache volume. Each base image may be pinned by its digest:
#   --build-arg NODE_IMAGE=node:22-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:22-bookworm-slim
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${NODE_IMAGE} AS package
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
# What runs needs no development dependency, and of Temporal's libraries that of this platform alone: they are 30 MB each.
RUN npm pack && mkdir /app && tar --extract --file epochal-*.tgz --strip-components 1 --directory /app \
  && npm prune --omit=dev --no-audit --no-fund \
  && mv node_modules /node_modules \
  && find /node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 ! -name "$(uname -m)*-linux-gnu" -exec rm -r {} +

FROM ${NODE_IMAGE} AS node

FROM ${PYTHON_IMAGE}
ARG UV_VERSION=0.13.9
# libgl1 and libglib2.0-0 are what OpenCV, and so most vision trainers, load; git tells the commit of mounted trainers. The drivers that come with
# libgl1 (160 MB, LLVM above all) draw for nobody here.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates git libgl1 libglib2.0-0 procps tini \
  && rm -rf /var/lib/apt/lists/* /usr/lib/*-linux-gnu/dri /usr/lib/*-linux-gnu/libLLVM* /usr/lib/*-linux-gnu/libz3* \
  && pip install --no-cache-dir uv==${UV_VERSION}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY docker/epochal docker/with-secrets /usr/local/bin/

# Named volumes take over the owner of the folder that they are mounted on.
RUN useradd --uid 10001 --create-home epochal \
  && mkdir /data /cache /store /datasets /trainers \
  && chown epochal:epochal /data /cache /store
WORKDIR /app
COPY --from=package /node_modules node_modules
COPY --from=package /app .

ENV NODE_ENV=production \
  EPOCHAL_DATA_DIR=/data \
  EPOCHAL_CACHE_DIR=/cache \
  EPOCHAL_STORE=/store \
  EPOCHAL_TRAINERS=/trainers \
  UV_CACHE_DIR=/cache/uv \
  XDG_CACHE_HOME=/cache \
  NVIDIA_DRIVER_CAPABILITIES=compute,utility
# As numbers: Kubernetes cannot tell by a name that it is not root.
USER 10001:10001
# tini passes signals on, and reaps what trainers leave.
ENTRYPOINT ["tini", "--", "with-secrets"]
CMD ["epochal", "worker"]

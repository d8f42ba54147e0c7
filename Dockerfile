# Builds the image of a service; SERVICE selects which:
#
#   docker build --build-arg SERVICE=auth --tag latchkey/auth:0.1.0 .
#
# The image runs the sources in the layout of the workspace: docs/decisions/0011-images.md.

# The manifests alone, so that a change of the sources does not invalidate the cached installation.
FROM node:24-bookworm-slim AS manifests
WORKDIR /latchkey
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml LICENSE ./
COPY packages packages
COPY services services
RUN find packages services -type f ! -name package.json -delete \
 && find packages services -type d -empty -delete

# The packages of all services, downloaded once into the store of pnpm.
FROM node:24-bookworm-slim AS store
WORKDIR /latchkey
RUN npm install --global --no-audit --no-fund --no-update-notifier pnpm@12.21.0
COPY --from=manifests /latchkey ./
RUN pnpm install --prod --frozen-lockfile --network-concurrency=8 --filter-prod "{./services/*}..." \
 && rm -rf node_modules packages/*/node_modules services/*/node_modules

# One service with its production dependencies.
FROM store AS install
ARG SERVICE
RUN pnpm install --prod --frozen-lockfile --offline --filter-prod "@latchkey/${SERVICE}..."
COPY packages packages
COPY services services
RUN mkdir /image \
 && cp -a LICENSE package.json node_modules packages /image/ \
 && mkdir /image/services && cp -a "services/${SERVICE}" /image/services/

FROM node:24-bookworm-slim
ARG SERVICE
LABEL org.opencontainers.image.title="latchkey-${SERVICE}" \
      org.opencontainers.image.description="The ${SERVICE} service of Latchkey, one login for all services" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"
COPY --from=install /image /latchkey
WORKDIR /latchkey/services/${SERVICE}
ENV NODE_ENV=production \
    LATCHKEY_HOST=0.0.0.0 \
    LATCHKEY_PORT=3000
USER node
EXPOSE 3000
# Checks whether the service is alive, not whether it is ready: it verifies tokens without Postgres,
# so an orchestrator must not stop it when Postgres is unavailable.
HEALTHCHECK --interval=5s --timeout=10s --start-period=180s --retries=3 CMD ["node", "-e", \
  "require('node:http').get({port: process.env.LATCHKEY_PORT, path: '/livez'}, ({statusCode}) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]

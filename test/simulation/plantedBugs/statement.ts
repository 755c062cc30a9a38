/**
 * Bugs of the one statement and of the reads beside it, planted in the model that stands for the SQL.
 */
import { inBatch, inCommit, inPlanOrders, inPreparation, inReads, type PlantedBug } from "./planting.ts"

export const statementBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "double release of a hold",
    patches: [
      inCommit(
        "    tables.holds.remove(row)\n    add(available",
        "    if (command.onlyExpired) tables.holds.remove(row)\n    add(available",
      ),
    ],
  },
  {
    name: "hold left behind by the order that consumed it",
    patches: [inCommit("for (const row of held) tables.holds.remove(row)", "for (const row of held) void row")],
  },
  {
    name: "order placed without its holds",
    patches: [inCommit("  if (held.length < command.held", "  if (held.length < -1 + 0 * command.held")],
  },
  {
    name: "no epoch in the fence",
    patches: [
      inCommit(
        "if (lease === undefined || lease.epoch !== epoch || lease.batch !== batch - 1) return false",
        "if (lease === undefined || lease.batch !== batch - 1) return false",
      ),
    ],
  },
  {
    name: "an order expired that was cancelled before",
    patches: [
      inCommit(
        `  if (order.status !== "reserved") return null`,
        `  if (order.status !== "reserved" && wanted !== "expired") return null`,
      ),
    ],
  },
  {
    name: "an order cancelled twice",
    patches: [
      inCommit(`  if (order.status !== "reserved") return null`, `  if (order.status === "expired") return null`),
    ],
  },
  {
    name: "cancelled after its time",
    patches: [
      inCommit(
        `  if ((wanted === "expired") !== order.expiresAtMillis <= atMillis) return null`,
        `  if (wanted === "expired" && order.expiresAtMillis > atMillis) return null`,
      ),
    ],
  },
  {
    name: "expired before its time",
    patches: [
      inCommit(
        `  if ((wanted === "expired") !== order.expiresAtMillis <= atMillis) return null`,
        `  if (wanted === "cancelled" && order.expiresAtMillis <= atMillis) return null`,
      ),
      inReads(
        `row.status === "reserved" && row.expiresAtMillis <= atMillis)`,
        `row.status === "reserved" && row.expiresAtMillis <= atMillis + 5)`,
      ),
    ],
  },
  {
    name: "returns sent twice",
    patches: [
      inCommit(
        "tables.pendingReturns.insert({ ...line, orderId, customer, quantity })",
        "for (const returnId of [line.returnId, `${line.returnId} again`]) tables.pendingReturns.insert({ ...line, returnId, orderId, customer, quantity })",
      ),
    ],
  },
  {
    name: "a return applied and kept",
    patches: [inCommit("  tables.pendingReturns.remove(row)\n", "")],
  },
  {
    name: "units of other shards given back at home",
    patches: [inCommit("if (line.shard === write.shard) {", "if (line.shard >= 0) {")],
  },
  {
    name: "ended, and its units still counted for its customer",
    patches: [
      inCommit(
        "      add(available, productId, quantity)\n      addUnits(units, productId, customer, -quantity, null)",
        "      add(available, productId, quantity)",
      ),
    ],
  },
  {
    name: "cart sold at a version that was never read",
    patches: [inCommit("  if (!hasItsCart(tables, order)) return false\n", "")],
  },
  {
    name: "cart sold and not emptied",
    patches: [
      inCommit(
        "if (command.cartVersion !== null) tables.carts.put(",
        "if (command.cartVersion === 0) tables.carts.put(",
      ),
    ],
  },
  {
    name: "version not raised by an edit",
    patches: [inCommit("version: version + 1,\n  })", "version,\n  })")],
  },
  {
    name: "units counted from nothing when the limit comes later",
    patches: [
      inReads(
        "return row ?? { productId, customer, units: countUnits(tables, productId, customer) }",
        "return row ?? { productId, customer, units: 0 }",
      ),
    ],
  },
  {
    name: "units no longer counted when the limit goes",
    patches: [
      inCommit(
        "countsUnits: product.countsUnits || limitPerCustomer !== null,",
        "countsUnits: limitPerCustomer !== null,",
      ),
    ],
  },
  {
    // The key of the batch log would refuse a number the second time: it is written whatever is there.
    name: "lease checked without the batch number",
    patches: [
      inCommit(
        "if (lease === undefined || lease.epoch !== epoch || lease.batch !== batch - 1) return false",
        "if (lease === undefined || lease.epoch !== epoch) return false",
      ),
      inCommit(
        "tables.batches.insert({ shard, batch, epoch, committedAtMillis: atMillis, voided: false, events })",
        "tables.batches.put({ shard, batch, epoch, committedAtMillis: atMillis, voided: false, events })",
      ),
      inCommit(
        "tables.batches.insert({ shard, batch, epoch, committedAtMillis: atMillis, voided: true, events: [] })",
        "tables.batches.put({ shard, batch, epoch, committedAtMillis: atMillis, voided: true, events: [] })",
      ),
    ],
  },
  {
    // Every batch looks its keys up before it is planned, and neither the statement nor an index looks again.
    name: "key check outside the transaction",
    patches: [
      inPreparation("if (!isToldFromMemory(first)) return", "if (commands.length === 0) return"),
      inCommit("  if (tables.orderKeys.get(keyName(command)) !== undefined) {", "  if (orderId === undefined) {"),
      inCommit(
        `tables.orderKeys.insert({ ...name, ...times, homeShard: write.shard, status: "reserved", total, currency })`,
        `tables.orderKeys.put({ ...name, ...times, homeShard: write.shard, status: "reserved", total, currency })`,
      ),
    ],
  },
  {
    name: "holds deleted first",
    patches: [
      inCommit(
        "  if (held.length < command.held",
        "  for (const row of held) tables.holds.remove(row)\n  if (held.length < command.held",
      ),
    ],
  },
  {
    name: "limit counted by status instead of units",
    patches: [
      inReads(
        "return row ?? { productId, customer, units: countUnits(tables, productId, customer) }",
        "return { productId, customer, units: countUnits(tables, productId, customer) }",
      ),
      inReads(
        "  for (const row of [...tables.holds.all(), ...tables.pendingReturns.all()]) {",
        "  for (const row of [] as Array<never>) {",
      ),
    ],
  },
  {
    // The sweeper's command carries the rows that it read, and the statement gives back those.
    name: "return applied twice",
    patches: [
      inReads(
        `.map(({ productId, returnId }) => ({ _tag: "Return", returnId, productId }))`,
        `.map((row) => ({ _tag: "Return", returnId: row.returnId, productId: row.productId, row }))`,
      ),
      inCommit(
        "{ returnId }: Return): void => {\n  const row = tables.pendingReturns.get(returnId)",
        "{ returnId, row: read }: Return): void => {\n  const row = tables.pendingReturns.get(returnId) ?? read",
      ),
    ],
  },
  {
    name: "keys unique only within a shard",
    patches: [
      inCommit(
        "if (tables.orderKeys.get(keyName(command)) !== undefined) {",
        "if (tables.orderKeys.get(keyName(command))?.homeShard === write.shard) {",
      ),
      inCommit("tables.orderKeys.insert({", "tables.orderKeys.put({"),
    ],
  },
  {
    name: "a number given up and not in the log",
    patches: [
      inCommit(
        "  tables.batches.insert({ shard, batch, epoch, committedAtMillis: atMillis, voided: true, events: [] })\n",
        "",
      ),
    ],
  },
  {
    name: "an event written twice",
    patches: [
      inCommit("...placed.map((orderId)", `...[...placed, ...(write.form === "guarded" ? placed : [])].map((orderId)`),
    ],
  },
  {
    // The statement's relative deltas replaced by what the plan expects, without a second writer.
    name: "stock written as it was planned",
    patches: [
      inBatch("    ...planned.write,\n", "    ...planned.write,\n    levels: planned.expected,\n"),
      inCommit(
        "available: row.available + delta }",
        "available: progress.write.levels.get(productId) ?? row.available + delta }",
      ),
      inCommit(
        'const moveStock = ({ available, stocked, tables }: Progress): Applied["stock"] =>\n  [...available]',
        'const moveStock = (progress: Progress): Applied["stock"] =>\n  [...progress.available]',
      ),
      inCommit(
        "    const row = tables.stock.get(productId)\n",
        "    const { stocked, tables } = progress\n    const row = tables.stock.get(productId)\n",
      ),
    ],
  },
  {
    name: "stock taken for a repeat",
    patches: [
      inCommit(
        `    if (write.form === "plain") throw violation("23505", "orders_key")\n    return false\n`,
        `    if (write.form === "plain") throw violation("23505", "orders_key")
    for (const { productId, quantity } of lines) add(available, productId, -quantity)
    return false
`,
      ),
    ],
  },
  {
    name: "release of another attempt's hold",
    patches: [inCommit("row.attempt !== command.attempt || (command", "(command")],
  },
  {
    name: "price of today instead of the price as held",
    patches: [
      inCommit(
        "of [...lines, ...held]) {",
        "of [...lines, ...held.map((row) => ({ ...row, unitPrice: tables.products.get(row.productId)?.price }))]) {",
      ),
    ],
  },
  {
    // The table would refuse the second row of a hold: it is written over the first.
    name: "a second hold takes units of its own",
    patches: [
      inPlanOrders(
        "const rows = new Map((draft.facts.holds.get(name) ?? []).map((row) => [row.productId, row]))",
        "const rows = new Map()",
      ),
      inCommit("tables.holds.insert({ ...hold", "tables.holds.put({ ...hold"),
    ],
  },
  {
    name: "units under a hold not counted for their customer",
    patches: [
      inCommit(
        "expiresAtMillis: atMillis + holdTtlMillis })\n    add(available, productId, -quantity)\n    if (unitsBefore !== null)",
        "expiresAtMillis: atMillis + holdTtlMillis })\n    add(available, productId, -quantity)\n    if (unitsBefore === -1)",
      ),
    ],
  },
  {
    name: "units counted again when their hold is consumed",
    patches: [
      inCommit(
        "for (const row of held) tables.holds.remove(row)",
        "for (const row of held) {\n    tables.holds.remove(row)\n    addUnits(units, row.productId, customer, row.quantity, null)\n  }",
      ),
    ],
  },
  {
    name: "another attempt's hold consumed",
    patches: [
      inCommit("row.attempt === part.attempt && row.expiresAtMillis > atMillis", "row.expiresAtMillis > atMillis"),
    ],
  },
  {
    name: "an order told in the log that was not placed",
    patches: [
      inCommit(
        `...placed.map((orderId) => ({ type: "order.reserved", orderId }) as const),`,
        `...write.orders.map(({ command }) => ({ type: "order.reserved", orderId: command.orderId }) as const),`,
      ),
    ],
  },
  {
    name: "a movement missing in the log",
    patches: [inCommit(`...moved.map((movementId) => ({ type: "stock.moved", movementId }) as const),`, "")],
  },
]

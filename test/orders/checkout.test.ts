import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import type { CartContents } from "../../src/carts/cart.ts"
import { Carts } from "../../src/carts/Carts.ts"
import { CallerId, OrderId, ProductId } from "../../src/domain/ids.ts"
import type { Order } from "../../src/domain/order.ts"
import { checkoutFingerprint, orderFingerprint } from "../../src/inventory/fingerprint.ts"
import { Busy } from "../../src/inventory/shard/mailboxEntry.ts"
import { type CheckedOut, makeCheckout } from "../../src/orders/checkout.ts"
import { accountBuyer, type makePlacing, type ToPlace } from "../../src/orders/placing.ts"

const caller = CallerId.make(SecureRandom.uuidV7Unsafe())
const productId = ProductId.make(SecureRandom.uuidV7Unsafe())
const settings = { orderDeadlineMillis: 5_000, reservationTtlMillis: 60_000 }
const order: Order = {
  id: OrderId.make(SecureRandom.uuidV7Unsafe()),
  caller,
  customerRef: null,
  homeShard: 0,
  status: "reserved",
  lines: [],
  total: { amount: 100, currency: "EUR" },
  createdAtMillis: 0,
  expiresAtMillis: 60_000,
  paidAtMillis: null,
  payments: [],
  shipments: [],
}
const placedBefore = { order, fingerprint: checkoutFingerprint }
const fullCart: CartContents = { version: 3, lines: [{ productId, quantity: 2 }] }

type Known = typeof placedBefore | null

interface Parts {
  /** What each look at the key finds; the last of them for good. */
  readonly looks: ReadonlyArray<Effect.Effect<Known, Busy>>
  readonly cart?: Effect.Effect<CartContents | null>
  readonly outcome?: Effect.Success<ReturnType<ReturnType<typeof makePlacing>>>
}

const never = () => Effect.die("nobody asks for this here")

/** A checkout over rows and an inventory that find what the test says; by itself the inventory finds the cart changed. */
const checkingOut = ({ cart = Effect.succeed(fullCart), looks, outcome = { _tag: "CartChanged" } }: Parts) => {
  const asked: Array<ToPlace> = []
  let look = 0
  const checkout = makeCheckout({
    carts: Carts.of({ look: never, setLine: never, removeLine: never, clear: never, contents: () => cart }),
    place: (_, wanted) =>
      Effect.sync(() => {
        asked.push(wanted)
        return outcome
      }),
    reads: {
      byId: never,
      shipment: never,
      list: never,
      byKey: () => Effect.suspend(() => looks[Math.min(look++, looks.length - 1)] ?? Effect.succeed(null)),
    },
    settings,
  })
  return { asked, run: checkout(accountBuyer(caller), { idempotencyKey: "k", expectedTotal: null }) }
}

const nothing = Effect.succeed(null)
const found = Effect.succeed(placedBefore)
const away = Effect.fail(new Busy())
const replayed: CheckedOut = { _tag: "Placed", order, isReplayed: true }

it.effect("a key that placed an order is answered before the cart is looked at", () =>
  Effect.gen(function* () {
    const { asked, run } = checkingOut({ looks: [found], cart: Effect.die("the cart was read") })
    assert.deepStrictEqual(yield* run, replayed)
    assert.deepStrictEqual(asked, [])
  }),
)

it.effect("an attempt that finds the cart empty or changed by the first attempt of its key has that one's order", () =>
  Effect.gen(function* () {
    for (const cart of [Effect.succeed(null), Effect.succeed(fullCart)]) {
      assert.deepStrictEqual(yield* checkingOut({ looks: [nothing, found], cart }).run, replayed)
    }
  }),
)

it.effect("by then the key may also have been used for something else", () =>
  Effect.gen(function* () {
    const plain = Effect.succeed({ order, fingerprint: orderFingerprint(fullCart.lines, null) })
    const refusal: CheckedOut = { _tag: "Refused", refusal: { code: "idempotency_key_reused" } }
    assert.deepStrictEqual(yield* checkingOut({ looks: [plain] }).run, refusal)
    assert.deepStrictEqual(yield* checkingOut({ looks: [nothing, plain] }).run, refusal)
  }),
)

it.effect("a cart changed by others is refused, and its lines and version are what was asked for", () =>
  Effect.gen(function* () {
    const { asked, run } = checkingOut({ looks: [nothing] })
    assert.deepStrictEqual(yield* run, { _tag: "Refused", refusal: { code: "cart_changed" } })
    const [wanted] = asked
    assert.exists(wanted)
    assert.deepStrictEqual([wanted.lines, wanted.cartVersion], [fullCart.lines, fullCart.version])
    assert.strictEqual(wanted.fingerprint, checkoutFingerprint)
    const other = checkingOut({
      looks: [nothing],
      cart: Effect.succeed({ version: 4, lines: [{ productId, quantity: 1 }] }),
    })
    yield* other.run
    assert.strictEqual(other.asked[0]?.fingerprint, checkoutFingerprint)
    assert.notStrictEqual(other.asked[0]?.holdFingerprint, wanted.holdFingerprint)
  }),
)

it.effect("a shortage that the cart's own checkout caused is a changed cart; every other refusal stands", () =>
  Effect.gen(function* () {
    const shortage = {
      _tag: "Refused",
      refusal: { code: "out_of_stock", lines: [], retryable: false },
    } satisfies CheckedOut
    const unknown = {
      _tag: "Refused",
      refusal: { code: "unknown_product", productIds: [productId] },
    } satisfies CheckedOut
    const changed: CheckedOut = { _tag: "Refused", refusal: { code: "cart_changed" } }
    const sold = () => {
      let look = 0
      return Effect.sync(() => (look++ === 0 ? fullCart : null))
    }
    assert.deepStrictEqual(yield* checkingOut({ looks: [nothing], outcome: shortage }).run, shortage)
    assert.deepStrictEqual(yield* checkingOut({ looks: [nothing], outcome: shortage, cart: sold() }).run, changed)
    const ours = checkingOut({ looks: [nothing, found], outcome: shortage, cart: sold() })
    assert.deepStrictEqual(yield* ours.run, replayed)
    assert.deepStrictEqual(yield* checkingOut({ looks: [nothing], outcome: unknown, cart: sold() }).run, unknown)
  }),
)

it.effect("nothing happened while the key cannot be looked up at first; after the cart it may have", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* Effect.flip(checkingOut({ looks: [away] }).run))._tag, "Busy")
    assert.strictEqual((yield* Effect.flip(checkingOut({ looks: [nothing, away] }).run))._tag, "OutcomeUnknown")
    const empty = checkingOut({ looks: [nothing, away], cart: Effect.succeed(null) })
    assert.strictEqual((yield* Effect.flip(empty.run))._tag, "OutcomeUnknown")
  }),
)

it.effect("a database that says nothing keeps a checkout no longer than the order deadline", () =>
  Effect.gen(function* () {
    const read = yield* Deferred.make<void>()
    const silent = Effect.andThen(Deferred.succeed(read, undefined), Effect.never)
    const waiting = yield* Effect.forkChild(Effect.flip(checkingOut({ looks: [nothing], cart: silent }).run))
    yield* Deferred.await(read)
    yield* TestClock.adjust(settings.orderDeadlineMillis)
    assert.strictEqual((yield* Fiber.join(waiting))._tag, "Busy")
  }),
)

/**
 * What the demo shop sells and who may sign in to it: enough for every way a sale can go (limited, not yet open,
 * paused, nearly gone, two that share a writer), and nothing that looks like a person's data.
 */
import type { NewProduct } from "../catalogue/product.ts"

/** `.example` belongs to nobody (RFC 2606), so no mail ever leaves. */
export const demoAccounts = {
  customer: { email: "customer@hedonify.example", name: "Demo Customer" },
  merchant: { email: "merchant@hedonify.example", name: "Demo Merchant" },
  admin: { email: "admin@hedonify.example", name: "Demo Admin" },
} as const

export const demoMerchantName = "Lantern Hall"

/** What "not yet on sale" waits for. */
const saleDelayMillis = 30 * 24 * 3_600_000

const product = (
  name: string,
  description: string,
  cents: number,
  stock: number,
  options: Partial<NewProduct> = {},
): NewProduct => ({
  name,
  description,
  price: { amount: cents, currency: "EUR" },
  stock,
  limitPerCustomer: null,
  saleStartsAtMillis: null,
  paused: false,
  waitlist: true,
  reservationTtlSeconds: null,
  stockGroup: null,
  imageUrl: null,
  ...options,
})

export const demoProducts = (nowMillis: number): ReadonlyArray<NewProduct> => [
  product("Opening night, standing", "One person, doors at seven.", 4_900, 500, { stockGroup: "opening-night" }),
  product("Opening night, drinks voucher", "Two drinks at the bar.", 1_200, 500, { stockGroup: "opening-night" }),
  product("Opening night, balcony seat", "A numbered seat with a view of the stage.", 7_900, 120),
  product("Meet the band", "Half an hour backstage, two at most for each of you.", 9_000, 40, { limitPerCustomer: 2 }),
  product("Signed first pressing", "Heavy vinyl, numbered by hand. The last ones.", 6_500, 3),
  product("Closing night, standing", "On sale in a month.", 5_900, 800, {
    saleStartsAtMillis: nowMillis + saleDelayMillis,
  }),
  product("Enamel pin set", "Four pins in a tin. Paused until the tins arrive.", 1_400, 200, { paused: true }),
  product("Lantern T-shirt", "Organic cotton, printed in the yard behind the hall.", 2_800, 300),
  product("Lantern hoodie", "The warm one.", 5_500, 150),
  product("Screen-printed poster", "Fifty by seventy centimetres, rolled.", 1_800, 250),
  product("Tote bag", "Carries twelve records.", 1_500, 400),
  product("House blend coffee", "Half a pound, whole beans.", 1_150, 80),
]

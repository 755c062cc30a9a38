/** What the demo's seed needs beside a database and settings, with a secret of its own. */
import { Layer, Redacted } from "effect"
import { Accounts } from "../../src/accounts/Accounts.ts"
import { Passwords } from "../../src/accounts/Passwords.ts"
import { Sessions } from "../../src/accounts/Sessions.ts"
import { Tokens } from "../../src/accounts/Tokens.ts"
import { TokenSecret } from "../../src/accounts/TokenSecret.ts"
import { CatalogueCache } from "../../src/catalogue/CatalogueCache.ts"
import { Products } from "../../src/catalogue/Products.ts"
import { Merchants } from "../../src/merchants/Merchants.ts"
import { TokenBuckets } from "../../src/platform/redis/TokenBuckets.ts"

export const demoServices = Layer.mergeAll(Accounts.layer, Merchants.layer, Products.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(Sessions.layer, CatalogueCache.layerLocal)),
  Layer.provideMerge(Tokens.layer),
  Layer.provideMerge(
    Layer.mergeAll(Passwords.layer, TokenSecret.layerOf(Redacted.make("s".repeat(40))), TokenBuckets.layerLocal),
  ),
)

import { assert, it } from "@effect/vitest"
import { apiKeyLengthMax } from "../../src/accounts/accountBounds.ts"
import { looksLikeApiKey, newSecret, secretHash } from "../../src/merchants/apiKey.ts"
import { censorText } from "../../src/platform/logging/logCensor.ts"

it("keys are each another one, are told from tokens, and are found by their hash", () => {
  const [first, second] = [newSecret(), newSecret()]
  assert.notStrictEqual(first, second)
  assert.isTrue(looksLikeApiKey(first))
  assert.isFalse(looksLikeApiKey("eyJhbGciOiJIUzI1NiJ9.e30.x"))
  assert.isAtMost(first.length, apiKeyLengthMax)
  assert.strictEqual(secretHash(first).byteLength, 32)
  assert.isTrue(secretHash(first).equals(secretHash(first)))
  assert.isFalse(secretHash(first).equals(secretHash(second)))
})

it("a key that got into a text leaves no trace in the log", () => {
  for (let count = 0; count < 100; count++) {
    assert.strictEqual(censorText(`key "${newSecret()}" was refused`), 'key "[censored]" was refused')
  }
})

import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Names } from "../../src/webhooks/Names.ts"
import { Sender } from "../../src/webhooks/Sender.ts"
import { isAllowedAddress, targetOf } from "../../src/webhooks/targets.ts"
import { makeReceiver } from "./receiver.ts"
import { testNames, TestNames } from "./testWebhooks.ts"

/** By what they are. */
const inside: Readonly<Record<string, ReadonlyArray<string>>> = {
  "this machine": ["127.0.0.1", "127.255.255.254", "::1"],
  "any machine": ["0.0.0.0", "0.1.2.3", "::"],
  "private networks": [
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "fc00::1",
    "fdff::1",
  ],
  "the link": ["169.254.0.1", "fe80::1", "febf::1"],
  "what clouds tell their machines": [
    "169.254.169.254",
    "fd00:ec2::254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
  ],
  "networks behind a carrier": ["100.64.0.1", "100.127.255.255"],
  "many machines": ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1"],
  "nobody yet": ["240.0.0.1", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "4000::1"],
  "IPv4 in IPv6": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:10.0.0.1"],
  NAT64: ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1"],
  "6to4 and Teredo": ["2002:7f00:1::", "2002:a00:1::1", "2001:0:a00:1::1"],
  "sites and what is discarded": ["fec0::1", "100::1"],
  "no address at all": ["", "localhost", "999.1.1.1", "fe80::1%eth0"],
}
const outside = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.0.1", "2606:4700::1111", "2a00:1450::1"]

describe("an address", () => {
  for (const [kind, addresses] of Object.entries(inside)) {
    it(`of ${kind} is nowhere to send to`, () => {
      for (const address of addresses) assert.isFalse(isAllowedAddress(address, "off"), address)
    })
  }
  it("that anybody can reach is allowed", () => {
    for (const address of outside) assert.isTrue(isAllowedAddress(address, "off"), address)
  })
  it("of this machine is allowed where the settings say so, and no other one inside", () => {
    for (const address of ["127.0.0.1", "127.9.9.9", "::1"])
      assert.isTrue(isAllowedAddress(address, "loopback"), address)
    for (const address of ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1"]) {
      assert.isFalse(isAllowedAddress(address, "loopback"), address)
    }
  })
})

describe("a URL", () => {
  const strange = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com/#part",
    "https://example.com:22/",
    "https://example.com:80/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::7f00:1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://10.0.0.1.:443/",
    "nonsense",
  ]
  for (const url of strange) {
    it(`${url} leads nowhere`, () => assert.strictEqual(targetOf(url, "off")._tag, "TargetRefused"))
  }
  it("of https, with or without a port of its own, is one to look up", () => {
    for (const url of ["https://example.com/", "https://example.com:8443/a?b=c", "HTTPS://EXAMPLE.com"]) {
      assert.strictEqual(targetOf(url, "off")._tag, "Name", url)
    }
    assert.strictEqual(targetOf("https://[2606:4700::1111]/", "off")._tag, "Address")
  })
  it("of http is for this machine, where the settings say so", () => {
    for (const url of [
      "http://localhost:3000/",
      "http://127.0.0.1:3000/",
      "http://[::1]:3000/",
      "http://a.localhost:3000/",
    ]) {
      assert.notStrictEqual(targetOf(url, "loopback")._tag, "TargetRefused", url)
      assert.strictEqual(targetOf(url, "off")._tag, "TargetRefused", url)
    }
    for (const url of ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/"]) {
      assert.strictEqual(targetOf(url, "loopback")._tag, "TargetRefused", url)
    }
    assert.strictEqual(targetOf("http://10.0.0.1/", "on")._tag, "Address")
  })
})

layer(Names.layer)("a name of this machine", ({ effect }) => {
  effect("is known without asking anybody", () =>
    Effect.gen(function* () {
      const names = yield* Names
      for (const name of ["localhost", "shop.localhost", "localhost."]) {
        assert.deepStrictEqual(yield* names.addressesOf(name), ["127.0.0.1", "::1"])
      }
    }),
  )
})

const senders = Sender.layer("off", 1_000).pipe(Layer.provideMerge(testNames))
/** To this machine under any name, so that a test can be answered. */
const lenient = Sender.layer("on", 1_000).pipe(Layer.provideMerge(testNames))

layer(senders)("a name", ({ effect }) => {
  effect("that leads inside, if only with one of its addresses, is refused before anybody is spoken to", () =>
    Effect.gen(function* () {
      const sender = yield* Sender
      const table = yield* TestNames
      table.set("inside.example", [["10.0.0.1"]])
      table.set("both.example", [["1.1.1.1", "169.254.169.254"]])
      table.set("mapped.example", [["::ffff:10.0.0.1"]])
      for (const name of ["inside.example", "both.example", "mapped.example"]) {
        const refused = yield* Effect.flip(sender.judge(`https://${name}/`))
        assert.strictEqual(refused.message, "must lead to a public address")
        const answer = yield* sender.post(`https://${name}/`, {}, "{}")
        assert.deepStrictEqual(answer, { _tag: "Unanswered", reason: "the URL must lead to a public address" })
      }
    }),
  )

  effect("that nobody knows may be known later", () =>
    Effect.gen(function* () {
      const sender = yield* Sender
      yield* sender.judge("https://later.example/")
      const answer = yield* sender.post("https://later.example/", {}, "{}")
      assert.deepStrictEqual(answer, { _tag: "Unanswered", reason: "its name has no address" })
    }),
  )

  effect("that led outside when it was judged and inside when it is used is refused", () =>
    Effect.gen(function* () {
      const sender = yield* Sender
      const table = yield* TestNames
      table.set("rebinds.example", [["1.1.1.1"], ["127.0.0.1"]])
      yield* sender.judge("https://rebinds.example/")
      const answer = yield* sender.post("https://rebinds.example/", {}, "{}")
      assert.deepStrictEqual(answer, { _tag: "Unanswered", reason: "the URL must lead to a public address" })
    }),
  )
})

layer(lenient, { excludeTestServices: true })("a connection", ({ effect }) => {
  effect("goes to the address that was judged, and asks for the name once", () =>
    Effect.gen(function* () {
      const sender = yield* Sender
      const table = yield* TestNames
      const receiver = yield* makeReceiver
      receiver.mood = { _tag: "Answers", status: 201 }
      // No other name server knows it: a connection that asked again would be none.
      table.set("receiver.example", [["127.0.0.1"], []])
      const answer = yield* sender.post(`http://receiver.example:${new URL(receiver.url).port}/hook`, {}, "{}")
      assert.deepStrictEqual(answer, { _tag: "Answered", status: 201, retryAfterMillis: 0 })
      assert.strictEqual(receiver.asked.length, 1)
      assert.deepStrictEqual(table.get("receiver.example"), [[]])
    }),
  )
})

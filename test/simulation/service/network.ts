/**
 * The way from a node to the shards of another one: messages that take their time, get lost, and meet a process that is
 * paused or gone. Deadlines travel as durations.
 *
 * Must stay true: whoever cannot know whether a command was taken says "outcome unknown", never "busy".
 */
import { Effect } from "effect"
import type { Command } from "../../../src/domain/commands.ts"
import type { Shard } from "../../../src/domain/ids.ts"
import type { Inventory } from "../../../src/inventory/Inventory.ts"
import { Busy, OutcomeUnknown } from "../../../src/inventory/shard/mailboxEntry.ts"
import { inertInventory } from "../../inventory/inertInventory.ts"
import type { Node } from "./node.ts"
import type { SimulatedProcess } from "../machine/simulatedProcess.ts"
import type { Weather } from "../weather.ts"

/** The door of `here` to whichever node serves at the moment. */
export const remoteInventory = (
  here: SimulatedProcess,
  weather: Weather,
  serving: () => Node | undefined,
): Inventory["Service"] =>
  inertInventory({
    submit: <C extends Command>(shard: Shard, command: C, deadlineMillis: number) =>
      Effect.gen(function* () {
        const node = serving()
        if (node === undefined) return yield* new Busy()
        const leftMillis = deadlineMillis - here.currentTimeMillisUnsafe()
        if (!(yield* weather.message)) return yield* new OutcomeUnknown()
        const asked = Effect.suspend(() =>
          node.inventory.submit(shard, command, node.process.currentTimeMillisUnsafe() + leftMillis),
        )
        const answer = node.process
          .call(here, asked)
          .pipe(Effect.catchTag("ConnectionLost", () => Effect.fail(new OutcomeUnknown())))
        const outcome = yield* Effect.exit(answer)
        if (!(yield* weather.message)) return yield* new OutcomeUnknown()
        return yield* outcome
      }),
  })

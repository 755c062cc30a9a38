/**
 * The faults (`npm run test:faults`): real processes that are killed, paused and starved under load. One file after the
 * other, for a machine that is busy with another fault is a fault of its own.
 */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/faults/**/*.test.ts"],
    globalSetup: ["test/faults/globalSetup.ts"],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    teardownTimeout: 120_000,
  },
})

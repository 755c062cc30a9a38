import { configDefaults, defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // `npm run test:faults` runs these: one after the other, and with nothing beside them.
    exclude: [...configDefaults.exclude, "test/faults/**"],
    globalSetup: ["test/platform/globalSetup.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})

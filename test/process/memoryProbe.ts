/**
 * Loaded into a service with --import: tells over IPC how much of its heap is in use once it is collected. The service
 * itself offers no such thing to anybody.
 */
export interface MemoryReading {
  readonly heapUsedBytes: number
}

process.on("message", () => {
  globalThis.gc?.()
  globalThis.gc?.()
  process.send?.({ heapUsedBytes: process.memoryUsage().heapUsed } satisfies MemoryReading)
})
process.channel?.unref()

/**
 * How times leave the service: RFC 3339 in UTC with milliseconds, made from the milliseconds that everything inside
 * counts in.
 */
import { DateTime } from "effect"

export const isoTime = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis))

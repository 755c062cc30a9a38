/**
 * The tags that tell one state of a product from another: `"<version>.<stocked>.<available>"`. A reader compares all of
 * it, an editor the version alone, since stock moves under every edit.
 */
import type { WantedVersions } from "../catalogue/ProductEditor.ts"
import type { Product } from "../catalogue/product.ts"

export const etagOf = (product: Product): string => `"${product.version}.${product.stocked}.${product.available}"`

const tagsOf = (header: string): ReadonlyArray<string> => header.split(",").map((part) => part.trim())

/** Whether If-None-Match names this tag; weak and strong compare alike here (RFC 9110, 13.1.2). */
export const namesTag = (header: string | undefined, etag: string): boolean =>
  header !== undefined && tagsOf(header).some((tag) => tag === "*" || tag === etag || tag === `W/${etag}`)

const versioned = /^(?:W\/)?"([1-9]\d{0,9})(?:\.\d{1,10}\.\d{1,10})?"$/

/** The versions that If-Match names. What is no tag of a product names none, and so matches nothing. */
export const versionsOf = (header: string): WantedVersions => {
  const tags = tagsOf(header)
  if (tags.includes("*")) return "any"
  const versions = tags.flatMap((tag) => versioned.exec(tag)?.[1] ?? [])
  return [...new Set(versions.map(Number))]
}

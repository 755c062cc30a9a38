/**
 * A page of a list. Whoever reads one asks for a row more than it shows, which tells whether there is more.
 */
export interface Page<Item> {
  readonly data: ReadonlyArray<Item>
  readonly hasMore: boolean
}

/** The page of `limit` items that rows, read with `limit + 1`, come to. */
export const pageOf = <Item>(rows: ReadonlyArray<Item>, limit: number): Page<Item> => ({
  data: rows.slice(0, limit),
  hasMore: rows.length > limit,
})

/** Sorts before every id: where a list starts that is read from its beginning. */
export const beforeEveryId = "00000000-0000-0000-0000-000000000000"

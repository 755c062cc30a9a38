/**
 * The majors of PostgreSQL that the service promises to run on, and which of them a run of the tests asks for in
 * TEST_POSTGRES_MAJORS. What is asked for by name has to be there; what nobody asked for may be missing.
 */

/** The newest first: it is the one of a run that asks for none. */
export const supportedMajors: ReadonlyArray<number> = [18, 17, 16, 15]
export const newestMajor = 18

/** The majors of a list like `15,18`; none where nothing was asked for, and a sentence where the list says nothing. */
export const askedMajors = (list: string | undefined): ReadonlyArray<number> | string => {
  const asked = (list ?? "").split(",").map((each) => each.trim())
  if (asked.length === 1 && asked[0] === "") return []
  const majors = asked.map(Number)
  if (majors.every((major) => supportedMajors.includes(major))) return [...new Set(majors)]
  return `TEST_POSTGRES_MAJORS is "${list}"; allowed are ${supportedMajors.join(", ")}, separated by commas.`
}

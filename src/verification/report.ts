/**
 * What `verify` found, in lines for a person: one rule a line in columns, what a violated rule says and who offends
 * against it, and the sum of it in one sentence.
 */
import { isViolated, type RuleResult } from "./verify.ts"

/** Offenders shown of each rule; the rest is in the JSON. */
const examplesShownMax = 10

/** A count in groups of three digits, as a person reads it. */
export const digits = (count: number): string => String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, ",")
const title = ({ name }: RuleResult): string => name.replaceAll("_", " ")

/** The outcome in one sentence. */
export const summary = (results: ReadonlyArray<RuleResult>): string => {
  const violated = results.filter(isViolated)
  return violated.length === 0
    ? `All ${results.length} rules hold.`
    : `${violated.length} of ${results.length} rules ${violated.length === 1 ? "is" : "are"} violated: ${violated.map(title).join(", ")}.`
}

const detailsOf = (result: RuleResult): ReadonlyArray<string> => {
  const shown = result.examples.slice(0, examplesShownMax)
  const left = result.violations - shown.length
  return [
    `        ${result.sentence}`,
    ...shown.map((example) => `        ${JSON.stringify(example)}`),
    ...(left > 0 ? [`        and ${digits(left)} more`] : []),
  ]
}

export const reportLines = (results: ReadonlyArray<RuleResult>): ReadonlyArray<string> => {
  const widthOf = (texts: ReadonlyArray<string>) => Math.max(0, ...texts.map((text) => text.length))
  const titleWidth = widthOf(results.map(title))
  const checkedWidth = widthOf(results.map((result) => digits(result.checked)))
  const violationsWidth = widthOf(results.map((result) => digits(result.violations)))
  return results.flatMap((result) => {
    const checked = digits(result.checked).padStart(checkedWidth)
    const violations = digits(result.violations).padStart(violationsWidth)
    const mark = isViolated(result) ? "FAIL" : "ok  "
    const line = `${mark}  ${title(result).padEnd(titleWidth)}  checked ${checked}  violations ${violations}`
    return isViolated(result) ? [line, ...detailsOf(result)] : [line]
  })
}

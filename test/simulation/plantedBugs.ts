/**
 * Bugs that a tired hand could write, by subject, each as exact replacements in a copy of the sources. Where one defence
 * hides another, a bug takes both away; its comment says so.
 */
import { coordinationBugs } from "./plantedBugs/coordination.ts"
import type { PlantedBug } from "./plantedBugs/planting.ts"
import { planningBugs } from "./plantedBugs/planning.ts"
import { statementBugs } from "./plantedBugs/statement.ts"
import { writerBugs } from "./plantedBugs/writer.ts"

export const plantedBugs: ReadonlyArray<PlantedBug> = [
  ...writerBugs,
  ...statementBugs,
  ...coordinationBugs,
  ...planningBugs,
]

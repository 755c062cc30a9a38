/**
 * Reads the tour out of a page of Markdown: the fenced blocks that open with "sh tour", in their order. They are meant
 * to be pasted one after another into one terminal, so they are run that way.
 */
const block = /^```sh tour\n([\s\S]*?)^```$/gm

export const tourOf = (markdown: string): ReadonlyArray<string> =>
  [...markdown.matchAll(block)].map(([, commands = ""]) => commands.trimEnd())

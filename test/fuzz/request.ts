/**
 * A request as it is sent, and how it looks in bytes. Must stay true: headers keep their order, their spelling and their
 * repetitions, and the target is sent as it stands, for that is what the fuzzer breaks.
 */
export interface Request {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body?: Buffer
}

export const pathOf = ({ target }: Pick<Request, "target">): string => target.split(/[?#]/, 1)[0] ?? ""

export const headersNamed = ({ headers }: Request, name: string): ReadonlyArray<string> =>
  headers.filter(([header]) => header.toLowerCase() === name).map(([, value]) => value)

/** The request with this header in place of any that it had. */
export const withHeader = (request: Request, name: string, ...values: ReadonlyArray<string>): Request => ({
  ...request,
  headers: [
    ...request.headers.filter(([header]) => header.toLowerCase() !== name),
    ...values.map((value) => [name, value] as const),
  ],
})

export const withoutHeader = (request: Request, name: string): Request => withHeader(request, name)

export const withBody = (request: Request, body: Buffer | string): Request => ({
  ...request,
  body: Buffer.from(body),
})

/** As HTTP/1.1 writes it, on a connection for itself. */
export const bytesOf = ({ body, headers, method, target }: Request, version = "HTTP/1.1"): Buffer => {
  const names = new Set(headers.map(([name]) => name.toLowerCase()))
  const lines = [
    `${method} ${target} ${version}`,
    ...(names.has("host") ? [] : ["Host: 127.0.0.1"]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined || names.has("content-length") || names.has("transfer-encoding")
      ? []
      : [`Content-Length: ${body.byteLength}`]),
    ...(names.has("connection") ? [] : ["Connection: close"]),
  ]
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "utf8"), body ?? Buffer.alloc(0)])
}

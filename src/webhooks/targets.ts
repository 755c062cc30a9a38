/**
 * Where webhooks may be sent. Must stay true: nothing is sent to an address inside a network, whoever names it, in
 * whatever spelling, and whatever a name server says later: the addresses that were judged are the ones a connection is
 * made to, and every attempt judges anew.
 *
 * Of IPv6 only global unicast is allowed, without the ranges that carry an IPv4 address in them (mapped, compatible,
 * translated, 6to4, Teredo): a gateway would unpack it into an address that nobody judged.
 */
import ipaddr from "ipaddr.js"
import { Option } from "effect"

/**
 * `off`: only https to public addresses. `loopback`: http and https to this machine, too, so that a receiver under
 * development can be tried. `on`: anywhere, for networks whose every machine may be spoken to.
 */
export type InsecureTargets = "off" | "loopback" | "on"

export type Target =
  | { readonly _tag: "Name"; readonly url: URL; readonly name: string }
  | { readonly _tag: "Address"; readonly url: URL; readonly address: string }

export interface TargetRefused {
  readonly _tag: "TargetRefused"
  readonly message: string
}
const refused = (message: string): TargetRefused => ({ _tag: "TargetRefused", message })

/** The port of https, and those that no system service listens on. */
const isAllowedPort = (port: number): boolean => port === 443 || port >= 1_024

const globalUnicast = ipaddr.parseCIDR("2000::/3")
/** Answers machines of a cloud alone, though its address is a public one. */
const insideClouds = new Set(["168.63.129.16"])

const rangeOf = (address: string): Option.Option<{ readonly range: string; readonly isPublic: boolean }> => {
  if (!ipaddr.isValid(address)) return Option.none()
  const parsed = ipaddr.parse(address)
  const range = parsed.range()
  const isGlobal = parsed.kind() === "ipv4" || parsed.match(globalUnicast)
  return Option.some({ range, isPublic: range === "unicast" && isGlobal && !insideClouds.has(parsed.toString()) })
}

/** Whether a connection may be made to this address. */
export const isAllowedAddress = (address: string, insecure: InsecureTargets): boolean =>
  Option.exists(
    rangeOf(address),
    ({ isPublic, range }) => insecure === "on" || isPublic || (insecure === "loopback" && range === "loopback"),
  )

/** The names of this machine itself (RFC 6761), which no name server is asked for. */
export const isLocalName = (name: string): boolean => /^(.+\.)?localhost\.?$/.test(name)

/** What a URL says of where it leads, or why nothing may be sent there; names are still to be looked up. */
export const targetOf = (text: string, insecure: InsecureTargets): Target | TargetRefused => {
  if (!URL.canParse(text)) return refused("must be a URL")
  const url = new URL(text)
  const { hash, hostname, password, port, protocol, username } = url
  if (protocol !== "https:" && !(protocol === "http:" && insecure !== "off")) return refused("must be an https URL")
  if (username !== "" || password !== "") return refused("must not have a user name or a password")
  if (hash !== "") return refused("must not have a fragment")
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname
  if (host === "") return refused("must have a host")
  const isHere =
    isLocalName(host) || (ipaddr.isValid(host) && Option.exists(rangeOf(host), ({ range }) => range === "loopback"))
  if (protocol === "http:" && insecure !== "on" && !isHere) return refused("must be an https URL")
  if (port !== "" && insecure !== "on" && !isAllowedPort(Number(port))) {
    return refused("must have port 443 or one from 1024 on")
  }
  if (!ipaddr.isValid(host)) return { _tag: "Name", url, name: host }
  return isAllowedAddress(host, insecure) ? { _tag: "Address", url, address: host } : forbiddenAddress
}

export const forbiddenAddress = refused("must lead to a public address")

// A question for both servers: the parts of a client's query that determine the answer.
import { composeMessage } from '../../dns/message/message.ts';
import { parseNameKeepingCase } from '../../dns/name.ts';
import { CLASS, FLAG, parseType } from '../../dns/types.ts';

export interface Question {
  /** Presentation form, absolute, in the case in which it was asked. */
  readonly name: string;
  /** "A", "TYPE65280" */
  readonly type: string;
  /** IN if omitted. */
  readonly class?: number;
  readonly way: Way;
}

export interface Way {
  readonly transport: 'udp' | 'tcp';
  /** undefined: without EDNS. */
  readonly edns?: { readonly udpBytes: number; readonly dnssecOk: boolean };
  /** RD, CD and AD; RD if omitted. */
  readonly flags?: number;
}

/** Of OPT without options: root, type, class, TTL, length. */
const OPT_BYTES = 11;

/** The query with id 0. Options of EDNS (cookies, client subnets) belong to one client and server, and are not repeated. */
export function composeQuery({ name, type, class: asked = CLASS.IN, way }: Question): Buffer {
  const question = { name: parseNameKeepingCase(name), type: parseType(type)!, class: asked };
  const edns = way.edns && { version: 0, ...way.edns, options: [] };
  return Buffer.from(composeMessage({ flags: way.flags ?? FLAG.RD, questions: [question], ...(edns && { edns }) }));
}

/** The offset after the question in its query. */
export const questionEnd = (query: Uint8Array, { edns }: Way): number =>
  query.length - (edns === undefined ? 0 : OPT_BYTES);

/** How much of a reply over UDP fits: what the client offers, and what servers send at most by default. */
export function udpLimit({ edns }: Way, serverBytes: number): number {
  return edns === undefined ? 512 : Math.max(512, Math.min(edns.udpBytes, serverBytes));
}

// One line of the query log, as data threads send it to the control plane, which resolves the client's address to a pod.

export interface QueryLine {
  /** IPv4 or IPv6 text, '-' if unknown. */
  readonly client: string;
  readonly port: number;
  readonly protocol: 'udp' | 'tcp';
  readonly id: number;
  /** With the escapes of zone files, so that it is safe to display; '-' if the question cannot be read. */
  readonly name: string;
  readonly type: string;
  readonly class: string;
  /** "dropped": there was no response. */
  readonly rcode: string;
  /** Of the response: "qr,aa,rd". */
  readonly flags: string;
  readonly querySize: number;
  readonly size: number;
  readonly durationMs: number;
  /** own: a zone of this server; cache: external, answered at once from cache, hosts or templates; upstream: after asking. */
  readonly from: 'own' | 'cache' | 'upstream';
  /** In the configured format. */
  readonly text?: string;
}

// Names that the parts of one large service claim together, such as the service's own: the claims of each part, and what the data
// plane has of it.
import type { Owner } from './owner.ts';
import type { Node } from './tree.ts';

/** Hashes by the number of the owner. */
interface SplitName {
  readonly claimed: Map<number, number>;
  /** undefined: the data plane does not have the name in parts. */
  sent: Map<number, number> | undefined;
}

export interface PartsToSend {
  /** The data plane has nothing of the name that can be kept. */
  readonly isWhole: boolean;
  readonly changed: readonly number[];
  readonly gone: readonly number[];
}

export class SplitNames {
  private readonly names = new Map<Node, SplitName>();

  claim(node: Node, { number }: Owner, hash: number): void {
    const known = this.names.get(node);
    if (known !== undefined) known.claimed.set(number, hash);
    else this.names.set(node, { claimed: new Map([[number, hash]]), sent: undefined });
  }

  giveUp(node: Node, { number }: Owner): void {
    if (this.names.size === 0) return;
    const known = this.names.get(node);
    if (known?.claimed.delete(number) && known.claimed.size === 0) this.names.delete(node);
  }

  /** Whether the data plane has what the part claims. */
  isSent(node: Node, { number }: Owner, hash: number | undefined): boolean {
    return this.names.get(node)?.sent?.get(number) === hash;
  }

  /** How many parts claim the name. */
  claimants(node: Node): number {
    return this.names.get(node)?.claimed.size ?? 0;
  }

  /** The name is sent whole. */
  forgetSent(node: Node): void {
    const known = this.names.get(node);
    if (known !== undefined) known.sent = undefined;
  }

  /** One thread has other content than the rest: the name is sent to all again. */
  forgetSentPart(node: Node, { number }: Owner): void {
    this.names.get(node)?.sent?.set(number, DIFFERENT);
  }

  toSend(node: Node): PartsToSend {
    const { claimed, sent } = this.names.get(node)!;
    const changed = [...claimed].filter(([number, hash]) => sent?.get(number) !== hash).map(([number]) => number);
    const gone = [...(sent?.keys() ?? [])].filter((number) => !claimed.has(number));
    return { isWhole: sent === undefined, changed, gone };
  }

  markSent(node: Node, number: number, hash: number | undefined): void {
    const known = this.names.get(node)!;
    known.sent ??= new Map();
    if (hash === undefined) known.sent.delete(number);
    else known.sent.set(number, hash);
  }
}

const DIFFERENT = -1;
